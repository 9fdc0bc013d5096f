"""What exports tell people: one finding a fault, in Chinese and English, closed when the fault is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from exports.endpoints import EndpointSpec, Refusal
from exports.merkle_log import append_leaf
from exports.reports import ReportSpec
from exports.transports.base import Observation
from lake.findings import Finding, close_absent, close_finding, open_finding, open_findings

_SHOWN = 5


def note_refusal(conn: Connection, endpoint_id: str, refusal: Refusal | None, now: datetime) -> None:
    """An endpoint gets nothing, or may be addressed again; a new reason is a leaf in the log."""
    if refusal is None:
        close_absent(conn, "endpoint_refused", [], now=now, subject_prefix=f"{endpoint_id}/")
        return
    finding = Finding(
        kind="endpoint_refused",
        subject=f"{endpoint_id}/{refusal.code}",
        severity="warning" if refusal.code.startswith("status_") else "error",
        cause_zh=refusal.reason_zh,
        cause_en=refusal.reason_en,
        remedy_zh=f"确认后修改 endpoints/{endpoint_id}.yml 或补齐凭据，再运行导出",
        remedy_en=f"if it should get reports, edit endpoints/{endpoint_id}.yml or supply the secret",
    )
    if finding.key not in {row["finding_key"] for row in open_findings(conn, "endpoint_refused")}:
        append_leaf(conn, "refusal", {"endpoint_id": endpoint_id, "reason": refusal.reason_en}, now)
    open_finding(conn, finding, now=now)
    close_absent(conn, "endpoint_refused", [finding.key], now=now, subject_prefix=f"{endpoint_id}/")


def note_gate(
    conn: Connection, report: ReportSpec, passed: bool, detail_zh: str, detail_en: str, now: datetime
) -> None:
    """A report's quality gate stopped it, or lets it through again."""
    finding = Finding(
        kind="report_held",
        subject=report.report_id,
        severity="error",
        cause_zh=f"报告 {report.label_zh} 未通过质量检查 {report.gate}：{detail_zh or '无说明'}",
        cause_en=f"report {report.report_id} failed its gate {report.gate}: {detail_en or 'no detail'}",
        remedy_zh="查看该检查的失败项，更正源数据后重新运行；其他报告不受影响",
        remedy_en="look at the failed expectations, correct the data and run again; other reports go on",
    )
    if passed:
        close_finding(conn, finding.key, now=now)
    else:
        open_finding(conn, finding, now=now)


def note_missing(conn: Connection, report: ReportSpec, periods: Sequence[str], now: datetime) -> None:
    """Periods fell due without rows; one finding a report, closed when all are there."""
    key = f"report_rows_missing:{report.report_id}"
    if not periods:
        close_finding(conn, key, now=now)
        return
    finding = Finding(
        kind="report_rows_missing",
        subject=report.report_id,
        severity="error",
        cause_zh=f"报告 {report.label_zh} 有 {len(periods)} 个到期时段没有数据：{_some(periods)}",
        cause_en=f"report {report.report_id} has {len(periods)} due periods without rows: {_some(periods)}",
        remedy_zh=f"检查这些时段的采集与 {report.source_table} 的构建；数据补齐后会自动上报",
        remedy_en=f"check collection and the build of {report.source_table} then; once there, rows are sent",
    )
    open_finding(conn, finding, now=now)


def note_unrenderable(
    conn: Connection, report: ReportSpec, endpoint_id: str, faults: Sequence[str], now: datetime
) -> None:
    """Rows of some periods cannot be written; one finding a report and endpoint."""
    subject = f"{report.report_id}/{endpoint_id}"
    if not faults:
        close_finding(conn, f"report_unrenderable:{subject}", now=now)
        return
    finding = Finding(
        kind="report_unrenderable",
        subject=subject,
        severity="error",
        cause_zh=f"{len(faults)} 个时段无法生成报文：{_some(faults)}",
        cause_en=f"{len(faults)} periods cannot be written: {_some(faults)}",
        remedy_zh="按原因更正数据、因子表或接收端配置；其他时段照常上报",
        remedy_en="correct data, factor list or endpoint as the cause says; other periods go on",
    )
    open_finding(conn, finding, now=now)


def note_rejected(
    conn: Connection, endpoint: EndpointSpec, idempotency_key: str, error: str, now: datetime
) -> None:
    """The receiver refused a submission for good."""
    finding = Finding(
        kind="submission_rejected",
        subject=idempotency_key,
        severity="error",
        cause_zh=f"{endpoint.label_zh} 拒收 {idempotency_key}：{error}",
        cause_en=f"{endpoint.label_en} refused {idempotency_key}: {error}",
        remedy_zh="查看回执原文，更正数据后会以新的修订号重新上报",
        remedy_en="read the receipt; corrected data are sent again as a new revision",
    )
    open_finding(conn, finding, now=now)


def note_resting(conn: Connection, endpoint: EndpointSpec, error: str | None, now: datetime) -> None:
    """An endpoint answers nobody, or answers again."""
    key = f"endpoint_unreachable:{endpoint.endpoint_id}"
    if error is None:
        close_finding(conn, key, now=now)
        return
    finding = Finding(
        kind="endpoint_unreachable",
        subject=endpoint.endpoint_id,
        severity="error",
        cause_zh=f"{endpoint.label_zh} 暂时无法投递：{error}",
        cause_en=f"{endpoint.label_en} takes nothing at present: {error}",
        remedy_zh="检查网络、地址和凭据；报文已排队，恢复后自动按序补发",
        remedy_en="check network, address and credentials; submissions wait and leave in order afterwards",
    )
    open_finding(conn, finding, now=now)


def note_out_of_step(
    conn: Connection, endpoint_id: str, report_id: str, ours: int, theirs: int, now: datetime
) -> None:
    """The receiver counts another number of accepted submissions than our ledger."""
    finding = Finding(
        kind="receiver_out_of_step",
        subject=f"{endpoint_id}/{report_id}",
        severity="error",
        cause_zh=f"{endpoint_id} 期望 {report_id} 的序号为 {theirs}，本地台账为 {ours}",
        cause_en=f"{endpoint_id} expects number {theirs} of {report_id}, our ledger says {ours}",
        remedy_zh="已按对方序号续发；请与平台核对缺失或多出的记录",
        remedy_en="sending goes on with their number; compare records with the receiver",
    )
    open_finding(conn, finding, now=now)


def note_observation(
    conn: Connection, endpoint: EndpointSpec, observation: Observation, now: datetime
) -> None:
    """A receiver commanded what only the control zone may do, or left the protocol; always a leaf."""
    finding = Finding(
        kind=observation.kind,
        subject=f"{endpoint.endpoint_id}/{observation.subject}",
        severity="warning",
        cause_zh=f"{endpoint.label_zh}：{observation.detail_zh}",
        cause_en=f"{endpoint.label_en}: {observation.detail_en}",
        remedy_zh=observation.remedy_zh,
        remedy_en=observation.remedy_en,
    )
    open_finding(conn, finding, now=now)
    facts = {
        "endpoint_id": endpoint.endpoint_id,
        "subject": observation.subject,
        "detail": observation.detail_en,
        "received": observation.body.decode("utf-8", errors="replace"),
    }
    append_leaf(conn, observation.kind, facts, now)


def _some(listed: Sequence[str]) -> str:
    more = f" … (+{len(listed) - _SHOWN})" if len(listed) > _SHOWN else ""
    return "; ".join(listed[:_SHOWN]) + more
