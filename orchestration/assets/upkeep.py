"""The daily upkeep of the lake: files joined, checkpoints written, what nobody may ask for removed."""

from typing import Any

import dagster as dg

from orchestration.labels import bilingual, team
from orchestration.location import Location
from orchestration.partitions import plant_today

UPKEEP_KEY = dg.AssetKey(["ops", "lake_upkeep"])
KEPT_UP_ON = "kept_up_on"


def upkeep_asset(location: Location) -> dg.AssetsDefinition:
    """Every Delta table, as its own properties say; conflicts with appends are left for the next day."""

    @dg.asset(
        key=UPKEEP_KEY,
        group_name="operations",
        owners=[team("data_platform")],
        kinds={"deltalake"},
        description=bilingual(
            "湖的日常维护：合并小文件、写检查点、按保留期清理。",
            "Daily upkeep of the lake: compaction, checkpoints, vacuum within each table's retention.",
        ),
        pool="lake_upkeep",
    )
    def lake_upkeep() -> dg.MaterializeResult[Any]:
        from lake.maintenance import maintain_all

        today = plant_today(location.settings)
        reports = maintain_all(location.settings.lake, today=today)
        return dg.MaterializeResult(
            metadata={
                KEPT_UP_ON: today.isoformat(),
                "tables": len(reports),
                "files_before": sum(report.files_before for report in reports),
                "files_after": sum(report.files_after for report in reports),
                "files_removed": sum(report.vacuumed for report in reports),
                "postponed": sum(len(report.postponed) for report in reports),
            }
        )

    return lake_upkeep
