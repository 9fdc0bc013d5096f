from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.periods import PeriodKind, complete_periods, period_at
from exports.reports import due_periods
from tests.fakes.export_site import ZONE, local, report

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("kind", "moment", "start", "end"),
    [
        (PeriodKind.TEN_MINUTE, "2026-11-17T01:29:59", "2026-11-17T01:20:00", "2026-11-17T01:30:00"),
        (PeriodKind.TEN_MINUTE, "2026-11-17T01:30:00", "2026-11-17T01:30:00", "2026-11-17T01:40:00"),
        (PeriodKind.HOUR, "2026-11-17T00:00:00", "2026-11-17T00:00:00", "2026-11-17T01:00:00"),
        (PeriodKind.DAY, "2026-11-17T07:59:59", "2026-11-17T00:00:00", "2026-11-18T00:00:00"),
        (PeriodKind.REAL_TIME, "2026-11-17T01:00:59", "2026-11-17T01:00:00", "2026-11-17T01:01:00"),
    ],
)
def test_a_period_is_counted_on_the_plants_wall_clock(
    kind: PeriodKind, moment: str, start: str, end: str
) -> None:
    period = period_at(kind, local(moment), ZONE)
    assert (period.start_utc, period.end_utc) == (local(start), local(end))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.sampled_from(list(PeriodKind)))  # noqa: DTZ001
def test_periods_are_half_open_and_leave_no_gap_even_where_clocks_change(
    naive: datetime, kind: PeriodKind
) -> None:
    moment = naive.replace(tzinfo=UTC)
    period = period_at(kind, moment, BERLIN)
    assert period.start_utc <= moment < period.end_utc
    assert period_at(kind, period.end_utc, BERLIN).start_utc == period.end_utc
    assert period_at(kind, period.end_utc - timedelta(microseconds=1), BERLIN) == period


def test_a_day_on_which_clocks_go_back_has_25_hours() -> None:
    day = period_at(PeriodKind.DAY, datetime(2026, 10, 25, 12, tzinfo=UTC), BERLIN)
    assert day.end_utc - day.start_utc == timedelta(hours=25)


def test_complete_periods_begin_at_the_first_whole_one_and_end_with_the_last_that_is_over() -> None:
    found = complete_periods(
        PeriodKind.HOUR, local("2026-11-17T00:20:00"), local("2026-11-17T03:00:00"), ZONE
    )
    assert [period.start_utc for period in found] == [
        local("2026-11-17T01:00:00"),
        local("2026-11-17T02:00:00"),
    ]


@pytest.mark.parametrize(
    ("now", "count"), [("01:09:59", 0), ("01:10:00", 1), ("02:09:59", 1), ("02:10:00", 2)]
)
def test_a_period_falls_due_its_due_minutes_after_it_ends(now: str, count: int) -> None:
    spec = report(due_minutes=10)
    due = due_periods(spec, local("2026-11-17T00:00:00"), local(f"2026-11-17T{now}"), ZONE)
    assert len(due) == count


def test_a_report_is_late_after_due_time_and_grace() -> None:
    spec = report(due_minutes=10, grace_minutes=30)
    period = period_at(PeriodKind.HOUR, local("2026-11-17T00:00:00"), ZONE)
    assert spec.due_at(period) == local("2026-11-17T01:10:00")
    assert spec.late_at(period) == local("2026-11-17T01:40:00")
