"""Raw rows of a stream: what the wire brought, unchanged, and where and when it came in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import STREAM_BOOKKEEPING, UTC_US
from lake.encodings import POINTS, Storage
from lake.layout import LakePaths
from lake.table_creation import open_or_create
from protocols.points import SCHEMAS

PARTITION = "source_date"
EVENT_COLUMN = {
    "points": "source_at_utc",
    "alarms": "event_at_utc",
    "tags": "observed_at_utc",
    "gaps": "observed_at_utc",
    "events": "event_at_utc",
    "quarantine": "observed_at_utc",
}
"""The column that says when a row happened, by kind of stream."""

STORAGE = {
    "points": POINTS,
    "alarms": Storage(sort_by=("event_at_utc", "event_at_100ns", "event_id")),
    "tags": Storage(sort_by=("tag_id", "observed_at_utc")),
    "gaps": Storage(sort_by=("from_at_utc", "tag_id", "reason")),
    "events": Storage(sort_by=("event_at_utc", "event_at_100ns", "event_id")),
    "quarantine": Storage(sort_by=("observed_at_utc", "subject", "reason_code")),
}


def raw_stream_schema(kind: str) -> pa.Schema:
    """The schema of a raw stream table: the wire's columns, then the bookkeeping columns."""
    return pa.schema([*SCHEMAS[kind], *STREAM_BOOKKEEPING])


def create_stream_tables(lake: LakePaths, streams: Iterable[tuple[str, str]]) -> None:
    """Empty raw tables of streams that have not landed, each by its system and kind.

    A site need not have every system; models that look at all of them still find what they read.
    """
    for system_id, kind in streams:
        path = lake.table("raw", f"raw_{system_id}__{kind}")
        open_or_create(path, raw_stream_schema(kind), [PARTITION], STORAGE[kind])


def raw_rows(
    rows: pa.Table, *, kind: str, stream: str, sequence: int, ingested_at: datetime, zone: ZoneInfo
) -> pa.Table:
    """One raw row a wire row of one segment, dated in the plant's zone."""
    count = rows.num_rows
    columns = {
        PARTITION: plant_dates(rows.column(EVENT_COLUMN[kind]), zone),
        "_stream": pa.repeat(pa.scalar(stream, pa.string()), count),
        "_sequence": pa.repeat(pa.scalar(sequence, pa.int64()), count),
        "_ingested_at_utc": pa.repeat(pa.scalar(ingested_at, UTC_US), count),
    }
    arrays = [*rows.columns, *(columns[field.name] for field in STREAM_BOOKKEEPING)]
    return pa.Table.from_arrays(arrays, schema=raw_stream_schema(kind))


def plant_dates(instants: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """The calendar date of each instant in the plant's zone."""
    return pc.local_timestamp(instants.cast(pa.timestamp("us", tz=zone.key))).cast(pa.date32(), safe=False)
