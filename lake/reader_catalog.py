"""One file of views for each kind of reader: every column is shown, masked or left out, as the role may.

`readers/<role>.duckdb` reads the same files as `lake.duckdb`. A view keeps nobody from a file that the
operating system lets them open: where that matters, serve the role's file (DuckDB's `quack`), so that the
server alone opens the files below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from contracts.access import Treatment
from lake import tables
from lake.delta_extension import load_delta
from lake.layout import LakePaths
from lake.table_macros import TableMacro, create_macros

Policy = Mapping[str, Mapping[str, Treatment]]  # table → column → what the reader gets of it
LAYERS = ("raw", "marts", "regulatory", "ops")
MASK = "***"


def columns_of(lake: LakePaths) -> dict[str, list[str]]:
    """The columns of every table that exists, by table name."""
    return {
        name: tables.column_names(lake.table(layer, name)) for layer in LAYERS for name in lake.tables(layer)
    }


def rebuild_reader(lake: LakePaths, role_id: str, policy: Policy, macros: Sequence[TableMacro] = ()) -> Path:
    """Make the role's catalogue anew; a table of which nothing may be seen has no view, nor is it named.

    Args:
        lake: the paths.
        role_id: names the file.
        policy: what becomes of every column; a table or column that it does not name is left out.
        macros: queries with a parameter, made where the role has the views they read.

    Returns:
        The file, switched into place as a whole.
    """
    target = lake.root / "readers" / f"{role_id}.duckdb"
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    views: list[str] = []
    with duckdb.connect(str(beside)) as connection:
        load_delta(connection)
        for layer in LAYERS:
            connection.execute(f"create schema {layer}")
            for table in lake.tables(layer):
                if _create_view(connection, lake, layer, table, policy.get(table, {})):
                    views.append(f"{layer}.{table}")
        create_macros(connection, macros, views)
    beside.replace(target)
    return target


def _create_view(
    connection: duckdb.DuckDBPyConnection,
    lake: LakePaths,
    layer: str,
    table: str,
    policy: Mapping[str, Treatment],
) -> bool:
    """Whether the role sees anything of the table."""
    if layer == "raw":
        source = f"delta_scan({_quoted(lake.table(layer, table).absolute())})"
    elif lake.published(table).exists():
        files = _quoted(lake.published(table).absolute() / "*.parquet")
        source = f"read_parquet({files}, hive_partitioning = false)"
    else:
        return False
    described = connection.execute(f"describe select * from {source}").fetchall()  # noqa: S608 - quoted
    chosen = [
        shown
        for name, kind, *_ in described
        if (shown := _selected(str(name), str(kind), policy.get(str(name), Treatment.HIDE)))
    ]
    if chosen:
        names = ", ".join(chosen)
        connection.execute(f"create view {layer}.{table} as select {names} from {source}")  # noqa: S608
    return bool(chosen)


def _selected(name: str, kind: str, treatment: Treatment) -> str | None:
    """The column as the reader gets it; masked text stays text, every other masked value is empty."""
    column = '"' + name.replace('"', '""') + '"'
    if treatment is Treatment.HIDE:
        return None
    if treatment is Treatment.SHOW:
        return column
    if kind == "VARCHAR":
        return f"case when {column} is not null then '{MASK}' end as {column}"
    return f"cast(null as {kind}) as {column}"


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
