"""Making a past submission again from what it was made of, and comparing it bit for bit.

A scheduled report is rendered from its table at the recorded Delta version, a real-time one from the kept
observation; both get the number that the log recorded. What retention removed is told as such: the content
itself stays in the store, proved by its hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from exports.code_version import code_version
from exports.endpoints import EndpointSpec
from exports.errors import ExportError
from exports.render.hj212 import render_moment
from exports.render.numbers import factor_decimals
from exports.render.report import Rendering, body_of, number_of, renumbered, subjects_of
from exports.reports import ReportSpec
from exports.site import ExportSite
from lake.errors import VersionGoneError
from lake.past import read_at
from lake.state import from_utc_text
from lake.state_tables import merkle_leaves, stream_observations, submissions
from protocols.content_hashes import sha256_hex


class Outcome(StrEnum):
    """How making it again ended."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    REMOVED = "removed"


@dataclass(frozen=True)
class Rebuilt:
    """A submission made again.

    Attributes:
        outcome: whether it came out as it was sent.
        made_from: what it was made of.
        detail_zh: what came out, in words.
        detail_en: the same in English.
        content: what came out; nothing where its origin was removed.
    """

    outcome: Outcome
    made_from: str
    detail_zh: str
    detail_en: str
    content: bytes | None = None


class _GoneError(Exception):
    """What the submission was made of is not there any more."""


def rebuild(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    idempotency_key: str,
) -> Rebuilt:
    """Make a submission again.

    Args:
        site: the plant.
        reports: reports by id.
        endpoints: endpoints by id.
        idempotency_key: which submission.

    Raises:
        ExportError: there is no such submission, or its report or endpoint is no longer declared.
    """
    with site.state.read() as conn:
        row = conn.execute(
            select(submissions).where(submissions.c.idempotency_key == idempotency_key)
        ).first()
        if row is None or row.report_id not in reports or row.endpoint_id not in endpoints:
            msg = f"making {idempotency_key} again: no such submission, or its report or endpoint is gone"
            raise ExportError(msg)
        queued_at, fact = _queued(conn, row.submission_id)
        changes = _changes_since(conn, queued_at, fact, row)
    report, endpoint = reports[row.report_id], endpoints[row.endpoint_id]
    made_from = _origin(row)
    try:
        body = _moment(site, row) if row.mode == "stream" else _period(site, report, endpoint, row)
    except (_GoneError, VersionGoneError) as error:
        return Rebuilt(
            Outcome.REMOVED,
            made_from,
            f"所依据的数据已按保留期清除，无法重建；原报文仍保存并可证明：{error}",
            "what it was made of was removed, so it cannot be made again; its bytes are kept and proved: "
            f"{error}",
        )
    number = fact.get("number") or number_of(report, row.content)
    content = renumbered(report, body, revision=row.revision, number=number, zone=site.zone)
    return _compared(row.content, content, fact.get("content_sha256"), made_from, changes)


def _compared(stored: bytes, made: bytes, logged_sha256: Any, made_from: str, changes: list[str]) -> Rebuilt:
    if made == stored and sha256_hex(made) == logged_sha256:
        return Rebuilt(
            Outcome.IDENTICAL,
            made_from,
            f"逐位一致，{len(made)} 字节",
            f"identical bit for bit, {len(made)} bytes",
            made,
        )
    at = _first_difference(made, stored)
    now, then = (repr(content[at : at + 40]) for content in (made, stored))
    since = "; ".join(changes) or "nothing that is recorded"
    return Rebuilt(
        Outcome.DIFFERENT,
        made_from,
        f"自第 {at} 字节起不同：现为 {now}，原为 {then}；此后变化：{since}",
        f"differs from byte {at} on: now {now}, then {then}; changed since: {since}",
        made,
    )


def _first_difference(made: bytes, stored: bytes) -> int:
    pairs = enumerate(zip(made, stored, strict=False))
    return next((at for at, (now, then) in pairs if now != then), min(len(made), len(stored)))


def _period(site: ExportSite, report: ReportSpec, endpoint: EndpointSpec, row: Any) -> bytes:
    if row.delta_version is None or row.source_table is None:
        msg = "no Delta version was recorded"
        raise _GoneError(msg)
    start = from_utc_text(row.period_start_utc)
    path = site.lake.table("regulatory", row.source_table)
    rows = read_at(path, row.delta_version, filters=[("period_start_utc", "==", start)]).to_pylist()
    mine = subjects_of(report, rows, site.site_id).get(row.subject_id)
    if mine is None:
        msg = f"{row.source_table} version {row.delta_version} has no rows of {row.subject_id} at {start}"
        raise _GoneError(msg)
    return body_of(report, endpoint, mine, start, Rendering(site.site_id, site.zone, factor_decimals()))


def _moment(site: ExportSite, row: Any) -> bytes:
    with site.state.read() as conn:
        values = conn.scalar(
            select(stream_observations.c.values_json).where(
                stream_observations.c.outlet_id == row.subject_id,
                stream_observations.c.observed_at_utc == row.period_start_utc,
            )
        )
    device = site.devices.get(row.subject_id)
    if values is None or device is None:
        msg = f"the observation of {row.subject_id} at {row.period_start_utc}, or its device, is not kept"
        raise _GoneError(msg)
    return render_moment(
        json.loads(values),
        device=device,
        observed_at=from_utc_text(row.period_start_utc),
        decimals=factor_decimals(),
        zone=site.zone,
    )


def _origin(row: Any) -> str:
    made_by = row.code_version or "code not recorded"
    if row.mode == "stream":
        return f"observation {row.subject_id} {row.period_start_utc}, {made_by}"
    return f"{row.source_table} version {row.delta_version}, {made_by}"


def _queued(conn: Connection, submission_id: int) -> tuple[int, Mapping[str, Any]]:
    """Index and facts of the leaf that says that it was queued."""
    leaf = conn.execute(
        select(merkle_leaves.c.leaf_index, merkle_leaves.c.body).where(
            merkle_leaves.c.submission_id == submission_id, merkle_leaves.c.kind == "enqueued"
        )
    ).first()
    return (-1, {}) if leaf is None else (leaf.leaf_index, json.loads(leaf.body))


def _changes_since(conn: Connection, queued_at: int, fact: Mapping[str, Any], row: Any) -> list[str]:
    """What decides the content and is another now than when it was queued."""
    found: list[str] = []
    if fact.get("code_version") != code_version():
        found.append(f"code {fact.get('code_version')} → {code_version()}")
    mine = {f"report {row.report_id}", f"endpoint {row.endpoint_id}"}
    later = select(merkle_leaves.c.body).where(
        merkle_leaves.c.kind == "configuration", merkle_leaves.c.leaf_index > queued_at
    )
    declared = (json.loads(body) for body in conn.scalars(later))
    return found + sorted(
        {f"{one['subject']} at {one['at_utc']}" for one in declared if one["subject"] in mine}
    )
