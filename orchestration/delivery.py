"""Which submissions lack a receipt that should be there by now."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from lake.state import StateStore, utc_text
from lake.state_tables import submissions


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
        )
        .order_by(submissions.c.due_at_utc)
    )
    with state.read() as connection:
        return list(connection.scalars(statement))
