"""Appending rows as they come, in one commit and in bounded memory, where a table does not fit at once.

The commit is the last thing that happens: whoever makes the batches may judge them to the very end, and
what it raises leaves the table as it was. Files of a failed append are part of no version and go with the
next vacuum. Not supported: repeating a commit that met another writer, because the batches are gone by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from lake.encodings import DEFAULT, Storage, writer_properties
from lake.errors import ConflictError
from lake.schemas import conform
from lake.table_creation import open_or_create, schema_mode_for
from lake.tables import AppendReport


def append_batches(
    path: Path,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    app_id: str,
    version: int,
    partition_by: Sequence[str] = (),
    commit_metadata: Mapping[str, str] | None = None,
    storage: Storage = DEFAULT,
) -> AppendReport:
    """Append batches exactly once: the commit carries `version` of `app_id`, and a repeat reads none of them.

    Args:
        path: the table; made when it does not exist.
        batches: the rows; what their maker raises is raised here, and nothing is committed.
        schema: the declared schema.
        app_id: who writes.
        version: a number that grows with every append of this application.
        partition_by: partition columns, used when the table is made.
        commit_metadata: kept with the commit, such as a cursor.
        storage: encodings and retention; a table that must be sorted is not appended in batches.

    Raises:
        SchemaError: rows do not fit the schema, or the schema does not fit the stored table.
        ConflictError: another writer committed in between.
    """
    delta = open_or_create(path, schema, partition_by, storage)
    committed = delta.transaction_version(app_id)
    if committed is not None and version <= committed:
        return AppendReport(delta.version(), rows=0, was_repeat=True)
    passing = _Passing(batches, schema, path.name)
    try:
        write_deltalake(
            delta,
            pa.RecordBatchReader.from_batches(schema, passing),
            mode="append",
            schema_mode=schema_mode_for(delta, schema),
            writer_properties=writer_properties(schema, storage),
            commit_properties=CommitProperties(
                custom_metadata={"app_id": app_id, **(commit_metadata or {})},
                app_transactions=[Transaction(app_id, version)],
            ),
        )
    except CommitFailedError as error:
        msg = f"appending {version} of {app_id} to {path.name}: another writer committed ({error}); run again"
        raise ConflictError(msg) from error
    except BaseException:
        if passing.failure is not None:
            # What the maker of the batches raised comes back from the writer as a message without its type.
            raise passing.failure  # noqa: B904
        raise
    return AppendReport(delta.version(), rows=passing.rows, was_repeat=False)


class _Passing:
    """The batches in the declared schema, counted; remembers why there will be no more."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, name: str) -> None:
        self.rows = 0
        self.failure: BaseException | None = None
        self._batches = batches
        self._schema = schema
        self._name = name

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                if batch.schema.equals(self._schema):
                    yield batch
                else:
                    whole = conform(pa.table(batch), self._schema, what=f"appending to {self._name}")
                    yield from whole.to_batches()
        except BaseException as error:
            self.failure = error
            raise
