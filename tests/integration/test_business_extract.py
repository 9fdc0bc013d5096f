"""The contracts against the reference plant's real database, as its history goes on: nothing lost or kept."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from contracts.model import Contract
from ingestion.change_log import ChangeLog, changed_rows
from ingestion.connectors.conversion import convert
from ingestion.connectors.sql import open_snapshot
from ingestion.context import ExtractContext
from ingestion.extract import extract_table
from ingestion.registry import SystemKind, load_registry
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from reference_plant.business.cluster import HOST, Cluster
from reference_plant.business.database import READER, apply_until, prepare
from reference_plant.business.journal import State, state_at
from reference_plant.business.story import events

SITE = Path(__file__).parents[2] / "reference_plant" / "site"
PLANT = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 16, tzinfo=PLANT).astimezone(UTC)
END = START + timedelta(hours=27)


@dataclass
class SteppedClock:
    instant: datetime = START
    speed: float = 1.0

    def now(self) -> datetime:
        return self.instant

    def real_seconds(self, plant_seconds: float) -> float:
        return plant_seconds


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder, socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
        probe.close()
        cluster = Cluster(Path(folder) / "data", port)
        cluster.start()
        prepare(cluster, "reader")
        yield cluster
        cluster.stop()


def keys_in_source(contract: Contract, state: State) -> set[str]:
    """What the table must hold, written as our row keys."""
    columns = [contract.column(name) for name in contract.primary_key]
    rows = state[contract.source_name].values()
    written = []
    for column in columns:
        values = pa.chunked_array([[row[column.source_name] for row in rows]])
        written.append([str(value) for value in convert(values, column).to_pylist()])
    return {"|".join(parts) for parts in zip(*written, strict=True)}


def test_every_table_follows_its_source_through_a_day_of_changes(cluster: Cluster, tmp_path: Path) -> None:
    lake = LakePaths(tmp_path / "var")
    migrations.migrate(lake.state_url)
    clock = SteppedClock()
    url = f"postgresql://{READER}:reader@{HOST}:{cluster.port}/plant"
    context = ExtractContext(
        lake, open_state(lake.state_url, clock.now), lambda _: url, clock, SITE, run_id="test"
    )
    story = events(20261116, PLANT, START, END)
    systems = [system for system in load_registry(SITE) if system.kind is SystemKind.SQL]
    deleted = 0
    for hours in (1, 14, 26):
        clock.instant = START + timedelta(hours=hours)
        apply_until(cluster.admin_url, story, clock.instant)
        state = state_at(story, clock.instant)
        for system in systems:
            for contract in system.tables:
                report = extract_table(system, contract.table, context)
                assert report.warnings == (), f"{contract.name}: the contract does not fit the plant"
                deleted += report.rows_deleted
                log = ChangeLog(contract, lake)
                live = log.live()
                assert set(live["_row_key"].to_pylist()) == keys_in_source(contract, state), contract.name
                with open_snapshot(url, contract) as source:
                    stale = changed_rows(source.read_rows(), log.latest(), contract)
                assert stale.num_rows == 0, f"{contract.name}: raw is behind its source"
                again = extract_table(system, contract.table, context)
                assert (again.rows_upserted, again.rows_deleted) == (0, 0), contract.name
    assert deleted > 0, "the story must delete rows, or this test proves nothing about deletions"
