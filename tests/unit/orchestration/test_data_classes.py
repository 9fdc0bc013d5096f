"""Columns of models inherit category and grade; each role's catalogue shows, masks or omits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from contracts.access import DataClass, Role, Treatment
from contracts.arrow import raw_schema
from contracts.loading import load_contract
from contracts.model import Contract
from ingestion.registry import PRODUCT_SYSTEMS
from lake import tables
from lake.delta_extension import load_delta
from lake.layout import LakePaths
from lake.published import refresh_published
from lake.reader_catalog import columns_of, rebuild_reader
from orchestration.data_classes import classes_of, treatments

RAW, MART = "raw_wms_main__shipments", "fct_trip"
GENERAL, PERSON = DataClass("管理", "一般"), DataClass("管理", "一般", True)


@pytest.fixture(scope="module")
def shipments() -> Contract:
    found = load_contract(PRODUCT_SYSTEMS / "wms_main" / "shipments.odcs.yaml")
    columns = tuple(
        replace(column, grade={"destination_name": "重要"}.get(column.name, "一般"))
        for column in found.columns
    )
    return replace(found, columns=columns)


def node(name: str, layer: str, parents: list[str], columns: list[str]) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "name": name,
        "schema": layer,
        "columns": {column: {} for column in columns},
        "depends_on": {"nodes": parents},
    }


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    models = {
        "model.z": node("stg_trips", "staging", ["source.raw"], ["trip_id", "driver", "rows"]),
        "model.a": node(MART, "marts", ["model.z"], ["trip_id", "driver", "unfollowed"]),
    }
    return {"nodes": models, "sources": {"source.raw": {"name": RAW, "resource_type": "source"}}}


LINEAGE = {
    ("staging", "stg_trips"): {
        "trip_id": [("raw", RAW, "shipment_id")],
        "driver": [("raw", RAW, "driver_name"), ("raw", RAW, "shipment_id")],
        "rows": [],
    },
    ("marts", MART): {
        "trip_id": [("staging", "stg_trips", "trip_id")],
        "driver": [("staging", "stg_trips", "driver")],
    },
}


def test_a_column_of_a_model_is_what_its_sources_are(shipments: Contract, manifest: dict[str, Any]) -> None:
    found = classes_of([shipments], manifest, LINEAGE)
    assert found[RAW]["driver_name"] == {PERSON}
    assert found[RAW]["_row_key"] == {GENERAL}, "the text of the key is graded like the key"
    assert found[RAW]["_run_id" if "_run_id" in found[RAW] else "_op"] == set()
    assert found[MART]["trip_id"] == {GENERAL}
    assert found[MART]["driver"] == {GENERAL, PERSON}
    assert found["stg_trips"]["rows"] == set(), "a count comes from no column"


def test_a_column_whose_sql_cannot_be_followed_is_as_strict_as_all_its_parents(
    shipments: Contract, manifest: dict[str, Any]
) -> None:
    assert classes_of([shipments], manifest, LINEAGE)[MART]["unfollowed"] == {GENERAL, PERSON}
    without = classes_of([shipments], manifest, {})
    assert PERSON in without["stg_trips"]["rows"]


@pytest.fixture
def lake(tmp_path: Path, shipments: Contract) -> LakePaths:
    lake = LakePaths(tmp_path)
    schema = pa.schema([field.with_nullable(True) for field in raw_schema(shipments)])
    row = {field.name: None for field in schema} | {"shipment_id": "S1", "driver_name": "张三"}
    tables.overwrite(lake.table("raw", RAW), pa.Table.from_pylist([row], schema=schema), schema)
    mart = pa.table({"trip_id": ["S1"], "driver": ["张三"], "unfollowed": [1.5]})
    tables.overwrite(lake.table("marts", MART), mart, mart.schema)
    refresh_published(lake, "marts", MART)
    other = pa.table({"host": ["x"]})
    tables.overwrite(lake.table("ops", "ops_hosts"), other, other.schema)
    refresh_published(lake, "ops", "ops_hosts")
    return lake


def reader(
    lake: LakePaths, shipments: Contract, manifest: dict[str, Any], **values: Any
) -> duckdb.DuckDBPyConnection:
    words = {"role_id": "r", "label_zh": "角色", "label_en": "Role", "personal": "mask"}
    role = Role.model_validate({**words, "sees": {"管理": "一般"}, **values})
    policy = treatments(classes_of([shipments], manifest, LINEAGE), role, columns_of(lake))
    connection = duckdb.connect(str(rebuild_reader(lake, role.role_id, policy)), read_only=True)
    load_delta(connection)
    return connection


def test_a_reader_sees_names_masked_and_unclassified_tables_not_at_all(
    lake: LakePaths, shipments: Contract, manifest: dict[str, Any]
) -> None:
    with reader(lake, shipments, manifest) as connection:
        row = connection.execute(f"select * from marts.{MART}").fetchall()
        assert row == [("S1", "***", None)]
        names = [found[0] for found in connection.execute(f"describe raw.{RAW}").fetchall()]
        assert connection.execute(f"select shipment_id, driver_name from raw.{RAW}").fetchall() == [
            ("S1", "***")
        ]
        kinds = {found[0]: found[1] for found in connection.execute(f"describe marts.{MART}").fetchall()}
        views = {
            found[0]
            for found in connection.execute(
                "select view_name from duckdb_views() where not internal"
            ).fetchall()
        }
    assert "driver_name" in names
    assert kinds["unfollowed"] == "DOUBLE", "masked values keep their type"
    assert views == {RAW, MART}


def test_hidden_columns_and_tables_are_not_even_named(
    lake: LakePaths, shipments: Contract, manifest: dict[str, Any]
) -> None:
    with reader(lake, shipments, manifest, personal="hide") as connection:
        names = [found[0] for found in connection.execute(f"describe marts.{MART}").fetchall()]
    assert names == ["trip_id"]
    with reader(lake, shipments, manifest, role_id="other", sees={"研发": "核心"}) as connection:
        views = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
        found = {row[0] for row in views}
    assert MART not in found


def test_who_sees_all_sees_what_nobody_classified(
    lake: LakePaths, shipments: Contract, manifest: dict[str, Any]
) -> None:
    sees = {"管理": "核心"}
    with reader(lake, shipments, manifest, sees=sees, personal="show") as connection:
        assert connection.execute("select host from ops.ops_hosts").fetchall() == [("x",)]
        assert connection.execute(f"select driver from marts.{MART}").fetchall() == [("张三",)]


def test_treatments_are_ordered_by_strictness() -> None:
    assert list(Treatment) == sorted(Treatment)
