"""Making a Delta table, and what its declared schema may become later: columns come, types stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.encodings import Storage
from lake.errors import SchemaError


def is_table(path: Path) -> bool:
    """Whether there is a Delta table at the path."""
    return DeltaTable.is_deltatable(str(path))


def open_or_create(
    path: Path, schema: pa.Schema, partition_by: Sequence[str], storage: Storage
) -> DeltaTable:
    """The table, made empty where there is none; two processes may come here at once."""
    if not is_table(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                path,
                schema,
                mode="ignore",
                partition_by=list(partition_by),
                configuration=storage.configuration(),
                raise_if_key_not_exists=False,  # our own keys beside Delta's
            )
        except (CommitFailedError, DeltaError):
            if not is_table(path):  # else the other process made it first
                raise
    return DeltaTable(path)


def schema_mode_for(delta: DeltaTable, schema: pa.Schema) -> Any:
    """`merge` where the declaration gained nullable columns, nothing where it is the same.

    Raises:
        SchemaError: a type changed or a required column came: stored rows would not fit.
    """
    stored = pa.schema(delta.schema().to_arrow())
    problems = [
        f"{field.name} (stored {stored.field(field.name).type}, declared {field.type})"
        for field in schema
        if field.name in stored.names and stored.field(field.name).type != field.type
    ]
    added = [field for field in schema if field.name not in stored.names]
    problems += [f"{field.name} (new and not nullable)" for field in added if not field.nullable]
    if problems:
        what = f"evolving {Path(delta.table_uri).name}"
        raise SchemaError(what, problems)
    return "merge" if added or len(stored) != len(schema) else None
