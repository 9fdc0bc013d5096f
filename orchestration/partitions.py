"""Days of the plant, as Dagster partitions."""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg

from orchestration.settings import Settings


def plant_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a calendar day of the plant, the running day included.

    A plant whose clock runs apart from the machine's ends at the plant's own day.
    """
    today = plant_today(settings)
    return dg.DailyPartitionsDefinition(
        start_date=settings.site.first_date.isoformat(),
        end_date=(today + timedelta(days=2)).isoformat() if settings.clock.speed != 1 else None,
        timezone=settings.site.zone,
        end_offset=1,
    )


def plant_today(settings: Settings) -> date:
    """The plant's present calendar day."""
    return settings.clock.now().astimezone(settings.zone).date()


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags that make a run cover the partitions from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
