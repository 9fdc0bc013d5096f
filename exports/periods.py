"""Reporting periods: half-open, named by their start, counted in the plant's zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class PeriodKind(StrEnum):
    """How long a report's period is."""

    REAL_TIME = "real_time"
    TEN_MINUTE = "ten_minute"
    HOUR = "hour"
    DAY = "day"


_LENGTHS = {
    PeriodKind.REAL_TIME: timedelta(minutes=1),
    PeriodKind.TEN_MINUTE: timedelta(minutes=10),
    PeriodKind.HOUR: timedelta(hours=1),
}


@dataclass(frozen=True, order=True)
class Period:
    """A half-open interval of plant time; both ends aware, in UTC."""

    start_utc: datetime
    end_utc: datetime


def period_at(kind: PeriodKind, moment: datetime, zone: ZoneInfo) -> Period:
    """The period of `kind` that contains `moment`."""
    local = moment.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind is PeriodKind.DAY:
        # Wall-clock arithmetic: a calendar day is 23 or 25 hours long where clocks are put forward or back.
        return Period(midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC))
    length = _LENGTHS[kind]
    elapsed = moment.astimezone(UTC) - midnight.astimezone(UTC)
    start = midnight.astimezone(UTC) + (elapsed // length) * length
    return Period(start, start + length)


def complete_periods(kind: PeriodKind, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Period]:
    """Every period that starts at or after `since` and has ended by `until`, oldest first."""
    period = period_at(kind, since, zone)
    if period.start_utc < since:
        period = period_at(kind, period.end_utc, zone)
    while period.end_utc <= until:
        yield period
        period = period_at(kind, period.end_utc, zone)
