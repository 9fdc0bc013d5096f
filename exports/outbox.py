"""Filling the outbox: everything that has fallen due and is not there yet, once.

Nothing here sends. A period that is already queued with the same content stays as it is; one whose content
changed after the receiver acknowledged or refused it is queued again as a correction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exports import notices
from exports.endpoints import EndpointSpec, Refusal, refusal_of
from exports.errors import RenderError, SpecError
from exports.periods import Period
from exports.regulatory import PeriodRows, read_due
from exports.render.numbers import factor_decimals
from exports.render.report import Rendering, body_of, number_of, unnumbered
from exports.reports import ReportSpec
from exports.revisions import latest_revisions, next_content, reason_of, settled_submission, stands
from exports.site import ExportSite
from exports.submissions import NewSubmission, enqueue
from lake.state import from_utc_text


@dataclass(frozen=True)
class GateVerdict:
    """What a report's quality gate says; a failed one stops that report and no other."""

    passed: bool
    detail_zh: str
    detail_en: str


Gate = Callable[[ReportSpec], GateVerdict]


@dataclass
class BuildReport:
    """What one build did.

    Attributes:
        enqueued: idempotency keys of first submissions.
        corrections: idempotency keys of later revisions.
        unchanged: how many due submissions were there already.
        missing: `report: subject period` that fell due without rows.
        failed: `report: subject period: why` that could not be rendered.
        refused: why an endpoint got nothing.
        held: why a report was stopped by its gate.
        delta_versions: which version of each table was read.
    """

    enqueued: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    unchanged: int = 0
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refused: dict[str, Refusal] = field(default_factory=dict)
    held: dict[str, GateVerdict] = field(default_factory=dict)
    delta_versions: dict[str, int] = field(default_factory=dict)

    def summary(self) -> str:
        """One line for a log."""
        return (
            f"{len(self.enqueued)} queued, {len(self.corrections)} corrections, {self.unchanged} unchanged, "
            f"{len(self.missing)} missing, {len(self.failed)} failed, "
            f"endpoints refused: {', '.join(sorted(self.refused)) or 'none'}, "
            f"reports held: {', '.join(sorted(self.held)) or 'none'}"
        )


@dataclass(frozen=True)
class _Ready:
    """A rendered period of one subject."""

    subject_id: str
    period: Period
    body: bytes


def build_due(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    *,
    since: datetime,
    gate: Gate | None = None,
) -> BuildReport:
    """Queue every scheduled report that has fallen due and is not in the outbox yet.

    Args:
        site: the plant.
        reports: reports to look at; those of other modes are left alone.
        endpoints: endpoints by id.
        since: periods that start earlier are not looked at.
        gate: asked once for each report that names a gate.

    Raises:
        SpecError: a report names an endpoint that is not declared, or a gate where none is given.
    """
    done = BuildReport()
    rendering = Rendering(site.site_id, site.zone, factor_decimals())
    for report in reports.values():
        if report.mode != "scheduled":
            continue
        if not _passes(site, report, gate, done):
            continue
        due = read_due(site, report, since)
        if due.delta_version is not None:
            done.delta_versions[report.source_table] = due.delta_version
        _tell_missing(site, report, due, done)
        for endpoint in addressed(site, report, endpoints, done.refused):
            ready = _render(site, report, endpoint, due, rendering, done)
            _enqueue_ready(site, report, endpoint, ready, due.delta_version, since, done)
    return done


def resubmit(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    idempotency_key: str,
    reason: str,
) -> str:
    """Queue the same content again as a further revision, because a person asks for it.

    Args:
        site: the plant.
        reports: reports by id.
        endpoints: endpoints by id.
        idempotency_key: the settled submission, the latest of its period.
        reason: who wants it and why, for ledger and log.

    Returns:
        The new submission's idempotency key.

    Raises:
        ExportError: there is no such submission, it is not settled, or a later revision exists.
    """
    with site.state.begin() as conn:
        row = settled_submission(conn, idempotency_key)
        report = reports[row.report_id]
        revision = row.revision + 1
        content = next_content(
            conn,
            site,
            report,
            endpoints[row.endpoint_id],
            row.subject_id,
            body=unnumbered(report, row.content),
            revision=revision,
        )
        new = NewSubmission(
            report_id=row.report_id,
            endpoint_id=row.endpoint_id,
            subject_id=row.subject_id,
            period_start_utc=from_utc_text(row.period_start_utc),
            revision=revision,
            mode=row.mode,
            content=content,
            due_at_utc=from_utc_text(row.due_at_utc),
            reason=f"resubmission: {reason}",
            source_table=row.source_table,
            delta_version=row.delta_version,
            number=number_of(report, content),
        )
        enqueue(conn, new, site.clock.now())
    return new.idempotency_key


def addressed(
    site: ExportSite,
    report: ReportSpec,
    endpoints: Mapping[str, EndpointSpec],
    refused: dict[str, Refusal],
) -> list[EndpointSpec]:
    """The report's endpoints that may be addressed now; for the others the reason is recorded."""
    allowed = []
    for endpoint in _declared(report, endpoints):
        refusal = refusal_of(endpoint, site.environment, site.secrets)
        with site.state.begin() as conn:
            notices.note_refusal(conn, endpoint.endpoint_id, refusal, site.clock.now())
        if refusal is None:
            allowed.append(endpoint)
        else:
            refused[endpoint.endpoint_id] = refusal
    return allowed


def _declared(report: ReportSpec, endpoints: Mapping[str, EndpointSpec]) -> list[EndpointSpec]:
    unknown = [name for name in report.endpoints if name not in endpoints]
    if unknown:
        msg = (
            f"report {report.report_id} goes to {', '.join(unknown)}, which no endpoint file declares; "
            f"declared are {', '.join(sorted(endpoints)) or 'none'}; add the file or correct the exposure"
        )
        raise SpecError(msg)
    return [endpoints[name] for name in report.endpoints]


def _passes(site: ExportSite, report: ReportSpec, gate: Gate | None, done: BuildReport) -> bool:
    if report.gate is None:
        return True
    if gate is None:
        msg = (
            f"report {report.report_id} must pass gate {report.gate} first, and nobody was given to ask; "
            "call build_due with a gate, or take the gate out of the exposure"
        )
        raise SpecError(msg)
    verdict = gate(report)
    with site.state.begin() as conn:
        notices.note_gate(
            conn, report, verdict.passed, verdict.detail_zh, verdict.detail_en, site.clock.now()
        )
    if not verdict.passed:
        done.held[report.report_id] = verdict
    return verdict.passed


def _tell_missing(site: ExportSite, report: ReportSpec, due: PeriodRows, done: BuildReport) -> None:
    told = [
        f"{report.report_id}: {subject_id} {period.start_utc.astimezone(site.zone):%Y-%m-%d %H:%M}"
        for subject_id, period in due.missing
    ]
    done.missing += told
    with site.state.begin() as conn:
        notices.note_missing(conn, report, told, site.clock.now())


def _render(
    site: ExportSite,
    report: ReportSpec,
    endpoint: EndpointSpec,
    due: PeriodRows,
    rendering: Rendering,
    done: BuildReport,
) -> list[_Ready]:
    ready: list[_Ready] = []
    faults: list[str] = []
    for (subject_id, period), rows in due.rows.items():
        try:
            body = body_of(report, endpoint, rows, period.start_utc, rendering)
        except RenderError as error:  # one bad period must not keep back the others
            faults.append(f"{report.report_id}: {subject_id} {period.start_utc.isoformat()}: {error}")
        else:
            ready.append(_Ready(subject_id, period, body))
    done.failed += faults
    with site.state.begin() as conn:
        notices.note_unrenderable(conn, report, endpoint.endpoint_id, faults, site.clock.now())
    return ready


def _enqueue_ready(
    site: ExportSite,
    report: ReportSpec,
    endpoint: EndpointSpec,
    ready: list[_Ready],
    delta_version: int | None,
    since: datetime,
    done: BuildReport,
) -> None:
    """Queue what is new or changed, all in one transaction."""
    with site.state.begin() as conn:
        latest = latest_revisions(conn, report, endpoint, since)
        for item in ready:
            stored = latest.get((item.subject_id, item.period.start_utc))
            if stored is not None and stands(report, stored, item.body):
                done.unchanged += 1
                continue
            revision = 0 if stored is None else stored.revision + 1
            content = next_content(
                conn, site, report, endpoint, item.subject_id, body=item.body, revision=revision
            )
            new = NewSubmission(
                report_id=report.report_id,
                endpoint_id=endpoint.endpoint_id,
                subject_id=item.subject_id,
                period_start_utc=item.period.start_utc,
                revision=revision,
                mode="scheduled",
                content=content,
                due_at_utc=report.due_at(item.period),
                reason=reason_of(stored),
                source_table=report.source_table,
                delta_version=delta_version,
                number=number_of(report, content),
            )
            enqueue(conn, new, site.clock.now())
            (done.corrections if revision else done.enqueued).append(new.idempotency_key)
