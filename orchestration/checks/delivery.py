"""Whether receipts are there when they should be: one check per report and endpoint."""

import dagster as dg

from exports.endpoints import EndpointSpec
from exports.reports import ReportSpec
from orchestration.assets.exports import export_key
from orchestration.delivery import overdue
from orchestration.labels import bilingual
from orchestration.location import Location
from orchestration.services import state_store

OVERDUE_CHECK = "receipts_on_time"
_SHOWN = 10


def delivery_checks(location: Location) -> list[dg.AssetChecksDefinition]:
    """The check of every report at every endpoint."""
    return [_on_time(location, report, endpoint) for report, endpoint in location.deliveries()]


def _on_time(location: Location, report: ReportSpec, endpoint: EndpointSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=export_key(report, endpoint),
        name=OVERDUE_CHECK,
        description=bilingual(
            f"到期 {report.grace_minutes:g} 分钟后仍无回执的上报",
            f"Submissions without a receipt {report.grace_minutes:g} minutes after they fell due.",
        ),
    )
    def on_time() -> dg.AssetCheckResult:
        with state_store(location.settings) as state:
            late = overdue(state, report.report_id, endpoint.endpoint_id, report.grace_minutes)
        return dg.AssetCheckResult(
            passed=not late,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"overdue": len(late), "oldest": "\n".join(late[:_SHOWN]) or "—"},
        )

    return on_time
