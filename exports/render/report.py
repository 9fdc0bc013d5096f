"""From a report's declaration to its rows' bytes: which renderer, which subjects, which numbers.

A body is what the rows say; the content that is stored also carries the numbers of one submission (QN,
revision). Two revisions are compared by their bodies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from exports.endpoints import EndpointSpec
from exports.errors import RenderError
from exports.render import hj212, park_json
from exports.render.numbers import Decimals
from exports.reports import ReportSpec

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rendering:
    """What rendering needs besides rows: the site, its zone, the factor list."""

    site_id: str
    zone: ZoneInfo
    decimals: Decimals


def subjects_of(report: ReportSpec, rows: Sequence[Row], site_id: str) -> dict[str, list[Row]]:
    """The rows by the subject they are submitted under: outlet, or the whole site."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["outlet_id"] if report.subject == "outlet" else site_id].append(row)
    return dict(found)


def body_of(
    report: ReportSpec,
    endpoint: EndpointSpec,
    rows: Sequence[Row],
    period_start: datetime,
    rendering: Rendering,
) -> bytes:
    """The body of one subject and period of a scheduled report.

    Raises:
        RenderError: the rows cannot be written, or the endpoint's transport does not carry this report.
    """
    if report.renderer == "hj212":
        assert report.command is not None
        return hj212.render_period(
            rows, command=report.command, decimals=rendering.decimals, zone=rendering.zone
        )
    if endpoint.transport.type != "https_json":
        msg = (
            f"rendering {report.report_id} for {endpoint.endpoint_id}: renderer {report.renderer} goes over "
            f"https_json, its transport is {endpoint.transport.type}; correct the exposure's endpoints"
        )
        raise RenderError(msg)
    return park_json.render_period(
        rows,
        report_id=report.report_id,
        enterprise_code=endpoint.transport.enterprise_code,
        period_start=period_start,
        decimals=rendering.decimals,
        zone=rendering.zone,
    )


def numbered(
    report: ReportSpec, body: bytes, *, revision: int, now: datetime, zone: ZoneInfo, previous: bytes | None
) -> bytes:
    """The content to store: `body` with the numbers of this submission."""
    if report.renderer == "hj212":
        return hj212.number(body, now=now, zone=zone, previous=previous)
    return park_json.with_revision(body, revision)


def unnumbered(report: ReportSpec, content: bytes) -> bytes:
    """The body within stored content."""
    return hj212.unnumber(content) if report.renderer == "hj212" else park_json.with_revision(content, 0)


def number_of(report: ReportSpec, content: bytes) -> str | None:
    """The number of its own that stored content carries: the first QN; none where the revision says all."""
    return hj212.frames_of(content)[0].qn if report.renderer == "hj212" else None


def renumbered(
    report: ReportSpec, body: bytes, *, revision: int, number: str | None, zone: ZoneInfo
) -> bytes:
    """The content as it was stored: `body` with the numbers that it had then."""
    if report.renderer == "hj212":
        assert number is not None, "an HJ 212 submission has a QN"
        return hj212.number(body, now=hj212.moment_of(number, zone), zone=zone, previous=None)
    return park_json.with_revision(body, revision)
