"""How delivery stands now: submissions by state, and those whose receipt is late.

How periods fared over time is `exports.ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from lake.state import StateStore, utc_text
from lake.state_tables import submissions
from orchestration.services import state_store
from orchestration.settings import Settings

STATES = ("queued", "sending", "acknowledged", "rejected", "expired")


@dataclass(frozen=True)
class Delivery:
    """The submissions of one report to one endpoint, by state."""

    report_id: str
    endpoint_id: str
    queued: int
    sending: int
    acknowledged: int
    rejected: int
    expired: int
    last_acknowledged_at_utc: str | None

    def cells(self) -> list[object]:
        """The row of a table."""
        return list(vars(self).values())


def delivery_report(settings: Settings, endpoint_id: str | None = None) -> list[Delivery]:
    """One row per report and endpoint that ever had a submission."""
    counts = [func.count().filter(submissions.c.state == name).label(name) for name in STATES]
    last = func.max(submissions.c.acknowledged_at_utc).label("last_acknowledged_at_utc")
    names = (submissions.c.report_id, submissions.c.endpoint_id)
    statement = select(*names, *counts, last).group_by(*names).order_by(*names)
    if endpoint_id is not None:
        statement = statement.where(submissions.c.endpoint_id == endpoint_id)
    with state_store(settings) as state, state.read() as connection:
        return [Delivery(**row) for row in connection.execute(statement).mappings()]


def overdue(state: StateStore, report_id: str, endpoint_id: str, grace_minutes: float) -> list[str]:
    """Idempotency keys of submissions whose receipt should be there by now and is not, oldest first."""
    late_since = utc_text(state.now() - timedelta(minutes=grace_minutes))
    statement = (
        select(submissions.c.idempotency_key)
        .where(
            submissions.c.report_id == report_id,
            submissions.c.endpoint_id == endpoint_id,
            submissions.c.state.in_(("queued", "sending")),
            submissions.c.due_at_utc < late_since,
            submissions.c.created_at_utc < late_since,  # a backlog queued just now gets its grace too
        )
        .order_by(submissions.c.due_at_utc)
    )
    with state.read() as connection:
        return list(connection.scalars(statement))
