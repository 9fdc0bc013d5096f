"""The phases of a tick as Dagster jobs, so that each can also be run from the UI.

Phases are runs of their own, because inside one run a failed step skips everything behind it: a source that
is down must not stop the models, and a failed model must not stop a report that does not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration.assets.computations import COMPUTATIONS
from orchestration.assets.exports import export_key
from orchestration.assets.operations import CATALOG_KEY
from orchestration.assets.streams import raw_key
from orchestration.assets.upkeep import UPKEEP_KEY
from orchestration.checks.contracts import SCHEMA_CHECK, VALUES_CHECK
from orchestration.location import Location
from orchestration.ops_mirror import MIRRORED

EXTRACT = "extract"
STREAM_CHECKS = "stream_checks"
MODELS = "models"
GATES = "gates"
EXPORTS = "exports"
OPERATIONS = "operations"
UPKEEP = "upkeep"


def phase_jobs(
    location: Location,
    *,
    models: dg.AssetsDefinition,
    gates: Sequence[dg.AssetChecksDefinition],
    afterwards: Sequence[dg.AssetChecksDefinition],
) -> list[Any]:
    """One job a phase, in the order of a tick."""
    asked = dg.AssetSelection.checks(*gates)
    looked_back = dg.AssetSelection.checks(*afterwards)
    selections = {
        EXTRACT: (
            _extracts(location),
            "抽取各业务表并按合同检查 · Extract every business table and check it.",
        ),
        STREAM_CHECKS: (
            _stream_checks(location),
            "检查最近到达的数据段 · Check the segments that arrived last.",
        ),
        MODELS: (
            dg.AssetSelection.assets(models) - asked - looked_back,
            "dbt 构建并发布 · Build with dbt, publish what changed.",
        ),
        GATES: (asked, "报告发送前的质量关卡 · The gates before reports."),
        EXPORTS: (_exports(location), "到期报告入发件箱 · Queue the reports that are due."),
        OPERATIONS: (
            _operations() | looked_back,
            "镜像状态、重建目录、检查回执 · Mirror the state store, rebuild the catalogue, check receipts.",
        ),
        UPKEEP: (dg.AssetSelection.assets(UPKEEP_KEY), "湖的日常维护 · Compact, checkpoint and vacuum."),
    }
    return [
        dg.define_asset_job(name, chosen, description=text) for name, (chosen, text) in selections.items()
    ]


def _extracts(location: Location) -> dg.AssetSelection:
    return dg.AssetSelection.assets(
        *(raw_key(contract) for system in location.extracted_systems for contract in system.tables)
    )


def _stream_checks(location: Location) -> dg.AssetSelection:
    keys = [raw_key(contract) for system in location.stream_systems for contract in system.tables]
    return dg.AssetSelection.checks(
        *(dg.AssetCheckKey(key, name) for key in keys for name in (SCHEMA_CHECK, VALUES_CHECK))
    )


def _exports(location: Location) -> dg.AssetSelection:
    """Without their checks: a receipt cannot be there in the moment a report is queued."""
    scheduled = [
        export_key(report, endpoint)
        for report, endpoint in location.deliveries()
        if report.mode == "scheduled"
    ]
    return dg.AssetSelection.assets(*scheduled).without_checks()


def _operations() -> dg.AssetSelection:
    tables = [["ops", name] for name in (*(table.name for table in MIRRORED), COMPUTATIONS)]
    return dg.AssetSelection.assets(*tables, CATALOG_KEY)
