"""Which submission goes next, and what becomes of it: the dispatcher's view of the outbox.

A lane is one report and subject at one endpoint. Within a lane submissions leave in the order of their
periods; at most a window of them is under way, and one that waits for its next try holds back those after.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from exports.endpoints import Backoff, EndpointSpec
from exports.errors import EndpointError, PermanentError, TransientError
from exports.submissions import Outcome, State, acknowledge, expire, reject, transition
from exports.transports.base import Delivery
from lake.state import utc_text
from lake.state_tables import submission_events, submissions

_JITTER = random.SystemRandom()
_EXPIRE_BATCH = 500  # of each mode in one transaction, so that others need not wait long for the state store


@dataclass(frozen=True)
class Claimed:
    """A submission that this dispatcher is sending."""

    submission_id: int
    report_id: str
    subject_id: str
    idempotency_key: str
    mode: str
    content: bytes
    attempts: int


def claim(conn: Connection, endpoint: EndpointSpec, room: int, now: datetime) -> list[Claimed]:
    """Take up to `room` submissions that may leave now: the live stream first, then the oldest period."""
    place = func.row_number().over(
        partition_by=(submissions.c.report_id, submissions.c.subject_id),
        order_by=(submissions.c.period_start_utc, submissions.c.revision),
    )
    waiting_since = func.max(submissions.c.next_attempt_at_utc).over(
        partition_by=(submissions.c.report_id, submissions.c.subject_id),
        order_by=(submissions.c.period_start_utc, submissions.c.revision),
    )
    lanes = (
        select(
            submissions.c.submission_id,
            submissions.c.state,
            submissions.c.mode,
            submissions.c.period_start_utc,
            place.label("place"),
            waiting_since.label("not_before_utc"),
        )
        .where(
            submissions.c.endpoint_id == endpoint.endpoint_id,
            submissions.c.state.in_([State.QUEUED, State.SENDING]),
        )
        .subquery()
    )
    ready = (
        select(lanes.c.submission_id)
        .where(
            lanes.c.state == State.QUEUED,
            lanes.c.place <= endpoint.order.window,
            lanes.c.not_before_utc <= utc_text(now),
        )
        .order_by((lanes.c.mode == "stream").desc(), lanes.c.period_start_utc, lanes.c.place)
        .limit(room)
    )
    ids = list(conn.scalars(ready))
    for submission_id in ids:
        transition(conn, submission_id, State.QUEUED, State.SENDING, now)
    return _load(conn, ids)


def is_anything_ready(conn: Connection, endpoint: EndpointSpec, now: datetime) -> bool:
    """Whether a claim may find something; a cheap look that takes no write lock."""
    return (
        conn.scalar(
            select(submissions.c.submission_id)
            .where(
                submissions.c.endpoint_id == endpoint.endpoint_id,
                submissions.c.state == State.QUEUED,
                submissions.c.next_attempt_at_utc <= utc_text(now),
            )
            .limit(1)
        )
        is not None
    )


def settle_delivery(conn: Connection, claimed: Claimed, delivery: Delivery, now: datetime) -> None:
    """The receiver has it."""
    detail: dict[str, object] = {"wire_sha256": delivery.wire_sha256}
    if delivery.sequence is not None:
        detail["sequence"] = delivery.sequence
    if delivery.deviations:
        detail["deviations"] = list(delivery.deviations)
    outcome = Outcome(delivery.body, delivery.reference, claimed.attempts + 1, detail)
    acknowledge(conn, claimed.submission_id, outcome, now)


def settle_refusal(conn: Connection, claimed: Claimed, error: PermanentError, now: datetime) -> None:
    """The receiver refuses it for good."""
    reject(
        conn,
        claimed.submission_id,
        str(error),
        Outcome(error.body, error.reference, claimed.attempts + 1),
        now,
    )


def settle_failure(
    conn: Connection,
    claimed: Claimed,
    error: TransientError,
    endpoint: EndpointSpec,
    now: datetime,
    speed: float,
) -> State:
    """A try failed: back to the queue, or rejected when the endpoint answers others but never this one.

    Args:
        conn: the transaction.
        claimed: what was tried.
        error: why it failed; a fault of the endpoint as a whole does not count as a try.
        endpoint: whose rules hold.
        now: the plant's present.
        speed: plant seconds a second; backoff is meant in seconds of this machine.
    """
    tries = claimed.attempts + (0 if isinstance(error, EndpointError) else 1)
    if tries >= endpoint.retry.attempts and _answers_others(conn, claimed, endpoint):
        told = f"{error}; given up after {tries} tries, because {endpoint.endpoint_id} acknowledges others"
        reject(conn, claimed.submission_id, told, Outcome(error.body, None, tries), now)
        return State.REJECTED
    wait_s = backoff_s(endpoint.retry.backoff, max(tries, 1))
    transition(
        conn,
        claimed.submission_id,
        State.SENDING,
        State.QUEUED,
        now,
        detail={"error": str(error), "tries": tries, "wait_s": round(wait_s, 3)},
        attempts=tries,
        last_error=str(error),
        next_attempt_at_utc=utc_text(now + timedelta(seconds=wait_s * speed)),
    )
    return State.QUEUED


def backoff_s(backoff: Backoff, failures: int) -> float:
    """Seconds to wait after so many failures: growing, bounded, and a fifth either way by chance."""
    # The exponent is bounded too: an outage of days must not overflow a float.
    grown = min(backoff.first_s * backoff.factor ** min(failures - 1, 64), backoff.limit_s)
    return grown * _JITTER.uniform(0.8, 1.2)


def take_back(conn: Connection, endpoint_ids: Sequence[str], now: datetime) -> list[int]:
    """Queue again what a killed dispatcher left in `sending`; the same bytes will be sent again."""
    left = conn.scalars(
        select(submissions.c.submission_id).where(
            submissions.c.state == State.SENDING, submissions.c.endpoint_id.in_(endpoint_ids)
        )
    ).all()
    for submission_id in left:
        transition(
            conn,
            submission_id,
            State.SENDING,
            State.QUEUED,
            now,
            detail={"reason": "the dispatcher ended while sending"},
            next_attempt_at_utc=utc_text(now),
        )
    return [int(found) for found in left]


def expire_overdue(conn: Connection, endpoint: EndpointSpec, now: datetime) -> list[int]:
    """Give up some of what waited longer than the endpoint's rule allows; none left where it answers none."""
    rules = {
        "stream": endpoint.expire.stream_after_minutes,
        "scheduled": endpoint.expire.scheduled_after_minutes,
    }
    expired: list[int] = []
    for mode, minutes in rules.items():
        if minutes is None:
            continue
        overdue = conn.scalars(
            select(submissions.c.submission_id)
            .where(
                submissions.c.endpoint_id == endpoint.endpoint_id,
                submissions.c.state == State.QUEUED,
                submissions.c.mode == mode,
                submissions.c.due_at_utc < utc_text(now - timedelta(minutes=minutes)),
            )
            .limit(_EXPIRE_BATCH)
        ).all()
        for submission_id in overdue:
            expire(conn, submission_id, f"{mode} reports expire {minutes:g} minutes after they fall due", now)
        expired += [int(found) for found in overdue]
    return expired


def last_sequence(conn: Connection, endpoint_id: str, report_id: str) -> int:
    """The number of the report's submission that the receiver accepted last; 0 before the first."""
    detail = conn.scalar(
        select(submission_events.c.detail)
        .join(submissions, submissions.c.submission_id == submission_events.c.submission_id)
        # Walked backwards from the newest event, not from every submission of the report (`next_content`).
        .where(
            submissions.c.endpoint_id.concat("") == endpoint_id,
            submissions.c.report_id.concat("") == report_id,
            submission_events.c.to_state == State.ACKNOWLEDGED,
        )
        .order_by(submission_events.c.event_id.desc())
        .limit(1)
    )
    return 0 if detail is None else int(json.loads(detail)["sequence"])


def _answers_others(conn: Connection, claimed: Claimed, endpoint: EndpointSpec) -> bool:
    """Whether the endpoint acknowledged anything since this submission was first tried."""
    first_try = (
        select(func.min(submission_events.c.at_utc))
        .where(
            submission_events.c.submission_id == claimed.submission_id,
            submission_events.c.to_state == State.SENDING,
        )
        .scalar_subquery()
    )
    return (
        conn.scalar(
            select(submissions.c.submission_id)
            .where(
                submissions.c.endpoint_id == endpoint.endpoint_id,
                submissions.c.state == State.ACKNOWLEDGED,
                submissions.c.acknowledged_at_utc >= first_try,
            )
            .limit(1)
        )
        is not None
    )


def _load(conn: Connection, ids: Sequence[int]) -> list[Claimed]:
    rows = conn.execute(
        select(
            submissions.c.submission_id,
            submissions.c.report_id,
            submissions.c.subject_id,
            submissions.c.idempotency_key,
            submissions.c.mode,
            submissions.c.content,
            submissions.c.attempts,
        ).where(submissions.c.submission_id.in_(ids))
    )
    found = {row.submission_id: Claimed(**row._mapping) for row in rows}
    return [found[submission_id] for submission_id in ids]
