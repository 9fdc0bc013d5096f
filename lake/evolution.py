"""What a stored table may become: nullable columns and wider types come by themselves, the rest is refused.

A new column is a change of metadata. Delta has no wider types in place that every reader knows, so a wider
type, or a column that may be empty from now on, rewrites the table in one commit; application
transactions and therefore cursors outlive it.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from contracts.changes import Change, ChangeClass, worst
from contracts.comparison import compare_schemas
from lake.datasets import dataset_of
from lake.encodings import DEFAULT, Storage, writer_properties
from lake.errors import ConflictError, SchemaError
from lake.table_creation import is_table

_COMMITS_SEARCHED = 50
_BATCH_ROWS = 65_536
_BATCHES_AHEAD = 2  # a table of any size is rewritten in the memory of a few batches


class EvolutionError(SchemaError):
    """The stored table cannot become what is declared; nothing was written."""

    def __init__(self, delta: DeltaTable, changes: tuple[Change, ...]) -> None:
        self.changes = changes
        folder = Path(delta.table_uri)
        super().__init__(f"evolving {folder.name}", [str(change) for change in changes])
        listed = "\n".join(f"  {change}" for change in changes)
        self.args = (
            f"{folder.name}: 已存数据与合同不兼容，未写入任何数据 "
            f"the stored rows do not fit the declared schema; nothing was written:\n{listed}\n"
            "处理方法：恢复合同原来的列；或者为新的结构另建一张表（新的合同文件）；或者停机后将目录 "
            f"{folder.name} 改名保留，再全量重新抽取。\n"
            "What to do: put the column back as it was; or give the new shape a table of its own (a new "
            f"contract file); or stop the platform, keep the folder {folder.name} under another name, and "
            "extract again.",
        )


def stored_schema(path: Path) -> pa.Schema:
    """The schema of a table's newest version."""
    return pa.schema(DeltaTable(path).schema().to_arrow())


def made_with(path: Path) -> str | None:
    """The contract version that the newest commit with one names; the log may have forgotten it."""
    named = (entry.get("schema_version") for entry in DeltaTable(path).history(_COMMITS_SEARCHED))
    return next((str(version) for version in named if version), None)


def bring_up_to(path: Path, schema: pa.Schema, *, storage: Storage = DEFAULT) -> None:
    """Make every compatible change that the declared schema asks of the stored table, where there is one.

    Raises:
        EvolutionError: the change is not compatible; the message says what to do.
        ConflictError: another writer committed meanwhile.
    """
    if is_table(path):
        evolve(DeltaTable(path), schema, storage)


def evolve(delta: DeltaTable, schema: pa.Schema, storage: Storage) -> DeltaTable:
    """The table after every compatible change that needs its rows rewritten; added columns come with a write.

    Raises:
        EvolutionError: a column is gone, has a narrower or another type, or must not be empty any more.
        ConflictError: another writer committed meanwhile.
    """
    changes = compare_schemas(pa.schema(delta.schema().to_arrow()), schema)
    kind = worst(changes)
    if kind is ChangeClass.BREAKING:
        raise EvolutionError(delta, tuple(found for found in changes if found.kind is kind))
    if kind is not ChangeClass.WIDENING:
        return delta
    try:
        return _rewritten(delta, schema, storage, changes)
    except CommitFailedError as error:
        name = Path(delta.table_uri).name
        msg = f"evolving {name}: another writer committed meanwhile ({error}); try again"
        raise ConflictError(msg) from error


def _rewritten(
    delta: DeltaTable, schema: pa.Schema, storage: Storage, changes: tuple[Change, ...]
) -> DeltaTable:
    batches = (
        dataset_of(delta)
        .scanner(batch_size=_BATCH_ROWS, batch_readahead=_BATCHES_AHEAD, fragment_readahead=1)
        .to_batches()
    )
    rows = pa.RecordBatchReader.from_batches(schema, (_fitted(batch, schema) for batch in batches))
    write_deltalake(
        delta,
        rows,
        mode="overwrite",
        schema_mode="overwrite",
        partition_by=delta.metadata().partition_columns or None,
        writer_properties=writer_properties(schema, storage),
        commit_properties=CommitProperties(custom_metadata={"evolved": "; ".join(map(str, changes))}),
    )
    return DeltaTable(delta.table_uri)


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
