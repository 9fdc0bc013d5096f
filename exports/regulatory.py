"""Reading a report's due rows from its regulatory Delta table, at one recorded version."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from exports.periods import Period
from exports.render.report import Row, subjects_of
from exports.reports import ReportSpec, due_periods
from exports.site import ExportSite
from lake import tables


@dataclass(frozen=True)
class PeriodRows:
    """What has fallen due.

    Attributes:
        delta_version: the version read; nothing where there is no table yet.
        rows: by subject and period, oldest period first.
        missing: subjects that other periods have rows of and this one does not.
    """

    delta_version: int | None
    rows: dict[tuple[str, Period], list[Row]]
    missing: list[tuple[str, Period]]


def read_due(site: ExportSite, report: ReportSpec, since: datetime) -> PeriodRows:
    """The rows of every period of `report` that starts at or after `since` and has fallen due.

    Periods before the subject's first rows are no gap: the report began there.
    """
    path = site.lake.table("regulatory", report.source_table)
    version = tables.version(path)
    if version is None:
        return PeriodRows(None, {}, [])
    first_date = since.astimezone(site.zone).date()
    read = tables.read(path, filters=[("plant_date", ">=", first_date)], version=version)
    by_start: dict[datetime, list[Row]] = defaultdict(list)
    for row in read.to_pylist():
        by_start[row["period_start_utc"]].append(row)
    rows: dict[tuple[str, Period], list[Row]] = {}
    missing: list[tuple[str, Period]] = []
    begun: set[str] = set()
    for period in due_periods(report, since, site.clock.now(), site.zone):
        found = subjects_of(report, by_start.get(period.start_utc, []), site.site_id)
        rows.update({(subject_id, period): listed for subject_id, listed in found.items()})
        missing += [(subject_id, period) for subject_id in sorted(begun - set(found))]
        begun |= set(found)
    return PeriodRows(version, rows, missing)
