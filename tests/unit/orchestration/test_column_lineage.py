"""Column lineage from compiled SQL: followed through CTEs and stars, kept until the text changes."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg

from orchestration.column_lineage import ColumnLineage

STAGED = (
    "with t as (select * from delta_scan('/any/lake/raw/raw_a__b')) select id, value * 2 as doubled from t"
)
MART = 'with s as (select * from "build"."staging"."stg_b") select id, max(doubled) as top from s group by id'


def model(name: str, schema: str, sql: str, columns: list[str]) -> dict[str, object]:
    return {
        "unique_id": f"model.x.{name}",
        "resource_type": "model",
        "name": name,
        "schema": schema,
        "checksum": {"checksum": str(hash(sql))},
        "compiled_code": sql,
        "columns": {column: {} for column in columns},
    }


def write(folder: Path, *models: dict[str, object]) -> None:
    source = {
        "resource_type": "source",
        "name": "raw_a__b",
        "schema": "raw",
        "columns": {"id": {}, "value": {}},
    }
    manifest = {"nodes": {str(item["unique_id"]): item for item in models}, "sources": {"s": source}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def origins(found: dict[dg.AssetKey, dg.TableColumnLineage], key: list[str], column: str) -> list[str]:
    deps = found[dg.AssetKey(key)].deps_by_column[column]
    return [f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps]


def test_columns_are_followed_through_steps_stars_and_aggregates(tmp_path):
    stage = model("stg_b", "staging", STAGED, ["id", "doubled"])
    mart = model("fct_b", "marts", MART, ["id", "top"])
    write(tmp_path, stage, mart)
    found = ColumnLineage(tmp_path).of_models()
    assert origins(found, ["staging", "stg_b"], "doubled") == ["raw/raw_a__b.value"]
    assert origins(found, ["marts", "fct_b"], "top") == ["staging/stg_b.doubled"]


def test_a_model_that_was_not_compiled_this_time_keeps_its_lineage_until_its_text_changes(tmp_path):
    stage = model("stg_b", "staging", STAGED, ["id", "doubled"])
    write(tmp_path, stage)
    first = ColumnLineage(tmp_path).of_models()
    write(tmp_path, {**stage, "compiled_code": None})
    assert ColumnLineage(tmp_path).of_models() == first
    write(tmp_path, {**stage, "compiled_code": None, "checksum": {"checksum": "other"}})
    assert ColumnLineage(tmp_path).of_models() == {}


def test_sql_that_cannot_be_followed_has_no_lineage_and_stops_nothing(tmp_path):
    write(tmp_path, model("stg_b", "staging", "select from where ((", ["id"]))
    assert ColumnLineage(tmp_path).of_models() == {}
