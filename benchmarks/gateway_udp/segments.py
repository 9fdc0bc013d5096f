"""Segments to send: signed as the collector signs them, with payloads that do not compress."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.points import schema_version
from protocols.segment_manifest import FORMAT_VERSION, Manifest
from protocols.segments import manifest_path

SYSTEM, STREAMS = "bench", ("bench.points", "bench.alarms")
AT = "2026-11-16T00:00:00.000000Z"


def seal_random(
    system_dir: Path, stream: str, sequence: int, size: int, key: Ed25519PrivateKey, seed: int
) -> None:
    """Write one segment whose payload is `size` random bytes (it is moved, never decoded)."""
    payload = np.random.default_rng([seed, sequence, len(stream)]).bytes(size)
    kind = stream.rpartition(".")[2]
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        stream=stream,
        sequence=sequence,
        kind=kind,
        rows=0,
        first_source_at_utc=None,
        last_source_at_utc=None,
        schema_version=schema_version(kind),
        sha256=hashlib.sha256(payload).hexdigest(),
        sealed_at_utc=AT,
        marks={},
    )
    signature = base64.b64encode(key.sign(manifest.signed_bytes())).decode()
    fields = {**asdict(manifest), "signature": signature}
    path = manifest_path(system_dir, stream, sequence)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".parquet").write_bytes(payload)
    path.write_bytes(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def same_files(sent: Path, received: Path) -> tuple[int, set[str], set[str]]:
    """How many segments arrived equal, which are missing, and which differ."""
    equal, missing, wrong = 0, set(), set()
    for file in sent.glob("*/*.json"):
        name = f"{file.parent.name}/{file.stem}"
        there = received / file.parent.name / file.name
        if not there.exists():
            missing.add(name)
            continue
        pairs = [(file, there), (file.with_suffix(".parquet"), there.with_suffix(".parquet"))]
        if all(a.read_bytes() == b.read_bytes() for a, b in pairs):
            equal += 1
        else:
            wrong.add(name)
    return equal, missing, wrong
