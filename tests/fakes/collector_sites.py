"""A site with a collector that has sources only, its process, and what it sealed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from protocols.keys import load_verify_key
from protocols.points import SCHEMAS
from protocols.segments import manifest_path, read_table, sequences, verify_segment

PROGRAM = "import sys, pathlib; from ingestion.collector.run import main; main(pathlib.Path(sys.argv[1]))"


def make_site(site: Path, sources: list[dict[str, Any]], **changes: Any) -> Path:
    """Keys and `collector.yml`; the path of the latter."""
    (site / "pki").mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (site / "pki" / "gateway_sign.pem").write_bytes(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (site / "pki" / "gateway_verify.pem").write_bytes(public)
    content = {
        "schema_version": 1,
        "collector_id": "collector_test",
        "sources": sources,
        "seal_every_s": 0.2,
        "reconnect_within_s": 1.0,
        **changes,
    }
    path = site / "collector.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def start(config: Path) -> subprocess.Popen[bytes]:
    """The collector as a process."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(config)])


async def start_connected(config: Path, system_id: str) -> subprocess.Popen[bytes]:
    """The collector as a process that has reached its source."""
    since = datetime.now(UTC).isoformat()
    process = start(config)

    def is_connected() -> bool:
        found = status(config.parent, system_id)
        return bool(found) and found["connected"] and found["written_at_real_utc"] > since

    await until(is_connected, "the collector is connected")
    return process


def sealed(site: Path, system_id: str, kind: str = "points") -> pa.Table:
    """Everything sealed of a stream, verified, in the order of sealing."""
    directory, stream = site / "var" / "collector" / system_id, f"{system_id}.{kind}"
    key = load_verify_key(site / "pki" / "gateway_verify.pem")
    numbers = sequences(directory, stream)
    assert numbers == list(range(1, len(numbers) + 1))
    tables = []
    for number in numbers:
        path = manifest_path(directory, stream, number)
        verify_segment(path, key)
        tables.append(read_table(path))
    return pa.concat_tables(tables) if tables else SCHEMAS[kind].empty_table()


def status(site: Path, system_id: str) -> dict[str, Any]:
    """The system's state file; empty when it is not there yet."""
    path = site / "var" / "collector" / system_id / "status.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


async def until(holds: Callable[[], Any], what: str, timeout_s: float = 30.0) -> None:
    """Wait until something holds."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s:g} s in vain until {what}") from None
