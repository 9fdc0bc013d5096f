"""Read models of the ledger: what was delivered when, and what happened to one submission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from exports.periods import complete_periods
from exports.reports import ReportSpec
from exports.site import ExportSite
from exports.submissions import State
from lake.state import from_utc_text, utc_text
from lake.state_tables import receipts, submission_events, submissions


@dataclass(frozen=True)
class DeliveryLine:
    """How one report fared at one endpoint; a subject's period counts once, whatever its revisions.

    Attributes:
        on_time: acknowledged within due time and grace.
        late: acknowledged after that.
        waiting: not acknowledged, and still in time.
        overdue: not acknowledged, and the time is over.
        rejected: refused by the receiver, no revision acknowledged.
        expired: given up, no revision acknowledged.
        missing: due, and never queued (scheduled reports).
        corrections: revisions after the first.
    """

    report_id: str
    endpoint_id: str
    on_time: int
    late: int
    waiting: int
    overdue: int
    rejected: int
    expired: int
    missing: int
    corrections: int


@dataclass(frozen=True)
class History:
    """All that happened to one submission: its row without content, its transitions, its receipts."""

    submission: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    receipts: Sequence[Mapping[str, Any]]


def delivery_report(
    site: ExportSite, reports: Mapping[str, ReportSpec], since: datetime
) -> list[DeliveryLine]:
    """One line a report and endpoint, over periods that start at or after `since`."""
    now = site.clock.now()
    return [
        _line(site, report, endpoint_id, since, now)
        for report in reports.values()
        for endpoint_id in report.endpoints
    ]


def history_of(site: ExportSite, idempotency_key: str) -> History | None:
    """Everything the ledger knows of one submission; nothing where there is none of that key."""
    columns = [column for column in submissions.c if column.name != "content"]
    with site.state.read() as conn:
        row = conn.execute(select(*columns).where(submissions.c.idempotency_key == idempotency_key)).first()
        if row is None:
            return None
        events = select(submission_events).where(submission_events.c.submission_id == row.submission_id)
        answers = select(receipts).where(receipts.c.submission_id == row.submission_id)
        return History(
            dict(row._mapping),
            [dict(found) for found in conn.execute(events.order_by(submission_events.c.event_id)).mappings()],
            [dict(found) for found in conn.execute(answers.order_by(receipts.c.receipt_id)).mappings()],
        )


def _line(
    site: ExportSite, report: ReportSpec, endpoint_id: str, since: datetime, now: datetime
) -> DeliveryLine:
    revisions = _revisions(site, report.report_id, endpoint_id, since)
    grace = timedelta(minutes=report.grace_minutes)
    fates = Counter(_fate(rows, grace, now) for rows in revisions.values())
    return DeliveryLine(
        report_id=report.report_id,
        endpoint_id=endpoint_id,
        on_time=fates["on_time"],
        late=fates["late"],
        waiting=fates["waiting"],
        overdue=fates["overdue"],
        rejected=fates["rejected"],
        expired=fates["expired"],
        missing=_count_missing(site, report, revisions, now),
        corrections=sum(len(rows) - 1 for rows in revisions.values()),
    )


def _revisions(
    site: ExportSite, report_id: str, endpoint_id: str, since: datetime
) -> dict[tuple[str, datetime], list[Any]]:
    statement = (
        select(
            submissions.c.subject_id,
            submissions.c.period_start_utc,
            submissions.c.state,
            submissions.c.due_at_utc,
            submissions.c.acknowledged_at_utc,
        )
        .where(
            submissions.c.report_id == report_id,
            submissions.c.endpoint_id == endpoint_id,
            submissions.c.period_start_utc >= utc_text(since),
        )
        .order_by(submissions.c.revision)
    )
    found: dict[tuple[str, datetime], list[Any]] = {}
    with site.state.read() as conn:
        for row in conn.execute(statement):
            found.setdefault((row.subject_id, from_utc_text(row.period_start_utc)), []).append(row)
    return found


def _fate(rows: Sequence[Any], grace: timedelta, now: datetime) -> str:
    """How the period fared: by its first acknowledged revision, else by its last."""
    limit = from_utc_text(rows[0].due_at_utc) + grace
    for row in rows:
        if row.state == State.ACKNOWLEDGED:
            return "on_time" if from_utc_text(row.acknowledged_at_utc) <= limit else "late"
    if rows[-1].state in (State.REJECTED, State.EXPIRED):
        return str(rows[-1].state)
    return "waiting" if now <= limit else "overdue"


def _count_missing(
    site: ExportSite, report: ReportSpec, revisions: Mapping[tuple[str, datetime], Any], now: datetime
) -> int:
    """Due periods after a subject's first one that were never queued; a stream has none by schedule."""
    if report.mode == "stream":
        return 0
    settled_by = now - timedelta(minutes=report.due_minutes)
    first: dict[str, datetime] = {}
    for subject_id, start in revisions:
        first[subject_id] = min(start, first.get(subject_id, start))
    return sum(
        (subject_id, period.start_utc) not in revisions
        for subject_id, begun in first.items()
        for period in complete_periods(report.period, begun, settled_by, site.zone)
    )
