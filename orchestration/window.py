"""How far back a tick looks: periods older than this are settled and left alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from orchestration.settings import Settings

OPEN_DAYS = 7


def first_open_day(settings: Settings) -> date:
    """The first plant day whose reports may still be queued or corrected by a tick."""
    today = settings.clock.now().astimezone(settings.zone).date()
    return max(settings.site.first_date, today - timedelta(days=OPEN_DAYS))


def first_open_instant(settings: Settings) -> datetime:
    """The instant at which that day begins."""
    return datetime.combine(first_open_day(settings), time(), settings.zone).astimezone(UTC)
