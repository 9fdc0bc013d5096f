"""What the park keeps: accepted reports with their receipts, and what it turned down."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

_SCHEMA = """
create table if not exists reports (
    idempotency_key text    primary key,
    receipt_id      text    not null unique,
    enterprise_code text    not null,
    report_id       text    not null,
    period_start    text    not null,            -- UTC, so that it sorts
    sequence        integer not null,
    revision        integer not null,
    body            text    not null,
    accepted_at     text    not null,            -- plant time, UTC
    repeats         integer not null default 0,
    unique (enterprise_code, report_id, sequence),
    unique (enterprise_code, report_id, period_start, revision)
);
create table if not exists refusals (
    id              integer primary key,
    refused_at      text    not null,
    idempotency_key text    not null,
    status          integer not null,
    reason          text    not null,
    body            text    not null
);
"""


@dataclass(frozen=True)
class Receipt:
    """What the sender is told of an accepted report."""

    receipt_id: str
    status: str  # accepted or duplicate


class ConflictError(Exception):
    """The report contradicts what is already here; `answer` says how."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(str(answer))
        self.answer = answer


class ParkStore:
    """One SQLite file for several threads; every method is one transaction, durable when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def accept(
        self, key: str, report: dict[str, Any], body: str, period_start: datetime, at_utc: datetime
    ) -> Receipt:
        """Keep a report under its next number, or find it accepted before.

        Raises:
            ConflictError: the key stands for another body, the number is not the next, or the period's
                revision is here already.
        """
        with self._transaction():
            found = self._db.execute("select * from reports where idempotency_key = ?", (key,)).fetchone()
            if found is not None:
                return self._repeat(found, body)
            self._check_order(report, period_start)
            receipt_id = f"PK{sha256(f'{key}{body}'.encode()).hexdigest()[:20].upper()}"
            self._db.execute(
                "insert into reports values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (
                    *(key, receipt_id, report["enterprise_code"], report["report_id"]),
                    *(period_start.isoformat(), report["sequence"], report["revision"], body),
                    at_utc.isoformat(),
                ),
            )
            return Receipt(receipt_id, "accepted")

    def _repeat(self, found: sqlite3.Row, body: str) -> Receipt:
        if found["body"] != body:
            raise ConflictError({"error": "idempotency key was used for another body"})
        self._db.execute(
            "update reports set repeats = repeats + 1 where idempotency_key = ?", (found["idempotency_key"],)
        )
        return Receipt(found["receipt_id"], "duplicate")

    def _check_order(self, report: dict[str, Any], period_start: datetime) -> None:
        owner = (report["enterprise_code"], report["report_id"])
        (last,) = self._db.execute(
            "select coalesce(max(sequence), 0) from reports where enterprise_code = ? and report_id = ?",
            owner,
        ).fetchone()
        if report["sequence"] != last + 1:
            raise ConflictError({"error": "out of order", "expected_sequence": last + 1})
        (revisions,) = self._db.execute(
            "select count(*) from reports where enterprise_code = ? and report_id = ? and period_start = ? "
            "and revision >= ?",
            (*owner, period_start.isoformat(), report["revision"]),
        ).fetchone()
        if revisions:
            raise ConflictError(
                {"error": "this period was reported before; a correction needs a higher revision"}
            )

    def refuse(self, key: str, status: int, reason: str, body: str, at_utc: datetime) -> None:
        """Keep what was turned down."""
        with self._transaction():
            self._db.execute(
                "insert into refusals (refused_at, idempotency_key, status, reason, body) "
                "values (?, ?, ?, ?, ?)",
                (at_utc.isoformat(), key, status, reason, body),
            )

    def between(self, report_id: str, from_utc: datetime, to_utc: datetime) -> list[dict[str, Any]]:
        """Accepted reports whose period starts in the half-open span, in order of acceptance."""
        with self._lock:
            rows = self._db.execute(
                "select idempotency_key, receipt_id, period_start, sequence, revision, body, accepted_at "
                "from reports where report_id = ? and period_start >= ? and period_start < ? "
                "order by sequence",
                (report_id, from_utc.isoformat(), to_utc.isoformat()),
            ).fetchall()
        return [dict(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")
