"""A site whose collector reads scripted servers, and what the collector made of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ingestion.collector.run import run_collector
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, to_ticks
from protocols.segments import manifest_path, read_table, sequences
from reference_plant.pki import make_pki
from tests.fakes.opcua_history import free_port
from tests.fakes.scripted_server import NAMESPACE, Script, serve

SYSTEM = "opcua_scripted"
HEADER = (
    "tag_id,node_id,label_zh,label_en,unit,range_low,range_high,data_type,"
    "sampling_ms,queue_size,area,equipment_id,has_history,deadband,publishing_ms,aggregate\n"
)


def new_script(**changes: Any) -> Script:
    """A script whose sample 0 was taken a quarter of an hour ago."""
    start = (to_ticks(datetime.now(UTC)) // TICKS_PER_SECOND - 900) * TICKS_PER_SECOND
    return Script(start, **changes)


@dataclass
class Site:
    """One collector's folder, read from outside."""

    root: Path
    script: Script
    ports: list[int]
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        self.config = self.root / "collector.yml"

    def rows(self, kind: str) -> list[dict[str, Any]]:
        directory, stream = self.root / "var" / "collector" / SYSTEM, f"{SYSTEM}.{kind}"
        return [
            row
            for number in sequences(directory, stream)
            for row in read_table(manifest_path(directory, stream, number)).to_pylist()
        ]

    def points(self) -> list[tuple[str, int, Any]]:
        found = []
        for row in self.rows("points"):
            micro = round(row["source_at_utc"].timestamp() * 1_000_000)
            ticks = UNIX_EPOCH_TICKS + 10 * micro + row["source_at_100ns"]
            found.append((row["tag_id"], ticks, row["value_number"]))
        return found

    def gaps(self, *reasons: str) -> list[dict[str, Any]]:
        return [row for row in self.rows("gaps") if row["reason"] in reasons]

    def status(self) -> dict[str, Any]:
        path = self.root / "var" / "collector" / SYSTEM / "status.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    async def complete(self, tags: Sequence[str], timeout_s: float = 20) -> None:
        """Wait until everything produced is sealed, each point once."""
        await until(lambda: self.script.everything(tags) <= set(self.points()), timeout_s)
        found = self.points()
        assert len(found) == len(set(found)), "a point was sealed twice"
        assert {point for point in found if point[0] in tags} == self.script.everything(tags)


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


def make_site(
    root: Path, script: Script, tags: Sequence[str], *, without_history: Sequence[str] = (),
    columns: dict[str, str] | None = None, servers: int = 1, server: dict[str, Any] | None = None,
    **changes: Any,
) -> Site:  # fmt: skip
    """Keys, a tag table and `collector.yml` for scripted servers without security."""
    make_pki(root / "pki", {SYSTEM: "urn:chemlink:scripted:server"})
    rows = [
        f"{tag},nsu={NAMESPACE};s={tag},{tag},{tag},,,,double,100,10,area,,"
        f"{'false' if tag in without_history else 'true'},{(columns or {}).get(tag, ',,')}\n"
        for tag in tags
    ]
    (root / "tags.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    site = Site(root, script, [free_port() for _ in range(servers)])
    urls = [f"opc.tcp://127.0.0.1:{port}/scripted" for port in site.ports]
    content = {
        "schema_version": 1,
        "collector_id": "collector_test",
        "servers": [
            {
                "system_id": SYSTEM,
                **({"url": urls[0]} if servers == 1 else {"urls": urls}),
                "security": {"policy": "None", "allow_plain_text": True},
                "tags": "tags.csv",
                "collect_alarms": False,
                **(server or {}),
            }
        ],
        "seal_every_s": 0.05,
        "publish_every_ms": 50,
        "retry_every_s": 0.3,
        "reconnect_within_s": 0.5,
        "request_timeout_s": 3,
        "reorder_wait_s": 0.2,
        "units_every_s": 0.3,
        **changes,
    }
    content["history"] = {"settle_s": 0.5, **content.get("history", {})}
    site.config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return site


@asynccontextmanager
async def collecting(site: Site, *others: Script) -> AsyncIterator[None]:
    """The scripted servers and the collector, running."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        for script, port in zip((site.script, *others), site.ports, strict=True):
            await stack.enter_async_context(serve(script, port))
        task = asyncio.create_task(run_collector(site.config, stop))
        try:
            yield
        finally:
            stop.set()
            await task
