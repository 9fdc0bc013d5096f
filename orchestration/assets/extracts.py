"""One asset a raw business table: a thin shell around one extract, whose report becomes the metadata."""

from datetime import timedelta
from typing import Any

import dagster as dg

from contracts.model import Contract
from ingestion.context import ExtractReport
from ingestion.registry import SystemSpec
from orchestration.assets.streams import raw_key
from orchestration.failures import told_to_dagster
from orchestration.labels import SYSTEM_KINDS, bilingual, system_tags, table_description, table_metadata, team
from orchestration.location import Location
from orchestration.services import extract_context, state_store

EXTRACTED_AT = "extracted_at_utc"
_LATE_AFTER_CADENCES = 3
_SHORTEST_WINDOW = timedelta(hours=2)


def extract_assets(location: Location) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The source and raw assets of every system that is read by extracts."""
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for system in location.extracted_systems:
        assets.append(_source(system))
        assets += [_raw_table(location, system, contract) for contract in system.tables]
    return assets


def _source(system: SystemSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=["source", system.system_id],
        description=bilingual(
            f"{system.label_zh}：源系统，只读。", f"{system.label_en}: the source, only read."
        ),
        group_name=system.system_id,
        owners=[team(system.owner)],
        kinds=set(SYSTEM_KINDS[system.kind]) - {"deltalake"},
        tags=system_tags(system),
    )


def _raw_table(location: Location, system: SystemSpec, contract: Contract) -> dg.AssetsDefinition:
    @dg.asset(
        key=raw_key(contract),
        deps=[["source", system.system_id]],
        description=table_description(contract),
        group_name=system.system_id,
        owners=[team(contract.owner)],
        kinds=set(SYSTEM_KINDS[system.kind]),
        tags=system_tags(system),
        metadata=table_metadata(contract),
        freshness_policy=_freshness(contract),
        pool=f"delta_{contract.name}",
    )
    def raw_table(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        from ingestion.extract import extract_table

        settings = location.settings
        with state_store(settings) as state, told_to_dagster():
            report = extract_table(system, contract.table, extract_context(settings, state, context.run_id))
        return dg.MaterializeResult(metadata=_metadata(report, settings.clock.now().isoformat()))

    return raw_table


def _freshness(contract: Contract) -> dg.FreshnessPolicy:
    window = max(timedelta(seconds=contract.cadence_s * _LATE_AFTER_CADENCES), _SHORTEST_WINDOW)
    return dg.FreshnessPolicy.time_window(fail_window=window)


def _metadata(report: ExtractReport, extracted_at: str) -> dict[str, Any]:
    """What a steward sees of one extract; an empty one says which emptiness it was."""
    found: dict[str, Any] = {
        "outcome": report.outcome.value,
        "rows_read": report.rows_read,
        "dagster/partition_row_count": report.rows_upserted + report.rows_deleted,
        "rows_upserted": report.rows_upserted,
        "rows_deleted": report.rows_deleted,
        "rows_quarantined": report.rows_quarantined,
        "extract_sequence": report.extract_sequence,
        "delta_version": report.delta_version,
        "watermark": report.watermark,
        "first_event_at_utc": report.first_event_at_utc and report.first_event_at_utc.isoformat(),
        "last_event_at_utc": report.last_event_at_utc and report.last_event_at_utc.isoformat(),
        "warnings": "\n".join(report.warnings) or None,
        EXTRACTED_AT: extracted_at,
    }
    return {name: value for name, value in found.items() if value is not None}
