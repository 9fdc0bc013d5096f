"""The change log of a table always tells the source's present state, whatever the source went through."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.arrow import source_schema
from contracts.model import Column, Contract, ExtractMode
from ingestion.change_log import ChangeLog, row_keys
from ingestion.context import ExtractContext
from ingestion.snapshots import land_snapshot
from lake import tables
from lake.layout import LakePaths
from lake.state import open_state
from tests.fakes.still_clock import StillClock


def column(name: str, key: int | None = None) -> Column:
    return Column(
        name,
        "string",
        "列",
        name,
        "一般",
        "管理",
        source_name=name,
        required=key is not None,
        key_position=key,
    )


CONTRACT = Contract(
    system_id="demo",
    table="things",
    version="1.0.0",
    label_zh="物",
    label_en="Things",
    description="",
    grain="one thing",
    owner="owner",
    category="管理",
    mode=ExtractMode.SNAPSHOT_DIFF,
    columns=(column("area", 1), column("name", 2), column("colour")),
    cadence_s=60,
    retention_days=365,
    source_name="things",
)

Source = dict[tuple[str, str], str | None]
KEYS = st.tuples(st.sampled_from(["a", "b|", "\\"]), st.sampled_from(["x", "|x", "\\|"]))
SOURCES = st.dictionaries(KEYS, st.none() | st.sampled_from(["red", "", "蓝"]), min_size=1)


def context_in(folder: Path) -> ExtractContext:
    lake, clock = LakePaths(folder / "var"), StillClock(datetime(2026, 11, 17, tzinfo=UTC))
    state = open_state(lake.state_url, clock.now)
    return ExtractContext(lake, state, str, clock, folder, run_id="test", accept_shrink=True)


def rows_of(source: Source, contract: Contract = CONTRACT) -> pa.Table:
    rows = [{"area": a, "name": n, "colour": c} for (a, n), c in source.items()]
    return pa.Table.from_pylist(rows, schema=source_schema(contract))


def present(log: ChangeLog) -> Source:
    return {(row["area"], row["name"]): row["colour"] for row in log.live().to_pylist()}


@pytest.mark.parametrize("mode", [ExtractMode.FULL, ExtractMode.SNAPSHOT_DIFF])
@settings(max_examples=15, deadline=None)
@given(history=st.lists(SOURCES, min_size=1, max_size=4))
def test_the_present_state_is_the_last_source_after_any_history(
    mode: ExtractMode, history: list[Source]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = context_in(Path(folder))
        log = ChangeLog(replace(CONTRACT, mode=mode), context.lake)
        for source in history:
            land_snapshot(log, rows_of(source), context)
            assert present(log) == source
        again = land_snapshot(log, rows_of(history[-1]), context)
        assert (again.rows_upserted, again.rows_deleted, again.delta_version) == (0, 0, None)


def test_keys_that_join_alike_stay_apart() -> None:
    rows = pa.table({"area": ["a|b", "a", "a\\"], "name": ["c", "b|c", "|b|c"]})
    assert len(set(row_keys(rows, ("area", "name")).to_pylist())) == 3


def test_a_column_added_to_the_contract_is_read_as_empty_in_older_rows_and_then_filled(
    tmp_path: Path,
) -> None:
    context = context_in(tmp_path)
    land_snapshot(ChangeLog(CONTRACT, context.lake), rows_of({("a", "x"): "red", ("a", "y"): "red"}), context)
    wider = replace(CONTRACT, version="1.1.0", columns=(*CONTRACT.columns, column("size")))
    log = ChangeLog(wider, context.lake)
    assert log.live()["size"].to_pylist() == [None, None]
    rows = pa.table({"area": ["a", "a"], "name": ["x", "y"], "colour": ["red", "red"], "size": ["big", None]})
    report = land_snapshot(log, rows.cast(source_schema(wider)), context)
    assert report.rows_upserted == 1
    assert sorted(map(str, log.live()["size"].to_pylist())) == ["None", "big"]


def test_a_deletion_keeps_the_last_known_row(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    log = ChangeLog(CONTRACT, context.lake)
    land_snapshot(log, rows_of({("a", "x"): "red", ("a", "y"): "red"}), context)
    land_snapshot(log, rows_of({("a", "x"): "red"}), context)
    raw = tables.read(context.lake.table("raw", CONTRACT.name)).to_pylist()
    (gone,) = (row for row in raw if row["_op"] == "delete")
    assert (gone["name"], gone["colour"], gone["_extract_sequence"]) == ("y", "red", 2)
