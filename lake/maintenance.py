"""Keeping Delta tables quick and small: compaction, checkpoint, vacuum, in that order.

Safe beside appends: a commit that conflicts is repeated or left for the next run, never forced. Application
transactions stand in the log apart from files, and survive all of it (tested).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from lake.datasets import dataset_of
from lake.encodings import Storage, writer_properties
from lake.layout import LAYERS, LakePaths
from lake.partitions import partition_predicate

_ATTEMPTS = 3
# Below this many files an open partition is left alone: appends keep coming and rewriting costs more.
_OPEN_FILES = 16


@dataclass(frozen=True)
class MaintenanceReport:
    """What was done to one table.

    Attributes:
        table: its name.
        files_before: data files of the newest version before.
        files_after: data files of the newest version after.
        compacted: partitions rewritten.
        postponed: partitions left for the next run because appends kept coming.
        vacuumed: files removed from disk that no kept version needs.
    """

    table: str
    files_before: int
    files_after: int
    compacted: tuple[str, ...]
    postponed: tuple[str, ...]
    vacuumed: int


def maintain_all(lake: LakePaths, *, today: date) -> list[MaintenanceReport]:
    """Maintain every table of the lake, one after the other."""
    return [maintain(lake.table(layer, name), today=today) for layer in LAYERS for name in lake.tables(layer)]


def maintain(path: Path, *, today: date) -> MaintenanceReport:
    """Compact, checkpoint and vacuum one table as its own properties say.

    Args:
        path: the table.
        today: the plant's date; partitions before it are closed and are rewritten sorted into one file.
    """
    files_before = len(DeltaTable(path).file_uris())
    compacted, postponed = compact(path, today=today)
    delta = DeltaTable(path)
    delta.create_checkpoint()
    delta.cleanup_metadata()
    return MaintenanceReport(
        table=path.name,
        files_before=files_before,
        files_after=len(delta.file_uris()),
        compacted=compacted,
        postponed=postponed,
        vacuumed=len(vacuum(path)),
    )


def compact(path: Path, *, today: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Rewrite partitions of many files.

    A closed partition (before `today`) becomes one sorted file. An open one gets its small files joined in
    order, which never conflicts with appends; it is sorted when its day is over.

    Returns:
        The partitions compacted and the ones postponed, by value.
    """
    compacted: list[str] = []
    postponed: list[str] = []
    for value, files in sorted(_files_by_partition(path).items()):
        is_closed = value != "" and value < today.isoformat()
        if files < (2 if is_closed else _OPEN_FILES):
            continue
        done = _rewrite_sorted(path, value) if is_closed else _join_files(path, value)
        (compacted if done else postponed).append(value)
    return tuple(compacted), tuple(postponed)


def vacuum(path: Path) -> list[str]:
    """Remove files that no version within the table's retention needs, and leftovers of killed writers.

    Leftovers are told from files of a commit under way by age: the retention is at least a day.

    Returns:
        The removed files.
    """
    delta = DeltaTable(path)
    hours = Storage.from_configuration(delta.metadata().configuration).retention_days * 24
    return delta.vacuum(retention_hours=hours, dry_run=False, full=True)


def set_storage(path: Path, storage: Storage) -> bool:
    """Give a table other properties, such as a contract's new retention; says whether any changed."""
    delta = DeltaTable(path)
    wanted = storage.configuration()
    found = delta.metadata().configuration
    changed = {key: value for key, value in wanted.items() if found.get(key) != value}
    if changed:
        delta.alter.set_table_properties(changed, raise_if_not_exists=False)
    return bool(changed)


def _files_by_partition(path: Path) -> dict[str, int]:
    """How many files each partition value has; the empty value where the table is not partitioned."""
    delta = DeltaTable(path)
    columns = delta.metadata().partition_columns
    counts: dict[str, int] = {}
    for action in pa.table(delta.get_add_actions(flatten=True)).to_pylist():
        value = str(action[f"partition.{columns[0]}"]) if columns else ""
        counts[value] = counts.get(value, 0) + 1
    return counts


def _rewrite_sorted(path: Path, value: str) -> bool:
    """Replace a partition by the same rows sorted, unless somebody commits to it meanwhile."""
    for _attempt in range(_ATTEMPTS):
        # One handle from reading to committing: delta-rs then refuses if the partition changed in between.
        delta = DeltaTable(path)
        storage = Storage.from_configuration(delta.metadata().configuration)
        predicate = partition_predicate(delta.metadata().partition_columns[0], value)
        dataset = dataset_of(delta, only=predicate)
        rows = dataset.to_table()
        if storage.sort_by:
            rows = rows.sort_by([(name, "ascending") for name in storage.sort_by])
        try:
            write_deltalake(
                delta,
                rows,
                mode="overwrite",
                predicate=predicate,
                writer_properties=writer_properties(rows.schema, storage),
            )
        except CommitFailedError:
            continue
        return True
    return False


def _join_files(path: Path, value: str) -> bool:
    """Join the small files of a partition that is still being appended to."""
    delta = DeltaTable(path)
    columns = delta.metadata().partition_columns
    storage = Storage.from_configuration(delta.metadata().configuration)
    schema = pa.schema(delta.schema().to_arrow())
    try:
        delta.optimize.compact(
            partition_filters=[(columns[0], "=", value)] if columns else None,
            writer_properties=writer_properties(schema, storage),
        )
    except CommitFailedError:
        return False
    return True
