"""What the dispatcher did since Dagster last heard of it: receipts, as events of the exports' assets.

A stream report's asset is materialised by its deliveries; a scheduled one's, which a run materialised, is
observed with the receipts that came for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
from sqlalchemy import func, select

from lake.state import StateStore
from lake.state_tables import receipts, submissions
from orchestration.assets.exports import export_key
from orchestration.location import Location
from orchestration.partitions import plant_today

ANSWERED = "answered"
_SHOWN = 10


def delivered_events(
    location: Location, instance: dg.DagsterInstance, state: StateStore
) -> Iterator[dg.AssetObservation | dg.AssetMaterialization]:
    """An event for each report and endpoint that got answers since the last one."""
    today = plant_today(location.settings).isoformat()
    for report, endpoint in location.deliveries():
        key = export_key(report, endpoint)
        counts = _counts(state, report.report_id, endpoint.endpoint_id)
        answered = counts.get("acknowledged", 0) + counts.get("rejected", 0)
        if not answered or answered == _told(instance, key):
            continue
        metadata: dict[str, Any] = {ANSWERED: answered, "submissions": sum(counts.values()), **counts}
        metadata["receipts"] = dg.MetadataValue.md(_receipts(state, report.report_id, endpoint.endpoint_id))
        kind = dg.AssetMaterialization if report.mode == "stream" else dg.AssetObservation
        yield kind(asset_key=key, partition=today, metadata=metadata)


def _told(instance: dg.DagsterInstance, key: dg.AssetKey) -> int:
    """How many answers the asset's newest events told; a run's own materialisation tells none."""
    observed = instance.fetch_observations(key, limit=1).records
    made = instance.fetch_materializations(key, limit=1).records
    events = [record.event_log_entry.asset_observation for record in observed]
    return max(
        _answered(event) for event in (*events, *(record.asset_materialization for record in made), None)
    )


def _answered(event: dg.AssetObservation | dg.AssetMaterialization | None) -> int:
    found = event.metadata.get(ANSWERED) if event is not None else None
    return int(str(found.value)) if found is not None else 0


def _counts(state: StateStore, report_id: str, endpoint_id: str) -> dict[str, int]:
    statement = (
        select(submissions.c.state, func.count())
        .where(submissions.c.report_id == report_id, submissions.c.endpoint_id == endpoint_id)
        .group_by(submissions.c.state)
    )
    with state.read() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}


def _receipts(state: StateStore, report_id: str, endpoint_id: str) -> str:
    """The newest receipts as a table, with the hash of what was sent."""
    statement = (
        select(
            receipts.c.receiver_reference,
            receipts.c.outcome,
            receipts.c.received_at_utc,
            submissions.c.idempotency_key,
            submissions.c.content_sha256,
        )
        .join(receipts, receipts.c.submission_id == submissions.c.submission_id)
        .where(submissions.c.report_id == report_id, submissions.c.endpoint_id == endpoint_id)
        .order_by(receipts.c.receipt_id.desc())
        .limit(_SHOWN)
    )
    with state.read() as connection:
        rows = connection.execute(statement).all()
    heading = (
        "| 回执 receipt | 结果 outcome | 时间 received | 上报 submission | sha256 |\n|---|---|---|---|---|\n"
    )
    return heading + "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
