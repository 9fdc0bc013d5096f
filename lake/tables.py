"""The only writer of Delta: append once, replace one partition, overwrite, read.

Every write casts to the declared Arrow schema first. delta-rs records an application transaction but does
not refuse its repeat (tried: the rows doubled), so `append` reads it before it writes; whoever may run twice
at the same time holds a lease (`lake.leases`) as well. Compaction and vacuum are in `lake.maintenance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from lake.comparison import same_rows
from lake.datasets import dataset_of
from lake.encodings import DEFAULT, Storage, writer_properties
from lake.errors import ConflictError, LakeError, PartitionError
from lake.evolution import evolve
from lake.partitions import partition_predicate, refuse_rows_outside
from lake.schemas import conform
from lake.table_creation import is_table, open_or_create, schema_mode_for

_APPEND_ATTEMPTS = 10
Filters = Sequence[tuple[str, str, Any]]


@dataclass(frozen=True)
class AppendReport:
    """What an append did; a repeat wrote nothing and names the version that stands."""

    delta_version: int
    rows: int
    was_repeat: bool


@dataclass(frozen=True)
class WriteReport:
    """What a replacement did."""

    delta_version: int
    rows: int


def exists(path: Path) -> bool:
    """Whether there is a Delta table at the path."""
    return is_table(path)


def version(path: Path) -> int | None:
    """The table's newest version, or nothing where there is no table."""
    return DeltaTable(path).version() if exists(path) else None


def column_names(path: Path) -> list[str]:
    """The names of a table's columns."""
    return [field.name for field in DeltaTable(path).schema().fields]


def count(path: Path) -> int:
    """How many rows the table's newest version holds, from its log alone."""
    return DeltaTable(path).count()


def transaction_version(path: Path, app_id: str) -> int | None:
    """The last version that this application committed, or nothing where it never did."""
    return DeltaTable(path).transaction_version(app_id) if exists(path) else None


def append(
    path: Path,
    table: pa.Table,
    schema: pa.Schema,
    *,
    app_id: str,
    version: int,
    partition_by: Sequence[str] = (),
    commit_metadata: Mapping[str, str] | None = None,
    storage: Storage = DEFAULT,
) -> AppendReport:
    """Append rows exactly once: the commit carries `version` of `app_id`, and a repeat writes nothing.

    Args:
        path: the table; made on the first append.
        table: the rows.
        schema: the declared schema.
        app_id: who writes, such as a stream.
        version: a number that grows with every append of this application.
        partition_by: partition columns, used when the table is made.
        commit_metadata: kept with the commit, such as a cursor.
        storage: sort order, encodings and retention.

    Raises:
        SchemaError: rows do not fit the schema, or the schema does not fit the stored table.
        ConflictError: other writers kept committing in between.
    """
    rows = _sorted(conform(table, schema, what=f"appending to {path.name}"), storage)
    commit = CommitProperties(
        custom_metadata={"app_id": app_id, **(commit_metadata or {})},
        app_transactions=[Transaction(app_id, version)],
    )
    for attempt in range(1, _APPEND_ATTEMPTS + 1):
        delta = evolve(open_or_create(path, schema, partition_by, storage), schema, storage)
        committed = delta.transaction_version(app_id)
        if committed is not None and version <= committed:
            return AppendReport(delta.version(), rows=0, was_repeat=True)
        try:
            _append_rows(delta, rows, schema, commit, storage)
        except CommitFailedError as error:
            # A compaction came between, or the same application: look again before writing again.
            if attempt == _APPEND_ATTEMPTS:
                what = f"appending {version} of {app_id} to {path.name}"
                raise _conflict(what, error) from error
        else:
            break
    return AppendReport(delta.version(), rows=rows.num_rows, was_repeat=False)


def replace_partition(
    path: Path,
    table: pa.Table,
    schema: pa.Schema,
    *,
    column: str,
    value: date | str,
    commit_metadata: Mapping[str, str] | None = None,
    storage: Storage = DEFAULT,
) -> WriteReport:
    """Make one partition hold exactly these rows, in one commit; no rows empties it.

    Args:
        path: the table, partitioned by `column`; made when it does not exist.
        table: the rows, all of this partition.
        schema: the declared schema.
        column: the partition column.
        value: the partition: a date, or ASCII text without a quote.
        commit_metadata: kept with the commit.
        storage: sort order, encodings and retention.

    Raises:
        PartitionError: a row lies outside the partition, or the value cannot name one.
        SchemaError: rows do not fit the schema, or the schema does not fit the stored table.
        ConflictError: another writer touched the partition meanwhile.
    """
    predicate = partition_predicate(column, value)
    rows = _sorted(conform(table, schema, what=f"replacing {predicate} of {path.name}"), storage)
    refuse_rows_outside(rows, column, value, what=path.name)
    delta = open_or_create(path, schema, [column], storage)
    if delta.metadata().partition_columns != [column]:
        msg = (
            f"replacing {predicate} of {path.name}: the table is partitioned by "
            f"{delta.metadata().partition_columns}, expected [{column!r}]; overwrite it as a whole"
        )
        raise PartitionError(msg)
    with _explained(f"replacing {predicate} of {path.name}"):
        write_deltalake(
            delta,
            rows,
            mode="overwrite",
            predicate=predicate,
            schema_mode=schema_mode_for(delta, schema),
            writer_properties=writer_properties(schema, storage),
            commit_properties=CommitProperties(custom_metadata=dict(commit_metadata or {})),
        )
    return WriteReport(delta.version(), rows.num_rows)


def overwrite(
    path: Path,
    table: pa.Table,
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    commit_metadata: Mapping[str, str] | None = None,
    storage: Storage = DEFAULT,
) -> WriteReport:
    """Make the whole table hold exactly these rows in exactly this schema, in one commit.

    Raises:
        SchemaError: rows do not fit the schema.
        ConflictError: another writer touched the table meanwhile.
    """
    rows = _sorted(conform(table, schema, what=f"overwriting {path.name}"), storage)
    delta = open_or_create(path, schema, partition_by, storage)
    with _explained(f"overwriting {path.name}"):
        write_deltalake(
            delta,
            rows,
            mode="overwrite",
            schema_mode="overwrite",
            partition_by=list(partition_by) or None,
            writer_properties=writer_properties(schema, storage),
            commit_properties=CommitProperties(custom_metadata=dict(commit_metadata or {})),
        )
    return WriteReport(delta.version(), rows.num_rows)


def overwrite_if_changed(
    path: Path, table: pa.Table, schema: pa.Schema, *, storage: Storage = DEFAULT
) -> WriteReport:
    """`overwrite`, unless the table holds exactly these rows in this schema: then no version is made.

    Raises:
        SchemaError: rows do not fit the schema.
        ConflictError: another writer touched the table meanwhile.
    """
    rows = conform(table, schema, what=f"overwriting {path.name}")
    if exists(path):
        stored = read(path)
        if stored.schema.equals(rows.schema) and same_rows(rows, stored):
            return WriteReport(DeltaTable(path).version(), rows.num_rows)
    return overwrite(path, rows, schema, storage=storage)


def read(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    filters: Filters | pc.Expression | None = None,
    version: int | None = None,
) -> pa.Table:
    """The rows of a table, now or as of a version.

    Args:
        path: the table.
        columns: only these, in this order.
        filters: `(column, operator, value)` that must all hold, or an Arrow expression.
        version: a Delta version; the newest by default.

    Raises:
        LakeError: there is no table at the path.
    """
    if not exists(path):
        msg = f"reading {path.name}: found no Delta table at {path}; run what writes it first"
        raise LakeError(msg)
    dataset = dataset_of(DeltaTable(path, version=version))
    expression = (
        pq.filters_to_expression(list(filters)) if isinstance(filters, Sequence) and filters else filters
    )
    return dataset.to_table(
        columns=list(columns) if columns is not None else None,
        filter=expression if isinstance(expression, pc.Expression) else None,
    )


def commit_metadata(path: Path) -> dict[str, Any]:
    """What the newest commit says about itself: operation, and what its writer kept with it."""
    return dict(DeltaTable(path).history(1)[0])


def _append_rows(
    delta: DeltaTable, rows: pa.Table, schema: pa.Schema, commit: CommitProperties, storage: Storage
) -> None:
    write_deltalake(
        delta,
        rows,
        mode="append",
        schema_mode=schema_mode_for(delta, schema),
        writer_properties=writer_properties(schema, storage),
        commit_properties=commit,
    )


def _sorted(table: pa.Table, storage: Storage) -> pa.Table:
    if not storage.sort_by:
        return table
    return table.sort_by([(name, "ascending") for name in storage.sort_by])


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Names the act in a commit conflict, and makes it an error that says trying again helps."""
    try:
        yield
    except CommitFailedError as error:
        raise _conflict(what, error) from error


def _conflict(what: str, error: CommitFailedError) -> ConflictError:
    return ConflictError(f"{what}: another writer committed meanwhile ({error}); read again and repeat")
