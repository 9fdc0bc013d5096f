"""Delta tables: exactly once, exactly one partition, exactly the declared schema; other readers agree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import tables
from lake.delta_extension import load_delta
from lake.encodings import POINTS
from lake.errors import LakeError, PartitionError, SchemaError

SCHEMA = pa.schema(
    [
        pa.field("tag_id", pa.string(), nullable=False),
        pa.field("source_at_utc", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source_at_100ns", pa.int8(), nullable=False),
        pa.field("value_number", pa.float64()),
        pa.field("plant_date", pa.date32(), nullable=False),
    ]
)
DAY = date(2026, 11, 16)


def rows_of(day: date, tags: list[str], value: float = 1.0) -> pa.Table:
    """One row a tag, all of one day."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return pa.table(
        {
            "tag_id": tags,
            "source_at_utc": [at + timedelta(seconds=index) for index in range(len(tags))],
            "source_at_100ns": [index % 10 for index in range(len(tags))],
            "value_number": [value] * len(tags),
            "plant_date": [day] * len(tags),
        },
        schema=SCHEMA,
    )


def tags_of(path: Path) -> list[str]:
    return sorted(tables.read(path, columns=["tag_id"]).column(0).to_pylist())


def append(path: Path, rows: pa.Table, version: int, app_id: str = "a.points") -> tables.AppendReport:
    return tables.append(
        path, rows, SCHEMA, app_id=app_id, version=version, partition_by=["plant_date"], storage=POINTS
    )


def test_a_repeated_append_writes_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    assert tables.transaction_version(path, "a.points") is None
    first = append(path, rows_of(DAY, ["x", "y"]), 3)
    again = append(path, rows_of(DAY, ["x", "y"]), 3)
    older = append(path, rows_of(DAY, ["z"]), 2)
    assert (first.rows, first.was_repeat) == (2, False)
    assert (again.was_repeat, older.was_repeat) == (True, True)
    assert again.delta_version == first.delta_version == tables.version(path)
    assert tags_of(path) == ["x", "y"]
    assert tables.transaction_version(path, "a.points") == 3


def test_applications_count_apart(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    append(path, rows_of(DAY, ["x"]), 9)
    assert not append(path, rows_of(DAY, ["y"]), 4, app_id="a.points#refill-4").was_repeat
    assert tables.transaction_version(path, "a.points") == 9


def test_delta_refuses_the_same_application_from_a_stale_handle(tmp_path: Path) -> None:
    """What `append` relies on when a lease fails to keep two processes apart."""
    path = tmp_path / "raw_a__points"
    append(path, rows_of(DAY, ["x"]), 1)
    stale = DeltaTable(path)
    append(path, rows_of(DAY, ["y"]), 2)
    again = CommitProperties(app_transactions=[Transaction("a.points", 2)])
    with pytest.raises(Exception, match="Concurrent transaction failed"):
        write_deltalake(stale, rows_of(DAY, ["y"]), mode="append", commit_properties=again)
    assert tags_of(path) == ["x", "y"]


def test_commit_metadata_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "raw_erp__orders"
    tables.append(
        path, rows_of(DAY, ["x"]), SCHEMA, app_id="erp.orders", version=1, commit_metadata={"cursor": "7"}
    )
    assert tables.commit_metadata(path)["cursor"] == "7"


def test_replace_partition_replaces_that_day_only(tmp_path: Path) -> None:
    path = tmp_path / "fct_x_daily"
    other = DAY + timedelta(days=1)
    for day in (DAY, other):
        tables.replace_partition(path, rows_of(day, ["x", "y"]), SCHEMA, column="plant_date", value=day)
    tables.replace_partition(path, rows_of(DAY, ["z"]), SCHEMA, column="plant_date", value=DAY)
    found = tables.read(path).to_pylist()
    assert sorted((row["plant_date"], row["tag_id"]) for row in found) == [
        (DAY, "z"),
        (other, "x"),
        (other, "y"),
    ]
    tables.replace_partition(path, rows_of(DAY, []), SCHEMA, column="plant_date", value=DAY)
    assert {row["plant_date"] for row in tables.read(path).to_pylist()} == {other}


def test_replace_partition_refuses_rows_outside_the_partition(tmp_path: Path) -> None:
    path = tmp_path / "fct_x_daily"
    tables.replace_partition(path, rows_of(DAY, ["x"]), SCHEMA, column="plant_date", value=DAY)
    mixed = pa.concat_tables([rows_of(DAY, ["y"]), rows_of(DAY + timedelta(days=1), ["z"])])
    with pytest.raises(PartitionError, match=r"1 of 2 rows are not in it \(found 2026-11-17\)"):
        tables.replace_partition(path, mixed, SCHEMA, column="plant_date", value=DAY)
    assert tags_of(path) == ["x"]


@pytest.mark.parametrize("value", ["", "x' or '1'='1", "日"])
def test_replace_partition_refuses_a_value_that_names_no_partition(tmp_path: Path, value: str) -> None:
    path = tmp_path / "fct_x_daily"
    with pytest.raises(PartitionError, match="expected a date, or ASCII text"):
        tables.replace_partition(path, rows_of(DAY, []), SCHEMA, column="plant_date", value=value)
    assert not tables.exists(path)


def test_replace_partition_refuses_a_table_partitioned_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "fct_x_daily"
    tables.overwrite(path, rows_of(DAY, ["x"]), SCHEMA)
    with pytest.raises(PartitionError, match="overwrite it as a whole"):
        tables.replace_partition(path, rows_of(DAY, ["y"]), SCHEMA, column="plant_date", value=DAY)
    assert tags_of(path) == ["x"]


_DAYS = st.integers(0, 3).map(lambda step: DAY + timedelta(days=step))
_WRITES = st.lists(
    st.tuples(_DAYS, st.lists(st.tuples(_DAYS, st.sampled_from("pqrs")), max_size=4)), min_size=1, max_size=5
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=_WRITES)
def test_any_series_of_replacements_leaves_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[date, list[tuple[date, str]]]]
) -> None:
    path = tmp_path_factory.mktemp("lake") / "fct_x_daily"
    expected: dict[date, list[str]] = {}
    for value, named in writes:
        rows = pa.concat_tables([rows_of(day, [tag]) for day, tag in named] or [rows_of(value, [])])
        if all(day == value for day, _ in named):
            tables.replace_partition(path, rows, SCHEMA, column="plant_date", value=value)
            expected[value] = sorted(tag for _, tag in named)
        else:
            with pytest.raises(PartitionError):
                tables.replace_partition(path, rows, SCHEMA, column="plant_date", value=value)
    found: dict[date, list[str]] = {value: [] for value in expected}
    for row in tables.read(path).to_pylist() if tables.exists(path) else []:
        found[row["plant_date"]].append(row["tag_id"])
    assert {day: sorted(tags) for day, tags in found.items()} == expected


def test_rows_that_do_not_fit_name_column_found_and_expected(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    wrong = rows_of(DAY, ["x"]).set_column(0, "tag_id", pa.array([7])).drop_columns(["plant_date"])
    wrong = wrong.append_column("extra", pa.array([1]))
    with pytest.raises(SchemaError) as caught:
        append(path, wrong, 1)
    assert sorted(problem.split(" ")[0] for problem in caught.value.problems) == [
        "extra",
        "plant_date",
        "tag_id",
    ]
    assert "tag_id (found int64, expected string)" in str(caught.value)
    assert not tables.exists(path)


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("value_number", pa.array(["1.5"]), "found string, expected double"),
        ("source_at_utc", pa.array([datetime(2026, 1, 1)], pa.timestamp("us")), "expected timestamp"),  # noqa: DTZ001
        ("source_at_utc", pa.array([1], pa.timestamp("ns", "UTC")), "would lose data"),
        ("source_at_100ns", pa.array([300]), "not in range"),
        ("tag_id", pa.array([None], pa.string()), "found 1 null value"),
    ],
)
def test_a_lossy_or_guessing_cast_is_refused(
    tmp_path: Path, column: str, values: pa.Array, problem: str
) -> None:
    rows = rows_of(DAY, ["x"])
    rows = rows.set_column(rows.schema.get_field_index(column), column, values)
    with pytest.raises(SchemaError, match=problem):
        append(tmp_path / "raw_a__points", rows, 1)


def test_a_polars_frame_is_stored_in_declared_types_and_zstd(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    frame = pl.DataFrame(pl.from_arrow(rows_of(DAY, ["b", "a"]))).with_columns(
        pl.col("tag_id").cast(pl.Categorical)
    )
    append(path, frame.to_arrow(), 1)
    file = next(path.rglob("*.parquet"))
    stored = pq.ParquetFile(file)
    assert stored.schema_arrow.field("tag_id").type == pa.string()
    assert stored.schema_arrow.field("source_at_utc").type == pa.timestamp("us", tz="UTC")
    assert stored.read(["tag_id"]).column(0).to_pylist() == ["a", "b"]
    chunk = stored.metadata.row_group(0).column(1)
    assert (chunk.path_in_schema, chunk.compression) == ("source_at_utc", "ZSTD")
    assert "DELTA_BINARY_PACKED" in chunk.encodings
    assert DeltaTable(path).protocol().min_reader_version == 1


def test_a_declared_schema_may_gain_a_column_and_may_not_change_a_type(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    append(path, rows_of(DAY, ["x"]), 1)
    wider = SCHEMA.append(pa.field("unit", pa.string()))
    rows = rows_of(DAY, ["y"]).append_column("unit", pa.array(["kPa"]))
    tables.append(path, rows, wider, app_id="a.points", version=2)
    assert sorted(tables.read(path).column("unit").to_pylist(), key=str) == [None, "kPa"]
    changed = wider.set(3, pa.field("value_number", pa.string()))
    text = rows.set_column(3, "value_number", pa.array(["1"]))
    with pytest.raises(SchemaError, match=r"value_number.type: double → string"):
        tables.append(path, text, changed, app_id="a.points", version=3)


def test_an_older_version_reads_as_it_was_and_filters_hold(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    first = append(path, rows_of(DAY, ["x"]), 1)
    append(path, rows_of(DAY + timedelta(days=1), ["y"]), 2)
    assert tables.read(path, version=first.delta_version).num_rows == 1
    later = tables.read(
        path, columns=["tag_id"], filters=[("plant_date", ">", DAY), ("tag_id", "in", ["x", "y"])]
    )
    assert later.to_pydict() == {"tag_id": ["y"]}
    with pytest.raises(LakeError, match="found no Delta table"):
        tables.read(tmp_path / "nothing")


def test_overwriting_with_the_same_rows_makes_no_version(tmp_path: Path) -> None:
    path = tmp_path / "ops_streams"
    first = tables.overwrite_if_changed(path, rows_of(DAY, ["x", "y"]), SCHEMA)
    same = rows_of(DAY, ["x", "y"]).sort_by([("tag_id", "descending")])
    assert tables.overwrite_if_changed(path, same, SCHEMA).delta_version == first.delta_version
    assert (
        tables.overwrite_if_changed(path, rows_of(DAY, ["x", "x"]), SCHEMA).delta_version
        > first.delta_version
    )
    wider = SCHEMA.append(pa.field("unit", pa.string()))
    rows = rows_of(DAY, ["x", "x"]).append_column("unit", pa.nulls(2, pa.string()))
    tables.overwrite_if_changed(path, rows, wider)
    assert tables.column_names(path) == wider.names


def test_other_readers_of_delta_see_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    append(path, rows_of(DAY, ["x", "y"]), 1)
    append(path, rows_of(DAY, ["z"]), 2)
    tables.replace_partition(
        path, rows_of(DAY, ["z", "w"], value=2.5), SCHEMA, column="plant_date", value=DAY
    )
    ours = sorted(map(str, tables.read(path).to_pylist()))
    order = SCHEMA.names
    by_polars = pl.scan_delta(str(path)).select(order).collect().to_arrow().cast(SCHEMA)
    with duckdb.connect() as connection:
        load_delta(connection)
        connection.execute("set timezone = 'UTC'")
        by_duckdb = connection.execute(
            f"select {', '.join(order)} from delta_scan('{path}')"
        ).to_arrow_table()
    assert sorted(map(str, by_polars.to_pylist())) == ours
    assert sorted(map(str, by_duckdb.cast(SCHEMA).to_pylist())) == ours
