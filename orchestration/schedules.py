"""When ticks run: by the regulation's periods on a plant's own clock, each minute on a simulated one."""

from __future__ import annotations

import dagster as dg

from exports.periods import PeriodKind
from exports.reports import ReportSpec
from orchestration.location import Location

_CRON = {
    PeriodKind.TEN_MINUTE: "{minute}-59/10 * * * *",
    PeriodKind.HOUR: "{minute} * * * *",
    PeriodKind.DAY: "{minute} {hour} * * *",
}
_LABELS = {
    PeriodKind.TEN_MINUTE: "十分钟数据到期后 · after ten-minute data fall due",
    PeriodKind.HOUR: "小时数据到期后 · after hourly data fall due",
    PeriodKind.DAY: "日数据到期后 · after daily data fall due",
}


def tick_schedules(location: Location, tick: dg.JobDefinition) -> list[dg.ScheduleDefinition]:
    """The schedules of the tick job.

    A simulated plant's minute is not the machine's, so cron times of the regulation would mean nothing there.
    """
    if location.settings.clock.speed != 1:
        return [
            dg.ScheduleDefinition(
                name="each_minute",
                job=tick,
                cron_schedule="* * * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="模拟时钟的站点每分钟执行一次 · Each minute, at a site whose clock is simulated.",
            )
        ]
    soonest: dict[PeriodKind, ReportSpec] = {}
    for report in location.reports.values():
        if report.period in _CRON:
            first = min(soonest.get(report.period, report), report, key=lambda spec: spec.due_minutes)
            soonest[report.period] = first
    return [_schedule(location, tick, report) for report in soonest.values()]


def _schedule(location: Location, tick: dg.JobDefinition, report: ReportSpec) -> dg.ScheduleDefinition:
    due = int(report.due_minutes) + 1  # the minute after the report falls due
    period_minutes = 10 if report.period is PeriodKind.TEN_MINUTE else 60
    cron = _CRON[report.period].format(minute=due % period_minutes, hour=due // 60 % 24)
    return dg.ScheduleDefinition(
        name=f"due_{report.period.value}",
        job=tick,
        cron_schedule=cron,
        execution_timezone=location.settings.site.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=_LABELS[report.period],
    )
