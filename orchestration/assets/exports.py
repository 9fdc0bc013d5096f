"""One asset per report and endpoint: what is queued for it, and what became of that.

Scheduled reports fill the outbox when they are materialised. Stream reports are sent by the dispatcher alone;
their assets show the ledger and are not run.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any

import dagster as dg

from exports.endpoints import EndpointSpec
from exports.outbox import BuildReport, build_due
from exports.reports import ReportSpec
from orchestration.failures import told_to_dagster
from orchestration.gating import Gatekeeper
from orchestration.labels import bilingual, team
from orchestration.location import Location
from orchestration.partitions import plant_days
from orchestration.services import export_site, state_store

_KINDS = {"hj212_tcp": {"tcp", "hj212"}, "https_json": {"https", "json"}}


def export_key(report: ReportSpec, endpoint: EndpointSpec) -> dg.AssetKey:
    """The asset of one report at one endpoint."""
    return dg.AssetKey(["export", endpoint.endpoint_id, report.report_id])


def export_assets(location: Location) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every report at every endpoint it goes to."""
    days = plant_days(location.settings)
    return [
        _scheduled(location, report, endpoint, days)
        if report.mode == "scheduled"
        else _spec(report, endpoint, _stream_sources(location), days)
        for report, endpoint in location.deliveries()
    ]


def _spec(
    report: ReportSpec,
    endpoint: EndpointSpec,
    deps: Sequence[dg.AssetKey],
    days: dg.PartitionsDefinition[str],
) -> dg.AssetSpec:
    grace = f"{report.grace_minutes:g}"
    zh = f"{report.label_zh} → {endpoint.label_zh}（{report.clause}；到期后 {grace} 分钟内应有回执）"
    en = f"{report.label_en} → {endpoint.label_en} ({report.clause}; a receipt is due {grace} min after)"
    return dg.AssetSpec(
        key=export_key(report, endpoint),
        deps=deps,
        description=bilingual(zh, en),
        group_name=f"export_{endpoint.endpoint_id}",
        owners=[team("environment")],
        kinds=_KINDS[endpoint.transport.type],
        tags={"chemlink/report": report.report_id, "chemlink/period": report.period.value},
        partitions_def=days,
    )


def _stream_sources(location: Location) -> list[dg.AssetKey]:
    return [
        dg.AssetKey(["raw", contract.name])
        for system in location.stream_systems
        for contract in system.tables
        if contract.table == "points" and system.owner == "environment"
    ]


def _scheduled(
    location: Location, report: ReportSpec, endpoint: EndpointSpec, days: dg.PartitionsDefinition[str]
) -> dg.AssetsDefinition:
    source = dg.AssetKey(["regulatory", report.source_table])

    @dg.multi_asset(
        name=f"export__{endpoint.endpoint_id}__{report.report_id}",
        specs=[_spec(report, endpoint, [source], days)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"outbox_{endpoint.endpoint_id}",
    )
    def export(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        settings = location.settings
        first = datetime.combine(context.partition_time_window.start.date(), time(), settings.zone)
        one = report.model_copy(update={"endpoints": (endpoint.endpoint_id,)})
        with state_store(settings) as state, told_to_dagster():
            site = export_site(settings, state)
            gate = Gatekeeper(settings, first.date())
            built = build_due(
                site, {report.report_id: one}, location.endpoints, since=first.astimezone(UTC), gate=gate
            )
        if report.report_id in built.held:
            verdict = built.held[report.report_id]
            raise dg.Failure(bilingual(verdict.detail_zh, verdict.detail_en), allow_retries=False)
        return dg.MaterializeResult(metadata=_metadata(built))

    return export


def _metadata(built: BuildReport) -> dict[str, Any]:
    return {
        "summary": built.summary(),
        "queued": len(built.enqueued),
        "corrections": len(built.corrections),
        "unchanged": built.unchanged,
        "missing": "\n".join(built.missing[:20]) or "—",
        "failed": "\n".join(built.failed[:20]) or "—",
        "refused": "\n".join(f"{r.reason_zh} / {r.reason_en}" for r in built.refused.values()) or "—",
        "delta_version": dg.MetadataValue.json(built.delta_versions),
    }
