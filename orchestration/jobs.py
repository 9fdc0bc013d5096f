"""The phases of a tick as Dagster jobs, so that each can also be run from the UI.

Phases are runs of their own, because inside one run a failed step skips everything behind it: a source that
is down must not stop the models, and a failed model must not stop a report that does not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration.assets.exports import export_key
from orchestration.assets.operations import CATALOG_KEY
from orchestration.assets.streams import raw_key
from orchestration.checks.contracts import SCHEMA_CHECK, VALUES_CHECK
from orchestration.location import Location
from orchestration.ops_mirror import MIRRORED

EXTRACT, STREAM_CHECKS, MODELS, GATES, EXPORTS, OPERATIONS = (
    "extract",
    "stream_checks",
    "models",
    "gates",
    "exports",
    "operations",
)


def phase_jobs(location: Location, models: dg.AssetsDefinition, gates: Sequence[Any]) -> list[Any]:
    """One job a phase, in the order of a tick."""
    return [
        dg.define_asset_job(
            EXTRACT,
            dg.AssetSelection.assets(
                *(raw_key(c) for system in location.extracted_systems for c in system.tables)
            ),
            description="抽取各业务表并按合同检查 · Extract every business table and check it.",
        ),
        dg.define_asset_job(
            STREAM_CHECKS,
            dg.AssetSelection.checks(*_stream_checks(location)),
            description="检查最近到达的数据段 · Check the segments that arrived last.",
        ),
        dg.define_asset_job(
            MODELS,
            dg.AssetSelection.assets(models),
            description="dbt 构建并发布 · Build with dbt and publish what changed.",
        ),
        dg.define_asset_job(
            GATES,
            dg.AssetSelection.checks(*gates),
            description="报告发送前的质量关卡 · Gates before reports.",
        ),
        dg.define_asset_job(
            EXPORTS,
            dg.AssetSelection.assets(
                *(export_key(r, e) for r, e in location.deliveries() if r.mode == "scheduled")
            ),
            description="到期报告入发件箱 · Queue the reports that are due.",
        ),
        dg.define_asset_job(
            OPERATIONS,
            dg.AssetSelection.assets(*(["ops", table.name] for table in MIRRORED), CATALOG_KEY),
            description="镜像状态、重建目录 · Mirror the state store, rebuild the catalogue.",
        ),
    ]


def _stream_checks(location: Location) -> list[dg.AssetCheckKey]:
    return [
        dg.AssetCheckKey(raw_key(contract), name)
        for system in location.stream_systems
        for contract in system.tables
        for name in (SCHEMA_CHECK, VALUES_CHECK)
    ]
