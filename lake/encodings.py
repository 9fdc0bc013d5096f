"""How columns are written: sort order and Parquet encodings, decided per table, measured in benchmarks.

A file sorted by tag and time turns repeated text into runs and time into small differences; the default
(a dictionary for everything) costs 16 bytes a point where these choices cost 10 (5 s points with jitter).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from deltalake import ColumnProperties, WriterProperties

_ROW_GROUP_ROWS = 1_048_576
_SORT_BY = "chemlink.sortBy"
_CODED = "chemlink.coded"


@dataclass(frozen=True)
class Storage:
    """How one table lies on disk.

    Attributes:
        sort_by: columns a file is sorted by; empty keeps the order given.
        coded: whole-number columns of few different values, which a dictionary serves better.
        retention_days: how long files that no version needs any more stay, so that older versions can be
            read (time travel) and a slow reader finishes.
        log_retention_days: how long the log of old versions stays; no version older than this can be read.
        checkpoint_interval: commits between two checkpoints of the log.
    """

    sort_by: tuple[str, ...] = ()
    coded: tuple[str, ...] = ()
    retention_days: int = 30
    log_retention_days: int = 30
    checkpoint_interval: int = 50

    def __post_init__(self) -> None:
        if min(self.retention_days, self.log_retention_days, self.checkpoint_interval) < 1:
            msg = f"{self}: expected retention of at least a day, so that no running reader loses its files"
            raise ValueError(msg)

    def configuration(self) -> dict[str, str]:
        """The same as Delta table properties, so that a table says itself how it is to be kept."""
        return {
            _SORT_BY: ",".join(self.sort_by),
            _CODED: ",".join(self.coded),
            "delta.checkpointInterval": str(self.checkpoint_interval),
            "delta.deletedFileRetentionDuration": f"interval {self.retention_days} days",
            "delta.enableDeletionVectors": "false",
            "delta.enableExpiredLogCleanup": "true",
            "delta.logRetentionDuration": f"interval {self.log_retention_days} days",
        }

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, str | None]) -> Storage:
        """What `configuration` wrote; defaults for what another writer left out."""
        found = {key: value for key, value in configuration.items() if value}
        return cls(
            sort_by=tuple(filter(None, found.get(_SORT_BY, "").split(","))),
            coded=tuple(filter(None, found.get(_CODED, "").split(","))),
            retention_days=_days(found.get("delta.deletedFileRetentionDuration"), cls.retention_days),
            log_retention_days=_days(found.get("delta.logRetentionDuration"), cls.log_retention_days),
            checkpoint_interval=int(found.get("delta.checkpointInterval", cls.checkpoint_interval)),
        )


def _days(interval: str | None, default: int) -> int:
    """The number in `interval N days`."""
    return int(interval.split()[1]) if interval and interval.endswith(" days") else default


DEFAULT = Storage()
# Points arrive in a commit every few seconds: old versions of an append-only table say nothing that the
# rows do not, so their log is kept short.
POINTS = Storage(
    sort_by=("tag_id", "source_at_utc", "source_at_100ns"),
    coded=("status_code",),
    retention_days=2,
    log_retention_days=2,
)
# Whole copies of small tables that are kept elsewhere, made every few seconds: yesterday's say nothing.
MIRROR = Storage(retention_days=1, log_retention_days=1)
# A submission names the version it was made from and can be asked for five years later.
RECORD = Storage(retention_days=1830, log_retention_days=1830, checkpoint_interval=20)


def writer_properties(schema: pa.Schema, storage: Storage = DEFAULT) -> WriterProperties:
    """Zstandard, and an encoding by type: differences for instants and counters, plain for values."""
    chosen = {
        column.name: _column_properties(column.type) for column in schema if column.name not in storage.coded
    }
    return WriterProperties(
        compression="ZSTD",
        compression_level=3,
        max_row_group_size=_ROW_GROUP_ROWS,
        column_properties={name: properties for name, properties in chosen.items() if properties},
    )


def _column_properties(kind: pa.DataType) -> ColumnProperties | None:
    if pa.types.is_timestamp(kind) or pa.types.is_int64(kind):
        return ColumnProperties(dictionary_enabled=False, encoding="DELTA_BINARY_PACKED")
    if pa.types.is_float64(kind):
        return ColumnProperties(dictionary_enabled=False, encoding="PLAIN")
    return None
