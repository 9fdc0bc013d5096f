"""Category and grade of every column of the lake: of raw tables by contract, of models by origin.

A column of a model has the classes of all raw columns it is made from. Where the SQL cannot be followed, it
has those of every column that the model's parents have: too strict rather than too lax. Tables that nobody
classified are not listed at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.access import DataClass, Role, Treatment, class_of
from contracts.model import Contract
from orchestration.column_lineage import Lineage
from orchestration.dbt_translator import layer_of

Classes = frozenset[DataClass]
TableClasses = dict[str, dict[str, Classes]]  # table → column → classes
_KEY_TEXT = "_row_key"


def classes_of(
    contracts: Iterable[Contract],
    manifest: Mapping[str, Any],
    lineage: Mapping[tuple[str, str], Lineage],
) -> TableClasses:
    """The classes of every column of every raw table and model, by table name."""
    found = {contract.name: _of_contract(contract) for contract in contracts}
    nodes = {**manifest["nodes"], **manifest["sources"]}
    for node in _parents_first(manifest):
        columns = lineage.get((layer_of(node), node["name"]))
        parents = [nodes[name]["name"] for name in node["depends_on"]["nodes"] if name in nodes]
        everything = frozenset(
            entry for parent in parents for classes in found.get(parent, {}).values() for entry in classes
        )
        found[node["name"]] = {
            name: _inherited(columns[name], found) if columns and name in columns else everything
            for name in node["columns"]
        }
    return found


def treatments(
    classes: TableClasses, role: Role, tables: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, Treatment]]:
    """What a role gets of every column of these tables.

    A table that nobody classified is for roles from which nothing classified is kept, and for no other.
    """
    sees_all = all(
        role.treatment([entry]) is Treatment.SHOW
        for columns in classes.values()
        for c in columns.values()
        for entry in c
    )
    return {
        table: {column: _treatment(classes.get(table), column, role, sees_all=sees_all) for column in columns}
        for table, columns in tables.items()
    }


def _treatment(known: Mapping[str, Classes] | None, column: str, role: Role, *, sees_all: bool) -> Treatment:
    if known is None or column not in known:
        return Treatment.SHOW if sees_all else Treatment.HIDE
    return role.treatment(known[column])


def _of_contract(contract: Contract) -> dict[str, Classes]:
    """Declared columns by their class; of the bookkeeping, the row's key repeats the key columns."""
    from contracts.arrow import bookkeeping

    columns = {column.name: frozenset({class_of(column)}) for column in contract.columns}
    keys = frozenset(entry for name in contract.primary_key for entry in columns[name])
    own = {field.name: keys if field.name == _KEY_TEXT else frozenset() for field in bookkeeping(contract)}
    return {**own, **columns}


def _inherited(origins: Iterable[tuple[str, str, str]], known: TableClasses) -> Classes:
    return frozenset(
        entry for _, table, column in origins for entry in known.get(table, {}).get(column, frozenset())
    )


def _parents_first(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Models in an order in which each comes after those it reads."""
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    ordered: dict[str, dict[str, Any]] = {}

    def visit(name: str) -> None:
        if name in ordered or name not in models:
            return
        for parent in models[name]["depends_on"]["nodes"]:
            visit(parent)
        ordered[name] = models[name]

    for name in sorted(models):
        visit(name)
    return list(ordered.values())
