"""The catalogue: anybody with the DuckDB program and no network can open it while everything else writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import duckdb_cli
import pyarrow as pa
import pytest

from lake import tables
from lake.catalog import Description, query, rebuild
from lake.delta_extension import extension_path
from lake.encodings import POINTS
from lake.errors import LakeError
from lake.layout import LakePaths
from lake.publication import publish

DAY = date(2026, 11, 16)
POINT_SCHEMA = pa.schema(
    [
        pa.field("tag_id", pa.string(), nullable=False),
        pa.field("source_at_utc", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source_at_100ns", pa.int8(), nullable=False),
        pa.field("value_number", pa.float64()),
    ]
)


@pytest.fixture
def lake(tmp_path: Path) -> LakePaths:
    """One mart, one ops table and one points table."""
    lake = LakePaths(tmp_path / "var")
    lake.root.mkdir()
    with duckdb.connect(str(lake.build_db)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            f"create table marts.fct_x as select date '{DAY}' as plant_date, 'DA001' as outlet_id"
        )
    publish(lake.build_db, lake, "fct_x", "marts", "plant_date")
    ops = pa.table({"stream": ["a.points"], "rows_total": [2]})
    tables.overwrite(lake.table("ops", "ops_streams"), ops, ops.schema)
    at = datetime(2026, 11, 16, tzinfo=UTC)
    points = pa.table(
        {
            "tag_id": ["x", "x"],
            "source_at_utc": [at, at],
            "source_at_100ns": [1, 2],
            "value_number": [1.0, 2.0],
        },
        schema=POINT_SCHEMA,
    )
    path = lake.table("raw", "raw_a__points")
    tables.append(path, points, POINT_SCHEMA, app_id="a.points", version=1, storage=POINTS)
    return lake


def ask_by_program(lake: LakePaths, sql: str, tmp_path: Path) -> list[dict[str, object]]:
    """What the DuckDB program answers, started elsewhere, with an empty home and without network."""
    program = Path(duckdb_cli.__file__).parent / "duckdb"
    nowhere = tmp_path / "elsewhere"
    nowhere.mkdir(exist_ok=True)
    unshare = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
    answer = subprocess.run(
        [*unshare, str(program), "-readonly", "-json", str(lake.catalog.absolute()), "-c", sql],
        cwd=nowhere,
        env={"HOME": str(nowhere)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


def test_the_duckdb_program_reads_marts_and_ops_without_network_or_extension(
    lake: LakePaths, tmp_path: Path
) -> None:
    report = rebuild(lake)
    assert report.views == (
        "raw.raw_a__points",
        "raw.raw_a__points__latest",
        "marts.fct_x",
        "ops.ops_streams",
    )
    assert ask_by_program(lake, "select * from marts.fct_x", tmp_path) == [
        {"plant_date": "2026-11-16", "outlet_id": "DA001"}
    ]
    assert ask_by_program(lake, "select rows_total from ops.ops_streams", tmp_path) == [{"rows_total": 2}]


def test_the_duckdb_program_reads_raw_once_the_extension_is_loaded(lake: LakePaths, tmp_path: Path) -> None:
    rebuild(lake)
    sql = f"load '{extension_path()}'; select value_number from raw.raw_a__points__latest"
    assert ask_by_program(lake, sql, tmp_path) == [{"value_number": 2.0}]


def test_a_view_shows_the_next_publication_without_a_rebuild(lake: LakePaths) -> None:
    rebuild(lake)
    with duckdb.connect(str(lake.build_db)) as connection:
        connection.execute("update marts.fct_x set outlet_id = 'DA002'")
    publish(lake.build_db, lake, "fct_x", "marts", "plant_date")
    assert query(lake.catalog, "select outlet_id from marts.fct_x").to_pylist() == [{"outlet_id": "DA002"}]


def test_a_reader_keeps_the_old_file_while_a_new_one_takes_its_place(lake: LakePaths) -> None:
    rebuild(lake)
    with duckdb.connect(str(lake.catalog), read_only=True) as reader:
        shutil.copytree(lake.table("ops", "ops_streams"), lake.table("ops", "ops_gaps"))
        rebuild(lake)
        assert reader.execute("select count(*) from marts.fct_x").fetchone() == (1,)
    assert query(lake.catalog, "select count(*) as n from ops.ops_gaps").to_pylist() == [{"n": 1}]
    assert [entry.name for entry in lake.root.glob("lake.duckdb*")] == ["lake.duckdb"]


def test_descriptions_are_comments_on_views_and_columns(lake: LakePaths) -> None:
    about = Description("小时均值 Hourly means", {"outlet_id": "排口 Outlet's id", "gone": "never"})
    rebuild(lake, {"fct_x": about})
    found = query(lake.catalog, "select comment from duckdb_views() where view_name = 'fct_x'").to_pylist()
    columns = "select comment from duckdb_columns() where table_name = 'fct_x' and column_name = 'outlet_id'"
    assert found == [{"comment": "小时均值 Hourly means"}]
    assert query(lake.catalog, columns).to_pylist() == [{"comment": "排口 Outlet's id"}]


def test_a_query_cannot_change_the_catalogue_and_a_wrong_one_says_why(lake: LakePaths) -> None:
    with pytest.raises(LakeError, match="run `chemlink catalog rebuild`"):
        query(lake.catalog, "select 1")
    rebuild(lake)
    with pytest.raises(LakeError, match="read-only"):
        query(lake.catalog, "drop view marts.fct_x")
    with pytest.raises(LakeError, match="fct_unknown"):
        query(lake.catalog, "select * from marts.fct_unknown")
