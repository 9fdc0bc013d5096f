"""What is sent where is itself a fact: each change of a report's or endpoint's declaration is a leaf."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import BaseModel
from sqlalchemy import Connection, select

from exports.endpoints import EndpointSpec
from exports.merkle_log import append_leaf
from exports.reports import ReportSpec
from exports.site import ExportSite
from lake.state_tables import merkle_leaves

_KIND = "configuration"


def record_configuration(
    site: ExportSite, reports: Mapping[str, ReportSpec], endpoints: Mapping[str, EndpointSpec]
) -> list[str]:
    """Append a leaf for each declaration that is new, changed or gone; answers which they are."""
    declared = {f"report {name}": _sha256(spec) for name, spec in reports.items()}
    declared |= {f"endpoint {name}": _sha256(spec) for name, spec in endpoints.items()}
    now = site.clock.now()
    with site.state.begin() as conn:
        known = _last_known(conn)
        gone: dict[str, str | None] = {name: None for name, sha256 in known.items() if sha256 is not None}
        changed = {name: sha256 for name, sha256 in (gone | declared).items() if known.get(name) != sha256}
        for name, sha256 in changed.items():
            facts = {"subject": name, "sha256": sha256, "environment": site.environment}
            append_leaf(conn, _KIND, facts, now)
    return list(changed)


def _last_known(conn: Connection) -> dict[str, str | None]:
    bodies = conn.scalars(
        select(merkle_leaves.c.body).where(merkle_leaves.c.kind == _KIND).order_by(merkle_leaves.c.leaf_index)
    )
    facts = map(json.loads, bodies)
    return {fact["subject"]: fact["sha256"] for fact in facts}


def _sha256(spec: BaseModel) -> str:
    return hashlib.sha256(spec.model_dump_json().encode()).hexdigest()
