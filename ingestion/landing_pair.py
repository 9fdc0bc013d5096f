"""Where both collectors of a pair collected the same time, its points go into the raw table once.

Two collectors cannot agree who is active while they cannot hear each other, so both may be. Landing sees the
streams of both and is the judge: a row that the other stream has brought already is left out. Only rows not
after the other's last event can be such, so in ordinary times nothing is read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from lake import tables
from lake.state import from_utc_text
from lake.state_tables import streams
from protocols.pair_streams import sibling_of

IDENTITY = {
    "points": ("tag_id", "source_at_utc", "source_at_100ns", "value_number", "value_text"),
    "alarms": ("event_id", "event_at_utc", "event_at_100ns"),
    "events": ("event_id", "event_at_utc", "event_at_100ns"),
}
"""By kind of stream, the columns of which equal rows are the same thing, whoever collected it."""

_TIME = {"points": "source_at_utc", "alarms": "event_at_utc", "events": "event_at_utc"}
_DATE = "source_date"
# A number sent late may hold newer rows than the last one landed; by how much at most.
_MARGIN = timedelta(hours=1)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_MOST_TAGS = 500  # named one by one in the search; more are found by time alone


def reached_by_sibling(connection: Connection, table: Path, stream: str) -> datetime | None:
    """Up to which event the other stream may have landed; none: it never landed.

    What is committed and not noted in the state store yet may hold anything, so then it is the end of time.
    """
    sibling = sibling_of(stream)
    committed = tables.transaction_version(table, sibling)
    if committed is None:
        return None
    row = connection.execute(select(streams).where(streams.c.stream == sibling)).one_or_none()
    if row is None or row.last_sequence < committed or row.last_event_at_utc is None:
        return _END_OF_TIME
    return from_utc_text(row.last_event_at_utc) + _MARGIN


def without_doubles(
    table: Path, kind: str, stream: str, rows: pa.Table, reached: datetime | None
) -> pa.Table:
    """The raw rows that the other collector's stream has not brought.

    Args:
        table: the raw table of both streams.
        kind: of the stream.
        stream: whose rows these are.
        rows: raw rows, with their bookkeeping columns.
        reached: see `reached_by_sibling`.
    """
    if kind not in IDENTITY or reached is None or not rows.num_rows:
        return rows
    time = _TIME[kind]
    suspects = rows.filter(pc.less_equal(rows[time], pa.scalar(reached, rows[time].type)))
    if not suspects.num_rows:
        return rows
    stored = tables.read(
        table, columns=list(IDENTITY[kind]), filters=_search(kind, sibling_of(stream), suspects)
    )
    if not stored.num_rows:
        return rows
    at = "_row"
    numbered = _keyed(kind, rows).append_column(at, pa.array(range(rows.num_rows), pa.int64()))
    keys = [name for name in numbered.column_names if name != at]
    known = _keyed(kind, stored).group_by(keys).aggregate([])
    left = numbered.join(known, keys=keys, join_type="left anti")
    return rows.take(left[at].combine_chunks().sort())


def _search(kind: str, sibling: str, suspects: pa.Table) -> pc.Expression:
    """Where the doubles of these rows can stand: their days, their time, their tags."""
    time = _TIME[kind]
    bounds = pc.min_max(suspects[time]).as_py()
    found = (
        (pc.field("_stream") == sibling)
        & pc.field(_DATE).isin(pc.unique(suspects[_DATE]))
        & (pc.field(time) >= pa.scalar(bounds["min"], suspects[time].type))
        & (pc.field(time) <= pa.scalar(bounds["max"], suspects[time].type))
    )
    if kind == "points":
        tags = pc.unique(suspects["tag_id"])
        if len(tags) <= _MOST_TAGS:
            found &= pc.field("tag_id").isin(tags)
    return found


def _keyed(kind: str, rows: pa.Table) -> pa.Table:
    """The identity of rows in columns that are never empty: a join takes no two empty values for equal."""
    columns = {}
    for name in IDENTITY[kind]:
        column = rows[name].combine_chunks()
        if pa.types.is_floating(column.type):
            columns[f"{name} is empty"] = column.is_null()
            columns[name] = column.fill_null(0.0).view(pa.int64())  # bits, so that a NaN equals itself
        elif pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type):
            columns[name] = column
        else:
            columns[f"{name} is empty"] = column.is_null()
            columns[name] = column.cast(pa.string()).fill_null("")
    return pa.table(columns)
