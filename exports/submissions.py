"""A submission's life in the state store: one row, one ledger event a transition, one log leaf a fact.

queued → sending → acknowledged | rejected; a failed try goes back to queued, an overdue one expires.
Every function takes the connection of a transaction that the caller began, so that row, event and leaf stand
or fall together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from exports.code_version import code_version
from exports.errors import ExportError
from exports.merkle_log import append_leaf
from lake.state import utc_text
from lake.state_tables import receipts, submission_events, submissions
from protocols.content_hashes import sha256_hex, sm3_hex


class State(StrEnum):
    """Where a submission stands."""

    QUEUED = "queued"
    SENDING = "sending"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    EXPIRED = "expired"


_NEXT = {
    State.QUEUED: {State.SENDING, State.EXPIRED},
    State.SENDING: {State.QUEUED, State.ACKNOWLEDGED, State.REJECTED},
}


@dataclass(frozen=True)
class NewSubmission:
    """Content that is to be queued for an endpoint.

    Attributes:
        reason: why this revision exists, in words; revision 0 is `due` or `observed`.
        number: the number of its own that the content carries (the first QN of HJ 212); with it the content
            can be made again from the rows alone.
    """

    report_id: str
    endpoint_id: str
    subject_id: str
    period_start_utc: datetime
    revision: int
    mode: Literal["scheduled", "stream"]
    content: bytes
    due_at_utc: datetime
    reason: str
    source_table: str | None = None
    delta_version: int | None = None
    number: str | None = None

    @property
    def idempotency_key(self) -> str:
        """What the receiver may recognise a repeat by."""
        start = utc_text(self.period_start_utc)
        return key_of(self.report_id, self.endpoint_id, self.subject_id, start, self.revision)


@dataclass(frozen=True)
class Outcome:
    """What a receiver answered for good.

    Attributes:
        body: the receiver's own bytes.
        reference: the receiver's number of it, where it gives one.
        tries: how often it was sent until then.
        detail: further facts for the ledger.
    """

    body: bytes
    reference: str | None
    tries: int
    detail: Mapping[str, Any] = field(default_factory=dict)


def key_of(report_id: str, endpoint_id: str, subject_id: str, period_start_utc: str, revision: int) -> str:
    """The idempotency key of a submission; the start as the state store writes instants."""
    start = period_start_utc[:19].replace("-", "").replace(":", "")
    return f"{report_id}:{endpoint_id}:{subject_id}:{start}Z:{revision}"


def enqueue(conn: Connection, new: NewSubmission, now: datetime) -> int:
    """Store a submission with its first ledger event and log leaf; answers its id."""
    proved = {
        "idempotency_key": new.idempotency_key,
        "mode": new.mode,
        "period_start_utc": utc_text(new.period_start_utc),
        "due_at_utc": utc_text(new.due_at_utc),
        "content_sha256": sha256_hex(new.content),
        "content_sm3": sm3_hex(new.content),
        "source_table": new.source_table,
        "delta_version": new.delta_version,
        "code_version": code_version(),
    }
    result = conn.execute(
        insert(submissions).values(
            report_id=new.report_id,
            endpoint_id=new.endpoint_id,
            subject_id=new.subject_id,
            revision=new.revision,
            state=State.QUEUED,
            content=new.content,
            created_at_utc=utc_text(now),
            next_attempt_at_utc=utc_text(now),
            attempts=0,
            **proved,
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    submission_id = int(key[0])
    _record(conn, submission_id, None, State.QUEUED, now, {"reason": new.reason})
    leaf = {**proved, "submission_id": submission_id, "number": new.number, "reason": new.reason}
    append_leaf(conn, "enqueued", leaf, now)
    return submission_id


def transition(
    conn: Connection,
    submission_id: int,
    from_state: State,
    to_state: State,
    now: datetime,
    *,
    detail: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Move a submission on and write the ledger event.

    Args:
        conn: the transaction.
        submission_id: which.
        from_state: where the caller believes it stands.
        to_state: where it goes.
        now: the plant's present.
        detail: facts for the ledger.
        **columns: further columns of the row to set.

    Raises:
        ExportError: that step does not exist, or the submission stands elsewhere.
    """
    if to_state not in _NEXT.get(from_state, set()):
        msg = f"submission {submission_id}: there is no step from {from_state} to {to_state}"
        raise ExportError(msg)
    moved = conn.execute(
        update(submissions)
        .where(submissions.c.submission_id == submission_id, submissions.c.state == from_state)
        .values(state=to_state, **columns)
    )
    if moved.rowcount != 1:
        stands = conn.scalar(select(submissions.c.state).where(submissions.c.submission_id == submission_id))
        msg = (
            f"submission {submission_id}: expected state {from_state}, found {stands}; "
            "another dispatcher may be running on this state store"
        )
        raise ExportError(msg)
    _record(conn, submission_id, from_state, to_state, now, detail)


def acknowledge(conn: Connection, submission_id: int, outcome: Outcome, now: datetime) -> None:
    """The receiver has it: keep its receipt, and the fact in the log."""
    transition(
        conn,
        submission_id,
        State.SENDING,
        State.ACKNOWLEDGED,
        now,
        detail={"reference": outcome.reference, "tries": outcome.tries, **outcome.detail},
        attempts=outcome.tries,
        acknowledged_at_utc=utc_text(now),
        last_error=None,
    )
    _keep_receipt(conn, submission_id, State.ACKNOWLEDGED, outcome, now)


def reject(conn: Connection, submission_id: int, error: str, outcome: Outcome, now: datetime) -> None:
    """The receiver refuses it for good: keep its answer, and the fact in the log."""
    transition(
        conn,
        submission_id,
        State.SENDING,
        State.REJECTED,
        now,
        detail={"error": error, "reference": outcome.reference, "tries": outcome.tries, **outcome.detail},
        attempts=outcome.tries,
        last_error=error,
    )
    _keep_receipt(conn, submission_id, State.REJECTED, outcome, now, error=error)


def expire(conn: Connection, submission_id: int, rule: str, now: datetime) -> None:
    """Give a queued submission up by the endpoint's rule, and keep the fact in the log."""
    transition(conn, submission_id, State.QUEUED, State.EXPIRED, now, detail={"rule": rule}, last_error=rule)
    append_leaf(conn, "expired", {"submission_id": submission_id, "rule": rule}, now)


def _keep_receipt(
    conn: Connection, submission_id: int, outcome_state: State, outcome: Outcome, now: datetime, **facts: str
) -> None:
    conn.execute(
        insert(receipts).values(
            submission_id=submission_id,
            received_at_utc=utc_text(now),
            outcome=outcome_state,
            receiver_reference=outcome.reference,
            body=outcome.body,
        )
    )
    leaf = {
        "submission_id": submission_id,
        "reference": outcome.reference,
        "receipt_sha256": sha256_hex(outcome.body),
        "tries": outcome.tries,
        **outcome.detail,
        **facts,
    }
    append_leaf(conn, str(outcome_state), leaf, now)


def _record(
    conn: Connection,
    submission_id: int,
    from_state: State | None,
    to_state: State,
    now: datetime,
    detail: Mapping[str, Any] | None,
) -> None:
    text = json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else None
    conn.execute(
        insert(submission_events).values(
            submission_id=submission_id,
            at_utc=utc_text(now),
            from_state=from_state,
            to_state=to_state,
            detail=text,
        )
    )
