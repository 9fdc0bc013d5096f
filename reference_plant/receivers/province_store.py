"""What the province keeps: every frame with its verdict, and the values of the accepted ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from reference_plant.receivers.hj212_rules import Upload, Value, check_upload
from reference_plant.receivers.hj212_wire import Kind, RefusalError, Segment, parse_segment, segment_of

_SCHEMA = """
create table if not exists frames (
    id           integer primary key,
    received_at  text    not null,              -- plant time, UTC
    mn           text, cn text, qn text,        -- null where the frame was not legible
    data_time    text, pnum integer, pno integer,
    raw          text    not null,              -- the line without CR LF
    accepted     integer not null,
    reason       text    not null,              -- '' or why refused
    duplicate    integer not null default 0,    -- a repeat: acknowledged again, stored once
    order_breach text    not null default ''    -- resend, revision or requested: older than its predecessor
);
create index if not exists frames_qn on frames (mn, qn);
create index if not exists frames_period on frames (mn, cn, data_time);
create table if not exists "values" (
    mn text not null, cn text not null, data_time text not null,
    factor_code text not null, field text not null,
    value text not null, flag text not null,
    unique (mn, cn, data_time, factor_code, field)
);
"""


class ProvinceStore:
    """One SQLite file; every method is one transaction, durable when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def refuse(self, at_utc: datetime, line: bytes, reason: str, segment: Segment | None) -> None:
        """Keep a frame that was turned down."""
        with self._transaction():
            self._add_frame(at_utc, line, segment, reason=reason, accepted=False)

    def note(self, at_utc: datetime, line: bytes, segment: Segment) -> None:
        """Keep an accepted frame that carries no values: an answer or a notice."""
        with self._transaction():
            self._add_frame(at_utc, line, segment)

    def accept(self, at_utc: datetime, line: bytes, upload: Upload, *, requested: bool) -> None:
        """Keep an upload; its values count once all packets of its group are there.

        Raises:
            RefusalError: kind qn or order; nothing is stored.
        """
        segment = upload.segment
        with self._transaction():
            if self._is_repeat(line, segment):
                self._add_frame(at_utc, line, segment, data_time=upload.data_time, duplicate=True)
                return
            breach = self._order_breach(upload, requested=requested)
            self._add_frame(at_utc, line, segment, data_time=upload.data_time, order_breach=breach)
            for value in self._complete_values(at_utc, upload):
                self._db.execute(
                    'insert into "values" values (?, ?, ?, ?, ?, ?, ?) on conflict do update '
                    "set value = excluded.value, flag = excluded.flag",
                    (segment.mn, segment.cn, upload.data_time, *value),
                )

    def _is_repeat(self, line: bytes, segment: Segment) -> bool:
        found = self._db.execute(
            "select raw from frames where mn = ? and qn = ? and coalesce(pno, 0) = ? and cn = ? and accepted",
            (segment.mn, segment.qn, segment.pno or 0, segment.cn),
        ).fetchone()
        if found is not None and found[0] != _text(line):
            raise RefusalError(Kind.QN, f"QN={segment.qn} was accepted before with other content")
        return found is not None

    def _order_breach(self, upload: Upload, *, requested: bool) -> str:
        """Why an older DataTime is allowed, '' where it is not older.

        A resend keeps its QN, so its QN is older than what was accepted since. What we asked for, or a new
        version of what we have, may come with a new QN. Anything else out of order is refused.
        """
        segment = upload.segment
        latest, last_qn, has_period = self._db.execute(
            "select max(data_time), max(qn), max(data_time = ?) from frames "
            "where mn = ? and cn = ? and accepted",
            (upload.data_time, segment.mn, segment.cn),
        ).fetchone()
        is_packet_of_group = segment.pnum is not None and upload.data_time == latest
        if latest is None or upload.data_time > latest or is_packet_of_group:
            return ""
        if segment.qn < last_qn:
            return "resend"
        if has_period:
            return "revision"
        if requested:
            return "requested"
        raise RefusalError(
            Kind.ORDER,
            f"DataTime={upload.data_time} comes after {latest} with a new QN; a resend keeps its QN",
        )

    def _complete_values(self, at_utc: datetime, upload: Upload) -> tuple[Value, ...]:
        segment = upload.segment
        if segment.pnum is None:
            return upload.values
        rows = self._db.execute(
            "select pno, raw from frames where mn = ? and cn = ? and data_time = ? and pnum = ? and accepted "
            "order by id",
            (segment.mn, segment.cn, upload.data_time, segment.pnum),
        ).fetchall()
        packets = dict(rows)
        if len(packets) < segment.pnum:
            return ()
        parsed = (parse_segment(segment_of(raw.encode())) for raw in packets.values())
        return tuple(value for part in parsed for value in check_upload(part, at_utc).values)

    def _add_frame(
        self,
        at_utc: datetime,
        line: bytes,
        segment: Segment | None,
        *,
        accepted: bool = True,
        reason: str = "",
        data_time: str | None = None,
        duplicate: bool = False,
        order_breach: str = "",
    ) -> None:
        known = (segment.mn, segment.cn, segment.qn) if segment else (None, None, None)
        packet = (segment.pnum, segment.pno) if segment else (None, None)
        self._db.execute(
            "insert into frames (received_at, mn, cn, qn, data_time, pnum, pno, raw, accepted, reason, "
            "duplicate, order_breach) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(at_utc.isoformat(), *known, data_time, *packet, _text(line)),
                *(accepted, reason, duplicate, order_breach),
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="backslashreplace")
