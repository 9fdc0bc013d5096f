"""Stream reports: what landing observed of an outlet becomes a submission, oldest first, once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, select

from exports.endpoints import EndpointSpec
from exports.errors import RenderError
from exports.notices import note_unrenderable
from exports.outbox import addressed
from exports.periods import Period
from exports.render.hj212 import render_moment
from exports.render.numbers import Decimals, factor_decimals
from exports.render.report import number_of
from exports.reports import ReportSpec
from exports.revisions import next_content
from exports.site import ExportSite
from exports.submissions import NewSubmission, enqueue
from lake.state import from_utc_text
from lake.state_tables import stream_observations, submissions

_BATCH = 500  # in one transaction, so that landing never waits long for the state store


def enqueue_observations(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    *,
    after_id: int = 0,
) -> int:
    """Queue every stored observation that is not in the outbox yet, for each stream report.

    Args:
        site: the plant.
        reports: reports to look at; those of other modes are left alone.
        endpoints: endpoints by id.
        after_id: observations up to this id are known to be queued; a caller that looks often saves a scan.

    Returns:
        How many submissions were queued.

    Raises:
        SpecError: a report names an undeclared endpoint.
    """
    decimals = factor_decimals()
    queued = 0
    for report in reports.values():
        if report.mode != "stream":
            continue
        for endpoint in addressed(site, report, endpoints, {}):
            queued += _enqueue_all(site, report, endpoint, decimals, after_id)
    return queued


def newest_observation(site: ExportSite) -> int:
    """The id of the newest observation; 0 where there is none."""
    newest = select(stream_observations.c.observation_id).order_by(
        stream_observations.c.observation_id.desc()
    )
    with site.state.read() as conn:
        return conn.scalar(newest.limit(1)) or 0


def _enqueue_all(
    site: ExportSite, report: ReportSpec, endpoint: EndpointSpec, decimals: Decimals, after_id: int
) -> int:
    queued, faults = 0, []
    found: Sequence[Any] = [None]
    while found:
        with site.state.begin() as conn:
            found = _not_queued(conn, report, endpoint, after_id)
            for row in found:
                after_id = row.observation_id
                try:
                    _enqueue_one(conn, site, report, endpoint, decimals, row)
                    queued += 1
                except RenderError as error:  # one bad observation must not keep back the others
                    faults.append(f"{report.report_id}: {row.outlet_id} {row.observed_at_utc}: {error}")
    if queued or faults:
        with site.state.begin() as conn:
            note_unrenderable(conn, report, endpoint.endpoint_id, faults, site.clock.now())
    return queued


def _enqueue_one(
    conn: Connection,
    site: ExportSite,
    report: ReportSpec,
    endpoint: EndpointSpec,
    decimals: Decimals,
    row: Any,
) -> None:
    observed_at = from_utc_text(row.observed_at_utc)
    device = site.devices.get(row.outlet_id)
    if device is None:
        msg = (
            f"report {report.report_id}: outlet {row.outlet_id} was observed and has no device number (MN); "
            f"the register of outlets gives one to {', '.join(sorted(site.devices)) or 'none'}; add it there"
        )
        raise RenderError(msg)
    body = render_moment(
        json.loads(row.values_json),
        device=device,
        observed_at=observed_at,
        decimals=decimals,
        zone=site.zone,
    )
    content = next_content(conn, site, report, endpoint, row.outlet_id, body=body, revision=0)
    new = NewSubmission(
        report_id=report.report_id,
        endpoint_id=endpoint.endpoint_id,
        subject_id=row.outlet_id,
        period_start_utc=observed_at,
        revision=0,
        mode="stream",
        content=content,
        due_at_utc=report.due_at(Period(observed_at, observed_at)),
        reason="observed",
        source_table=report.source_table,
        number=number_of(report, content),
    )
    enqueue(conn, new, site.clock.now())


def _not_queued(conn: Connection, report: ReportSpec, endpoint: EndpointSpec, after_id: int) -> Sequence[Any]:
    same = and_(
        submissions.c.report_id == report.report_id,
        submissions.c.endpoint_id == endpoint.endpoint_id,
        submissions.c.subject_id == stream_observations.c.outlet_id,
        submissions.c.period_start_utc == stream_observations.c.observed_at_utc,
    )
    return conn.execute(
        select(stream_observations)
        .outerjoin(submissions, same)
        .where(submissions.c.submission_id.is_(None), stream_observations.c.observation_id > after_id)
        .order_by(stream_observations.c.observation_id)
        .limit(_BATCH)
    ).all()
