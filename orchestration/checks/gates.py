"""Gates as asset checks: on each regulatory table before its report, on each table kept by hand."""

import dagster as dg

from contracts.model import Contract, ExtractMode
from exports.reports import ReportSpec
from orchestration.assets.streams import raw_key
from orchestration.gating import Gatekeeper
from orchestration.labels import bilingual
from orchestration.location import Location
from orchestration.services import state_store
from orchestration.window import first_open_day
from quality_checks.verdicts import GateVerdict


def gate_name(report: ReportSpec) -> str:
    """The asset check of a report's gate."""
    return f"gate_{report.report_id}"


def gate_checks(location: Location) -> list[dg.AssetChecksDefinition]:
    """One check for each report that names a gate, one for each manual table."""
    gated = [report for report in location.reports.values() if report.gate is not None]
    manual = [contract for contract in location.contracts.values() if contract.mode is ExtractMode.MANUAL]
    return [
        *(_report_gate(location, report) for report in gated),
        *(_manual_gate(location, contract) for contract in manual),
    ]


def _report_gate(location: Location, report: ReportSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["regulatory", report.source_table],
        name=gate_name(report),
        blocking=True,
        description=bilingual(
            f"报告“{report.label_zh}”发送前的质量关卡；未通过只停这一份报告。",
            f"The quality gate before report {report.label_en!r}; failing it stops this report only.",
        ),
    )
    def gate() -> dg.AssetCheckResult:
        settings = location.settings
        return _result(Gatekeeper(settings, first_open_day(settings)).verdict(report))

    return gate


def _manual_gate(location: Location, contract: Contract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=raw_key(contract),
        name="gate_manual_records",
        description=bilingual("人工填报记录的质量关卡", "The quality gate on records kept by hand."),
    )
    def gate() -> dg.AssetCheckResult:
        from orchestration.checks.contracts import newest_rows
        from quality_checks.gates import check_manual

        with state_store(location.settings) as state:
            rows = newest_rows(location, contract, state)
        return _result(check_manual(contract, rows))

    return gate


def _result(verdict: GateVerdict) -> dg.AssetCheckResult:
    lines = [
        f"| {item.text_zh} / {item.text_en} | {item.row_count} | {'<br>'.join(item.examples)} |"
        for item in verdict.failures
    ]
    table = "\n".join(["| 规则 rule | 行数 rows | 例 examples |", "|---|---|---|", *lines])
    return dg.AssetCheckResult(
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=bilingual(verdict.summary_zh(), verdict.summary_en()),
        metadata={
            "suite": verdict.suite,
            "rows": verdict.rows,
            "rules": verdict.checked,
            "failures": dg.MetadataValue.md(table if lines else "—"),
        },
    )
