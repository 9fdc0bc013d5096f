"""What the outbox holds of a period already, and what a further revision of it is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from exports.endpoints import EndpointSpec
from exports.errors import ExportError
from exports.render.report import numbered, unnumbered
from exports.reports import ReportSpec
from exports.site import ExportSite
from exports.submissions import State
from lake.state import from_utc_text, utc_text
from lake.state_tables import submissions

_SETTLED = {State.ACKNOWLEDGED, State.REJECTED, State.EXPIRED}


@dataclass(frozen=True)
class Stored:
    """The latest revision of a period in the outbox."""

    state: State
    revision: int
    content: bytes


def latest_revisions(
    conn: Connection, report: ReportSpec, endpoint: EndpointSpec, since: datetime
) -> dict[tuple[str, datetime], Stored]:
    """The latest revision by subject and period start, of periods that start at or after `since`."""
    rows = conn.execute(
        select(
            submissions.c.subject_id,
            submissions.c.period_start_utc,
            submissions.c.state,
            submissions.c.revision,
            submissions.c.content,
        )
        .where(
            submissions.c.report_id == report.report_id,
            submissions.c.endpoint_id == endpoint.endpoint_id,
            submissions.c.period_start_utc >= utc_text(since),
        )
        .order_by(submissions.c.revision)  # a later revision takes the place of an earlier one
    )
    return {
        (row.subject_id, from_utc_text(row.period_start_utc)): Stored(
            State(row.state), row.revision, row.content
        )
        for row in rows
    }


def stands(report: ReportSpec, stored: Stored, body: bytes) -> bool:
    """Whether nothing is to be queued: it says the same, or its answer is still awaited."""
    return stored.state not in _SETTLED or unnumbered(report, stored.content) == body


def reason_of(stored: Stored | None) -> str:
    """Why a revision is queued, for ledger and log."""
    if stored is None:
        return "due"
    return f"correction: the content changed after revision {stored.revision} was {stored.state}"


def settled_submission(conn: Connection, idempotency_key: str) -> Any:
    """The row of a submission that is settled and the latest revision of its period.

    Raises:
        ExportError: it does not exist, is not settled, or has a later revision.
    """
    row = conn.execute(select(submissions).where(submissions.c.idempotency_key == idempotency_key)).first()
    if row is None:
        msg = f"resubmitting {idempotency_key}: the outbox holds no such submission; look the key up there"
        raise ExportError(msg)
    latest = conn.scalar(
        select(func.max(submissions.c.revision)).where(
            submissions.c.report_id == row.report_id,
            submissions.c.endpoint_id == row.endpoint_id,
            submissions.c.subject_id == row.subject_id,
            submissions.c.period_start_utc == row.period_start_utc,
        )
    )
    if row.state not in _SETTLED or latest != row.revision:
        msg = (
            f"resubmitting {idempotency_key}: it is {row.state} and the latest revision is {latest}; "
            "only the latest revision, once acknowledged, rejected or expired, can be submitted again"
        )
        raise ExportError(msg)
    return row


def next_content(
    conn: Connection,
    site: ExportSite,
    report: ReportSpec,
    endpoint: EndpointSpec,
    subject_id: str,
    *,
    body: bytes,
    revision: int,
) -> bytes:
    """`body` with numbers no earlier submission of this subject has; call it in the enqueuing transaction."""
    previous = conn.scalar(
        select(submissions.c.content)
        # The row is among the newest, so the table is walked backwards from its end. An index on the endpoint
        # would have all its rows sorted first; joining an empty text keeps the planner from taking one.
        .where(
            submissions.c.endpoint_id.concat("") == endpoint.endpoint_id,
            submissions.c.subject_id == subject_id,
        )
        .order_by(submissions.c.submission_id.desc())
        .limit(1)
    )
    return numbered(report, body, revision=revision, now=site.clock.now(), zone=site.zone, previous=previous)
