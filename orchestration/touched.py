"""Which plant days a build concerns: those with points that landed since the last build that succeeded."""

from __future__ import annotations

from datetime import date, datetime

import dagster as dg

from lake import tables
from orchestration.location import Location
from orchestration.window import first_open_day

BEGAN_TAG = "chemlink/began_at_utc"


def first_touched_day(location: Location, instance: dg.DagsterInstance, job: str) -> date:
    """The earliest day with points that landed since the last successful run of `job`; today where none did.

    Before the first run, and after one that left no mark, every open day counts as touched.
    """
    settings = location.settings
    wanted = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
    last = next(iter(instance.get_runs(wanted, limit=1)), None)
    if last is None or BEGAN_TAG not in last.tags:
        return first_open_day(settings)
    since = datetime.fromisoformat(last.tags[BEGAN_TAG])
    today = settings.clock.now().astimezone(settings.zone).date()
    return min([today, *_days_landed_since(location, since)])


def _days_landed_since(location: Location, since: datetime) -> set[date]:
    days: set[date] = set()
    for system in location.stream_systems:
        path = location.settings.lake.table("raw", f"raw_{system.system_id}__points")
        if tables.exists(path):
            landed = tables.read(path, columns=["source_date"], filters=[("_ingested_at_utc", ">=", since)])
            days |= set(landed["source_date"].unique().to_pylist())
    return days
