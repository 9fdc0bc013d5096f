"""From dbt's private database to the lake: Delta is the record, published Parquet its newest version.

Only partitions whose rows changed are written, so that a Delta version means that something changed, and time
travel to the version a submission names gives the rows it was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lake import tables
from lake.comparison import same_rows
from lake.encodings import DEFAULT, RECORD, Storage
from lake.errors import LakeError, SchemaError
from lake.layout import LakePaths
from lake.leases import hold_lease
from lake.published import refresh_published
from lake.schemas import conform, storable


@dataclass(frozen=True)
class PublishReport:
    """What a publication did to one table.

    Attributes:
        table: its name.
        layer: its layer.
        delta_version: the table's version now.
        rows: rows looked at.
        changed: partition values rewritten (`all` where the table is not partitioned).
        unchanged: how many partitions held these rows already.
        folder: the published directory of this version.
    """

    table: str
    layer: str
    delta_version: int
    rows: int
    changed: tuple[str, ...]
    unchanged: int
    folder: Path


def publish(
    build_db: Path,
    lake: LakePaths,
    table: str,
    layer: str,
    partition_column: str | None = None,
    partition_values: Sequence[date] | None = None,
) -> PublishReport:
    """Bring one mart from the build database to the lake. dbt must have finished.

    Args:
        build_db: dbt's database file; opened read-only, so it must not be open for writing.
        lake: where to.
        table: the table, in the schema named like the layer.
        layer: `marts`, `regulatory` or `ops`.
        partition_column: `plant_date` where the table has it; none replaces the table as a whole.
        partition_values: the partitions that were built; none takes every one the build database holds. A
            partition named here without rows is emptied; one not named is left as it is, because the build
            database may have been made anew with part of the history.

    Raises:
        LakeError: the build database has no such table.
        SchemaError: the table's columns changed and the build database does not hold every stored partition.
        LeaseHeldError: another process publishes this table.
    """
    with hold_lease(lake.leases, f"publish.{table}"):
        rows = _built_rows(build_db, layer, table, partition_column, partition_values)
        path = lake.table(layer, table)
        since = tables.version(path)
        rewrite = partition_column is None or _schema_changed(path, rows.schema)
        if rewrite and partition_column is not None:
            rows = _built_rows(build_db, layer, table, partition_column, None)
        if rewrite:
            changed, unchanged = _publish_whole(path, rows, partition_column)
        else:
            changed, unchanged = _publish_partitions(path, rows, str(partition_column), partition_values)
        folder = refresh_published(lake, layer, table, changed=None if rewrite else changed, since=since)
        return PublishReport(
            table, layer, DeltaTable(path).version(), rows.num_rows, tuple(changed), unchanged, folder
        )


def _built_rows(
    build_db: Path, layer: str, table: str, column: str | None, values: Sequence[date] | None
) -> pa.Table:
    with duckdb.connect(str(build_db), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        try:
            relation = connection.table(f'"{layer}"."{table}"')
        except duckdb.CatalogException as error:
            msg = f"publishing {layer}.{table}: found no such table in {build_db.name}; run dbt build first"
            raise LakeError(msg) from error
        if column is not None and values is not None:
            named = ", ".join(f"date '{value.isoformat()}'" for value in values)
            relation = relation.filter(f'"{column}" in ({named})' if named else "false")
        rows = relation.to_arrow_table()
    return _as_storable(rows, what=f"publishing {layer}.{table}")


def _as_storable(rows: pa.Table, *, what: str) -> pa.Table:
    schema = storable(rows.schema)
    for index, field in enumerate(schema):
        found = rows.schema.field(index).type
        if pa.types.is_timestamp(found) and found.tz is None and field.type.tz is not None:
            rows = rows.set_column(index, field, pc.assume_timezone(rows.column(index), "UTC"))
    return conform(rows, schema, what=what)


def _schema_changed(path: Path, schema: pa.Schema) -> bool:
    if not tables.exists(path):
        return False
    stored = pa.schema(DeltaTable(path).schema().to_arrow())
    return {field.name: field.type for field in stored} != {field.name: field.type for field in schema}


def _publish_whole(path: Path, rows: pa.Table, partition_column: str | None) -> tuple[list[str], int]:
    """Replace the table, unless it holds exactly these rows."""
    if tables.exists(path):
        if partition_column is not None:
            _refuse_lost_partitions(path, rows, partition_column)
        elif not _schema_changed(path, rows.schema) and same_rows(rows, tables.read(path)):
            return [], 1
    partition_by = [partition_column] if partition_column else []
    tables.overwrite(path, rows, rows.schema, partition_by=partition_by, storage=_storage(path))
    return ["all"], 0


def _refuse_lost_partitions(path: Path, rows: pa.Table, column: str) -> None:
    stored = set(tables.read(path, columns=[column]).column(0).unique().to_pylist())
    lost = sorted(stored - set(rows.column(column).unique().to_pylist()))
    if lost:
        what = f"publishing {path.name} with changed columns"
        problem = (
            f"{column} (the build database lacks {len(lost)} stored partitions, from {lost[0]}; run dbt "
            "build --full-refresh, then publish again)"
        )
        raise SchemaError(what, [problem])


def _publish_partitions(
    path: Path, rows: pa.Table, column: str, values: Sequence[date] | None
) -> tuple[list[str], int]:
    """Replace the partitions whose rows changed; says which, and how many did not."""
    wanted = sorted(set(rows.column(column).unique().to_pylist() if values is None else values))
    if not tables.exists(path):
        tables.overwrite(path, rows.slice(0, 0), rows.schema, partition_by=[column], storage=_storage(path))
    changed = []
    for value in wanted:
        new = rows.filter(pc.equal(rows.column(column), pa.scalar(value, rows.schema.field(column).type)))
        if same_rows(new, tables.read(path, filters=[(column, "=", value)])):
            continue
        tables.replace_partition(path, new, rows.schema, column=column, value=value, storage=_storage(path))
        changed.append(value.isoformat())
    return changed, len(wanted) - len(changed)


def _storage(path: Path) -> Storage:
    """Regulatory tables are kept as long as a submission made from them can be asked for."""
    return RECORD if path.parent.name == "regulatory" else DEFAULT
