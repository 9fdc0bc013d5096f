"""Which column comes from which: read from the SQL that dbt compiled, kept until a model's text changes.

dagster-dbt's own way opens the build database in this process, which the publication must have to itself. SQL
that the parser cannot follow has no lineage and is built all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.dbt_translator import layer_of

_SOURCE = re.compile(r"delta_scan\('[^']*/(raw)/(\w+)'\)")  # what a source's external_location becomes
Lineage = dict[str, list[tuple[str, str, str]]]  # column → (layer, table, column) it is made from


class ColumnLineage:
    """The lineage of every model that dbt has compiled at this site.

    Args:
        target: dbt's target folder, where the compiled manifest lies and the result is kept.
    """

    def __init__(self, target: Path) -> None:
        self._kept_in = target / "column_lineage.json"
        self._compiled = target / "manifest.json"

    def of_models(self) -> dict[dg.AssetKey, dg.TableColumnLineage]:
        """The lineage of each model as Dagster shows it, by the model's asset."""
        return {dg.AssetKey(key): _as_dagster(columns) for key, columns in self.of_columns().items()}

    def of_columns(self) -> dict[tuple[str, str], Lineage]:
        """The lineage of each model by layer and name; computed anew only for models whose text changed."""
        kept = json.loads(self._kept_in.read_text(encoding="utf-8")) if self._kept_in.is_file() else {}
        manifest = json.loads(self._compiled.read_text(encoding="utf-8"))
        schema = _schema(manifest)
        found = {}
        for node in _models(manifest):
            before = kept.get(node["unique_id"])
            if before is not None and before["checksum"] == node["checksum"]["checksum"]:
                found[node["unique_id"]] = before
            elif node.get("compiled_code"):
                lineage = _lineage(node, schema)
                found[node["unique_id"]] = {"checksum": node["checksum"]["checksum"], "columns": lineage}
        if found != kept:
            self._kept_in.write_text(json.dumps(found), encoding="utf-8")
        keys = {node["unique_id"]: (layer_of(node), node["name"]) for node in _models(manifest)}
        return {keys[name]: entry["columns"] for name, entry in found.items() if entry["columns"]}


def _models(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return (node for node in manifest["nodes"].values() if node["resource_type"] == "model")


def _schema(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of every table that SQL may name, by layer and table, so that `select *` is followed."""
    schema: dict[str, Any] = {}
    for node in (*manifest["nodes"].values(), *manifest["sources"].values()):
        if node["resource_type"] in {"model", "seed", "source"}:
            columns = {name: column.get("data_type") or "text" for name, column in node["columns"].items()}
            schema.setdefault(layer_of(node), {})[node["name"]] = columns
    return schema


def _lineage(node: Mapping[str, Any], schema: dict[str, Any]) -> Lineage:
    """Columns of one model and what they are made from; nothing where the SQL cannot be followed."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage
    from sqlglot.optimizer import build_scope
    from sqlglot.optimizer.qualify import qualify

    sql = _SOURCE.sub(r'"\1"."\2"', node["compiled_code"])
    try:
        tree = parse_one(sql, dialect="duckdb")
        for table in tree.find_all(exp.Table):
            table.set("catalog", None)  # the build database's own name, which the schema leaves out
        tree = qualify(tree, schema=schema, dialect="duckdb", validate_qualify_columns=False)
        scope = build_scope(tree)
        return {
            name: _origins(lineage(name, tree, schema=schema, dialect="duckdb", scope=scope))
            for name in node["columns"]
        }
    except (SqlglotError, ValueError):  # ValueError: a column that the SQL does not give
        return {}


def _origins(column: Any) -> list[tuple[str, str, str]]:
    """The table columns at the leaves of one column's lineage."""
    from sqlglot import exp

    found = {
        (leaf.source.db, leaf.source.name, leaf.name.rpartition(".")[2].strip('"'))
        for leaf in column.walk()
        if isinstance(leaf.source, exp.Table) and leaf.source.db
    }
    return sorted(found)


def _as_dagster(columns: Lineage) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey([layer, table]), column) for layer, table, column in origins]
            for name, origins in columns.items()
            if origins
        }
    )
