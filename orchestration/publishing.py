"""From dbt's private database to the lake: which days of which tables, and what became of them.

A day is published when the build is newer than what the lake holds of it, so a run that was killed between
build and publication is made good by the next one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from lake import tables
from lake.layout import LakePaths
from lake.publication import publish
from orchestration.dbt_translator import PARTITION_COLUMN, is_published, layer_of
from orchestration.location import Location

BUILT_AT = "_built_at_utc"


@dataclass(frozen=True)
class Published:
    """What the publication of one table did; no days where a table is whole each time."""

    delta_version: int | None
    rows: int
    days: tuple[date, ...]

    def metadata(self) -> dict[str, Any]:
        """What the UI shows of it."""
        found: dict[str, Any] = {"dagster/row_count": self.rows, "delta_version": self.delta_version}
        if self.days:
            found["published_days"] = ", ".join(day.isoformat() for day in self.days)
        return {name: value for name, value in found.items() if value is not None}


def publish_models(location: Location, built: Collection[dg.AssetKey]) -> dict[dg.AssetKey, Published]:
    """Publish every record among the built tables; the report of each, by asset."""
    reports = {}
    for properties in location.manifest["nodes"].values():
        key = dg.AssetKey([layer_of(properties), properties["name"]])
        if key in built and is_published(properties):
            is_daily = PARTITION_COLUMN in properties["columns"]
            reports[key] = _publish(
                location.settings.lake, layer_of(properties), properties["name"], is_daily
            )
    return reports


def _publish(lake: LakePaths, layer: str, name: str, is_daily: bool) -> Published:
    if not is_daily:
        report = publish(lake.build_db, lake, name, layer)
        return Published(report.delta_version, report.rows, ())
    days = newer_days(lake, layer, name)
    report = publish(
        lake.build_db, lake, name, layer, partition_column=PARTITION_COLUMN, partition_values=days
    )
    return Published(report.delta_version, report.rows, tuple(days))


def newer_days(lake: LakePaths, layer: str, name: str) -> list[date]:
    """Days that dbt built later than the lake's copy of them, oldest first."""
    stands = _built_in_lake(lake.table(layer, name))
    return sorted(
        day for day, at in _built_in_dbt(lake.build_db, layer, name).items() if stands.get(day) != at
    )


def _built_in_dbt(build_db: Path, layer: str, name: str) -> dict[date, datetime]:
    statement = f'select {PARTITION_COLUMN}, max({BUILT_AT}) from "{layer}"."{name}" group by 1'  # noqa: S608 - names come from the manifest
    with duckdb.connect(build_db, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return dict(connection.execute(statement).fetchall())


def _built_in_lake(path: Path) -> dict[date, datetime]:
    if not tables.exists(path):
        return {}
    rows = tables.read(path, columns=[PARTITION_COLUMN, BUILT_AT])
    newest = rows.group_by(PARTITION_COLUMN).aggregate([(BUILT_AT, "max")])
    return dict(zip(newest[PARTITION_COLUMN].to_pylist(), newest[f"{BUILT_AT}_max"].to_pylist(), strict=True))
