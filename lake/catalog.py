"""`lake.duckdb`: a file of views that analysts open read-only, rebuilt beside and renamed over.

Views of marts, regulatory and ops tables read published Parquet and need nothing but DuckDB. Views of raw
tables read Delta: load the delta extension first (`chemlink sql` does). Paths are absolute, because DuckDB
resolves relative ones against the reader's directory; after moving a site, rebuild.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from lake import tables
from lake.delta_extension import load_delta
from lake.errors import LakeError, LeaseHeldError
from lake.layout import LakePaths
from lake.leases import hold_lease
from lake.published import refresh_published
from lake.table_macros import TableMacro, create_macros

_PUBLISHED_LAYERS = ("marts", "regulatory", "ops")
_POINT_COLUMNS = {"tag_id", "source_at_utc", "source_at_100ns"}


@dataclass(frozen=True)
class Description:
    """What an analyst reads about a table.

    Attributes:
        text: Chinese and English in one.
        columns: the same for its columns, by name.
    """

    text: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CatalogReport:
    """The views of a rebuilt catalogue, as `schema.name`."""

    path: Path
    views: tuple[str, ...]


def rebuild(
    lake: LakePaths,
    descriptions: Mapping[str, Description] | None = None,
    macros: Sequence[TableMacro] = (),
) -> CatalogReport:
    """Make `lake.duckdb` anew from the tables that exist; whoever has the old one open keeps it.

    Args:
        lake: the paths.
        descriptions: by table name; a table or column not named gets no comment.
        macros: queries with a parameter, made where the views they read are there.
    """
    beside = lake.catalog.with_name(f"{lake.catalog.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    views: list[str] = []
    with duckdb.connect(str(beside)) as connection:
        load_delta(connection)
        for layer in ("raw", *_PUBLISHED_LAYERS):
            connection.execute(f"create schema {layer}")
            for table in lake.tables(layer):
                views += _create_views(connection, lake, layer, table)
                _comment(connection, f"{layer}.{table}", (descriptions or {}).get(table))
        create_macros(connection, macros, views)
    beside.replace(lake.catalog)
    return CatalogReport(lake.catalog, tuple(views))


def query(catalog: Path, sql: str) -> pa.Table:
    """The answer to one query over the catalogue, which is not changed.

    Raises:
        LakeError: there is no catalogue, or DuckDB refuses the query; the message is DuckDB's.
    """
    if not catalog.exists():
        msg = f"asking {catalog.name}: found no such file; run `chemlink catalog rebuild`"
        raise LakeError(msg)
    with duckdb.connect(str(catalog), read_only=True) as connection:
        load_delta(connection)
        try:
            return connection.execute(sql).to_arrow_table()
        except duckdb.Error as error:
            msg = f"asking {catalog.name}: {error}\nCorrect the query; `show all tables` lists what there is."
            raise LakeError(msg) from error


def _create_views(
    connection: duckdb.DuckDBPyConnection, lake: LakePaths, layer: str, table: str
) -> list[str]:
    """The view of a table, and of the latest values where it holds points."""
    name = f"{layer}.{table}"
    if layer in _PUBLISHED_LAYERS:
        _ensure_published(lake, layer, table)
        files = _quoted(lake.published(table).absolute() / "*.parquet")
        connection.execute(f"create view {name} as from read_parquet({files}, hive_partitioning = false)")
        return [name]
    path = lake.table(layer, table)
    connection.execute(f"create view {name} as from delta_scan({_quoted(path.absolute())})")
    if not _POINT_COLUMNS.issubset(tables.column_names(path)):
        return [name]
    newest_first = "partition by tag_id order by source_at_utc desc, source_at_100ns desc"
    connection.execute(
        f"create view {name}__latest as select * exclude (_newest) from ("  # noqa: S608 - a checked name
        f"select *, row_number() over ({newest_first}) as _newest from {name}) where _newest = 1"
    )
    return [name, f"{name}__latest"]


def _ensure_published(lake: LakePaths, layer: str, table: str) -> None:
    """Publish the newest version, unless a publication is under way, which will."""
    try:
        with hold_lease(lake.leases, f"publish.{table}"):
            refresh_published(lake, layer, table)
    except LeaseHeldError:
        if not lake.published(table).exists():
            raise


def _comment(connection: duckdb.DuckDBPyConnection, view: str, description: Description | None) -> None:
    if description is None:
        return
    connection.execute(f"comment on view {view} is {_quoted(description.text)}")
    found = {row[0] for row in connection.execute(f"describe {view}").fetchall()}
    for column, text in description.columns.items():
        if column in found:
            connection.execute(f'comment on column {view}."{column}" is {_quoted(text)}')


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
