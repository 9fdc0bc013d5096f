"""What landing keeps in the state store: positions, gaps, latest values, and findings about refused files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, func, select, update

from ingestion.gateway.quarantine import Quarantined
from ingestion.gateway.receiver import Gap
from lake.findings import Finding, close_finding, open_finding, open_findings
from lake.state import from_utc_text, insert_absent, insert_if_absent, insert_or_update, utc_text
from lake.state_tables import gaps, latest_values, streams

QUARANTINED = "segment_quarantined"
_LATEST_COLUMNS = ("source_at_utc", "value_number", "value_text", "status_code")


def positions(connection: Connection) -> dict[str, int]:
    """The last landed sequence of each stream."""
    rows = connection.execute(select(streams.c.stream, streams.c.last_sequence))
    return {row.stream: row.last_sequence for row in rows}


def last_landed(connection: Connection) -> dict[str, datetime]:
    """When each stream landed last."""
    rows = connection.execute(select(streams.c.stream, streams.c.last_arrived_at_utc))
    return {row.stream: from_utc_text(row.last_arrived_at_utc) for row in rows}


def open_gaps(connection: Connection) -> dict[str, set[int]]:
    """The missing numbers not refilled yet, by stream."""
    found: dict[str, set[int]] = {}
    still_open = select(gaps.c.stream, gaps.c.sequence).where(gaps.c.refilled_at_utc.is_(None))
    for stream, sequence in connection.execute(still_open):
        found.setdefault(stream, set()).add(sequence)
    return found


def record_gaps(connection: Connection, missing: Iterable[Gap], *, now: datetime) -> int:
    """Remember missing numbers; says how many are new. One refilled before stays refilled."""
    at = utc_text(now)
    rows = [{"stream": gap.stream, "sequence": gap.sequence, "detected_at_utc": at} for gap in missing]
    before = connection.scalar(select(func.count()).select_from(gaps)) or 0
    insert_absent(connection, gaps, rows)
    return (connection.scalar(select(func.count()).select_from(gaps)) or 0) - before


def recorded_gaps(connection: Connection, stream: str, sequences: Iterable[int]) -> set[int]:
    """Those of the numbers that were ever recorded as missing, refilled since or not."""
    named = (gaps.c.stream == stream) & gaps.c.sequence.in_(list(sequences))
    return set(connection.execute(select(gaps.c.sequence).where(named)).scalars())


def close_gaps(connection: Connection, stream: str, sequences: Iterable[int], *, now: datetime) -> None:
    """Note that missing numbers came after all."""
    these = gaps.c.sequence.in_(list(sequences))
    this = (gaps.c.stream == stream) & these & gaps.c.refilled_at_utc.is_(None)
    connection.execute(update(gaps).where(this).values(refilled_at_utc=utc_text(now)))


def begin_stream(connection: Connection, stream: str, *, position: int, now: datetime) -> None:
    """Make the stream's row before its first commit, so that a crash after it is told from a lost store."""
    row = {
        "stream": stream,
        "last_sequence": position,
        "last_arrived_at_utc": utc_text(now),
        "rows_total": 0,
    }
    insert_if_absent(connection, streams, row)


def advance(
    connection: Connection,
    stream: str,
    *,
    counts: Sequence[tuple[int, int]],
    last_event: datetime | None,
    now: datetime,
    is_refill: bool,
) -> None:
    """Move a stream's position over landed segments and count their rows, each segment once.

    Args:
        connection: a write transaction.
        stream: the stream; its row is there.
        counts: sequence and rows of each landed segment.
        last_event: the newest event among them.
        now: the plant's present instant.
        is_refill: whether they fill gaps: such rows count while the gap is open, and move nothing.
    """
    row = connection.execute(select(streams).where(streams.c.stream == stream)).one()
    still_open = _open_among(connection, stream, [number for number, _ in counts]) if is_refill else set()
    new = [
        (sequence, rows)
        for sequence, rows in counts
        if (sequence in still_open if is_refill else sequence > row.last_sequence)
    ]
    if not new:
        return
    events = [text for text in (row.last_event_at_utc, utc_text(last_event) if last_event else None) if text]
    reached = row.last_sequence if is_refill else max(sequence for sequence, _ in new)
    connection.execute(
        update(streams)
        .where(streams.c.stream == stream)
        .values(
            last_sequence=reached,
            last_arrived_at_utc=utc_text(now),
            last_event_at_utc=max(events, default=None),
            rows_total=row.rows_total + sum(rows for _, rows in new),
        )
    )


def _open_among(connection: Connection, stream: str, sequences: Sequence[int]) -> set[int]:
    these = (gaps.c.stream == stream) & gaps.c.sequence.in_(sequences) & gaps.c.refilled_at_utc.is_(None)
    return set(connection.execute(select(gaps.c.sequence).where(these)).scalars())


def latest_of(points: pa.Table) -> list[dict[str, Any]]:
    """One row a tag: its newest point in the table."""
    order = [("tag_id", "ascending"), ("source_at_utc", "descending"), ("source_at_100ns", "descending")]
    ordered = points.select(["tag_id", "source_at_100ns", *_LATEST_COLUMNS]).sort_by(order)
    tags = ordered.column("tag_id").to_numpy()
    is_first = np.append(np.ones(min(len(tags), 1), dtype=bool), tags[1:] != tags[:-1])
    newest = ordered.filter(pa.array(is_first)).drop_columns(["source_at_100ns"])
    return newest.to_pylist()  # type: ignore[no-any-return]


def update_latest_values(connection: Connection, system_id: str, points: pa.Table) -> None:
    """Set the latest value of each tag in the table, unless a newer one is known."""
    of_system = latest_values.c.system_id == system_id
    known = {
        row.tag_id: row.source_at_utc for row in connection.execute(select(latest_values).where(of_system))
    }
    for row in latest_of(points):
        at = utc_text(row["source_at_utc"])
        if known.get(row["tag_id"], "") <= at:
            insert_or_update(connection, latest_values, {**row, "source_at_utc": at, "system_id": system_id})


def open_quarantine_finding(connection: Connection, refused: Quarantined, *, now: datetime) -> None:
    """Tell a person that a file from the gateway was refused, and what to do."""
    finding = Finding(
        kind=QUARANTINED,
        subject=refused.name,
        severity="error",
        cause_zh=f"网闸送来的文件被拒收：{refused.reason}；已移至 {refused.kept_as.name}",
        cause_en=f"A file from the gateway was refused: {refused.reason}; kept as {refused.kept_as.name}",
        remedy_zh="核对采集端密钥与版本，然后在控制区命令重发该数据段（chemlink collector resend）",
        remedy_en="Check the collector's key and version, then order the segment again in the control zone",
    )
    open_finding(connection, finding, now=now)


def close_quarantine_findings(connection: Connection, names: Iterable[str], *, now: datetime) -> None:
    """Close the findings of files that arrived whole after all."""
    found = {row["subject"]: row["finding_key"] for row in open_findings(connection, QUARANTINED)}
    for name in names:
        if name in found:
            close_finding(connection, found[name], now=now)
