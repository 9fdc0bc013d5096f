"""Publication: only what changed is rewritten, and no reader ever sees half of a switch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lake import tables
from lake.errors import LakeError, SchemaError
from lake.layout import LakePaths
from lake.publication import PublishReport, publish
from lake.published import refresh_published

DAY = date(2026, 11, 16)
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> LakePaths:
    return LakePaths(tmp_path / "var")


def build(lake: LakePaths, rows: str, *, layer: str = "regulatory", table: str = "reg_a__hour") -> None:
    """Leave the build database as dbt would: one table of these rows, and the file closed."""
    lake.build_db.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(lake.build_db)) as connection:
        connection.execute(f"create schema if not exists {layer}")
        connection.execute(f"create or replace table {layer}.{table} as {rows}")


def rows(value: float, *days: date) -> str:
    selects = [
        f"select 'DA00' || i as outlet_id, timestamp '{day} 00:00' + interval (i) hour as period_start_utc, "
        f"date '{day}' as plant_date, {value}::double as avg_value, 1::utinyint as n from range(3) t(i)"
        for day in days
    ]
    return " union all ".join(selects)


def publish_days(lake: LakePaths, days: Sequence[date] | None = None) -> PublishReport:
    return publish(lake.build_db, lake, "reg_a__hour", "regulatory", "plant_date", days)


def values_by_day(lake: LakePaths) -> dict[date, set[float]]:
    found: dict[date, set[float]] = {}
    for row in tables.read(lake.table("regulatory", "reg_a__hour")).to_pylist():
        found.setdefault(row["plant_date"], set()).add(row["avg_value"])
    return found


def test_a_mart_arrives_in_delta_and_as_parquet_for_every_reader(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY, NEXT))
    report = publish_days(lake)
    assert (report.rows, report.changed) == (6, (DAY.isoformat(), NEXT.isoformat()))
    folder = lake.published("reg_a__hour")
    by_polars = pl.read_parquet(folder / "*.parquet")
    by_pandas = pd.read_parquet(folder)
    stored = tables.read(lake.table("regulatory", "reg_a__hour"))
    assert by_polars.height == len(by_pandas) == stored.num_rows == 6
    assert set(by_pandas.columns) == set(stored.column_names) == set(by_polars.columns)
    assert stored.schema.field("period_start_utc").type == pa.timestamp("us", tz="UTC")
    assert min(stored.column("period_start_utc").to_pylist()) == datetime(2026, 11, 16, tzinfo=UTC)


def test_publishing_the_same_rows_again_makes_no_version(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY, NEXT))
    first = publish_days(lake)
    build(lake, f"select * from ({rows(1.5, NEXT, DAY)}) order by random()")
    again = publish_days(lake)
    assert (again.changed, again.unchanged) == ((), 2)
    assert again.delta_version == first.delta_version
    assert again.folder == first.folder


def test_only_the_changed_day_is_rewritten_and_time_travel_shows_the_former(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY, NEXT))
    first = publish_days(lake)
    build(lake, rows(1.5, DAY) + " union all " + rows(2.5, NEXT))
    second = publish_days(lake)
    assert second.changed == (NEXT.isoformat(),)
    assert values_by_day(lake) == {DAY: {1.5}, NEXT: {2.5}}
    before = tables.read(lake.table("regulatory", "reg_a__hour"), version=first.delta_version)
    assert set(before.column("avg_value").to_pylist()) == {1.5}
    same = f"{DAY}.parquet"
    assert (first.folder / same).stat().st_ino == (second.folder / same).stat().st_ino


def test_days_not_named_stay_and_a_named_day_without_rows_is_emptied(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY, NEXT))
    publish_days(lake)
    build(lake, rows(9.5, DAY))  # a build database made anew, with part of the history
    publish_days(lake, [DAY])
    assert values_by_day(lake) == {DAY: {9.5}, NEXT: {1.5}}
    publish_days(lake, [DAY, NEXT])
    assert values_by_day(lake) == {DAY: {9.5}}
    assert [file.name for file in lake.published("reg_a__hour").iterdir()] == [f"{DAY}.parquet"]


def test_a_table_without_rows_is_readable_with_its_columns(lake: LakePaths) -> None:
    build(lake, f"select * from ({rows(1.5, DAY)}) where false")
    publish_days(lake)
    assert pl.read_parquet(lake.published("reg_a__hour") / "*.parquet").columns[0] == "outlet_id"


def test_a_table_without_partitions_is_replaced_as_a_whole_when_it_changed(lake: LakePaths) -> None:
    def publish_dim() -> PublishReport:
        return publish(lake.build_db, lake, "dim_outlet", "marts")

    build(lake, "select 'DA001' as outlet_id, 'nan'::double as height_m", layer="marts", table="dim_outlet")
    assert publish_dim().changed == ("all",)
    assert publish_dim().changed == ()
    build(lake, "select 'DA002' as outlet_id, 1.0::double as height_m", layer="marts", table="dim_outlet")
    assert publish_dim().changed == ("all",)
    assert pl.read_parquet(lake.published("dim_outlet") / "*.parquet")["outlet_id"].to_list() == ["DA002"]


def test_changed_columns_need_the_whole_history(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY, NEXT))
    publish_days(lake)
    build(lake, f"select *, 'mg/m3' as unit from ({rows(1.5, DAY)})")
    with pytest.raises(SchemaError, match="run dbt build --full-refresh"):
        publish_days(lake, [DAY])
    build(lake, f"select *, 'mg/m3' as unit from ({rows(1.5, DAY, NEXT)})")
    assert publish_days(lake, [DAY]).changed == ("all",)
    assert pl.read_parquet(lake.published("reg_a__hour") / "*.parquet")["unit"].to_list() == ["mg/m3"] * 6


def test_a_table_that_dbt_did_not_build_is_named(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY))
    with pytest.raises(LakeError, match=r"publishing marts.fct_missing: found no such table"):
        publish(lake.build_db, lake, "fct_missing", "marts")


def test_a_publication_killed_between_delta_and_parquet_is_made_good(lake: LakePaths) -> None:
    build(lake, rows(1.5, DAY, NEXT))
    publish_days(lake)
    path = lake.table("regulatory", "reg_a__hour")
    emptied = tables.read(path).slice(0, 0)
    tables.replace_partition(path, emptied, emptied.schema, column="plant_date", value=NEXT)
    assert publish_days(lake, [DAY]).changed == ()
    assert [file.name for file in lake.published("reg_a__hour").iterdir()] == [f"{DAY}.parquet"]


def test_a_reader_during_publications_never_sees_half_of_one(lake: LakePaths) -> None:
    build(lake, rows(0.5, DAY, NEXT))
    publish_days(lake)
    stop = threading.Event()
    seen: list[tuple[int, list[float]]] = []
    failures: list[Exception] = []

    def keep_reading() -> None:
        while not stop.is_set():
            try:
                frame = pl.read_parquet(lake.published("reg_a__hour") / "*.parquet")
            except Exception as error:  # noqa: BLE001 - any failure of a reader is what the test is about
                failures.append(error)
                return
            today = frame.filter(pl.col("plant_date") == NEXT)["avg_value"].unique().to_list()
            seen.append((frame.height, today))

    reader = threading.Thread(target=keep_reading)
    reader.start()
    for step in range(1, 13):
        build(lake, rows(0.5, DAY) + " union all " + rows(step + 0.5, NEXT))
        publish_days(lake, [NEXT])
    stop.set()
    reader.join()
    assert failures == []
    assert {height for height, _ in seen} == {6}
    assert all(len(today) == 1 for _, today in seen)
    assert len({today[0] for _, today in seen}) > 3


def test_a_reader_that_resolved_the_link_keeps_its_version(lake: LakePaths) -> None:
    build(lake, rows(0.5, DAY))
    held = publish_days(lake).folder
    build(lake, rows(1.5, DAY))
    publish_days(lake)
    assert pl.read_parquet(held / "*.parquet")["avg_value"].unique().to_list() == [0.5]
    for step in range(2, 9):
        build(lake, rows(step + 0.5, DAY))
        publish_days(lake)
    assert not held.exists()
    current = refresh_published(lake, "regulatory", "reg_a__hour")
    assert lake.published("reg_a__hour").resolve() == current.resolve()
