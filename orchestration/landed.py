"""What landing and the dispatcher did since Dagster last heard of it, as events of their assets.

The last event of an asset says how far it was told, so nothing else is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import dagster as dg
from sqlalchemy import func, select

from contracts.model import Contract
from lake import tables
from lake.state import StateStore, from_utc_text
from lake.state_tables import streams, submissions
from orchestration.assets.exports import export_key
from orchestration.assets.streams import gateway_key, raw_key, stream_name
from orchestration.location import Location

LAST_SEQUENCE = "last_sequence"
LAST_EVENT = "last_ledger_event"


def landed_events(
    location: Location, instance: dg.DagsterInstance, state: StateStore
) -> Iterator[dg.AssetMaterialization]:
    """A materialisation of the gateway stream and the raw table for each stream that moved on."""
    with state.read() as connection:
        found = {row["stream"]: dict(row) for row in connection.execute(select(streams)).mappings()}
    for contract in _stream_contracts(location):
        row = found.get(stream_name(contract))
        if row is None or row["last_sequence"] == told(instance, raw_key(contract), LAST_SEQUENCE):
            continue
        yield dg.AssetMaterialization(gateway_key(contract), metadata=_gateway_metadata(row))
        metadata = {
            **_gateway_metadata(row),
            "delta_version": tables.version(location.settings.lake.table("raw", contract.name)),
        }
        for day in _days_of(location, row):
            yield dg.AssetMaterialization(raw_key(contract), partition=day.isoformat(), metadata=metadata)


def delivered_events(
    location: Location, instance: dg.DagsterInstance, state: StateStore
) -> Iterator[dg.AssetObservation | dg.AssetMaterialization]:
    """The state of each stream report at each endpoint, when its count of submissions moved on."""
    for report, endpoint in location.deliveries():
        if report.mode != "stream":
            continue
        counts = _counts(state, report.report_id, endpoint.endpoint_id)
        key = export_key(report, endpoint)
        total = sum(counts.values())
        acknowledged = counts.get("acknowledged", 0)
        if not total or acknowledged == told(instance, key, "acknowledged"):
            continue
        day = location.settings.clock.now().astimezone(location.settings.zone).date()
        metadata: dict[str, Any] = {"submissions": total, "acknowledged": acknowledged}
        metadata |= {
            state_name: count for state_name, count in counts.items() if state_name != "acknowledged"
        }
        yield dg.AssetMaterialization(key, partition=day.isoformat(), metadata=metadata)


def told(instance: dg.DagsterInstance, key: dg.AssetKey, name: str) -> Any:
    """The value of metadata `name` in the asset's last event, or None."""
    event = instance.get_latest_materialization_event(key)
    found = event.asset_materialization.metadata.get(name) if event and event.asset_materialization else None
    return found.value if found is not None else None


def _stream_contracts(location: Location) -> list[Contract]:
    return [contract for system in location.stream_systems for contract in system.tables]


def _gateway_metadata(row: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        LAST_SEQUENCE: row["last_sequence"],
        "dagster/row_count": row["rows_total"],
        "last_arrived_at_utc": row["last_arrived_at_utc"],
        "last_event_at_utc": row["last_event_at_utc"],
    }
    return {name: value for name, value in metadata.items() if value is not None}


def _days_of(location: Location, row: dict[str, Any]) -> list[date]:
    """The plant day of the newest row: older days were told when they were the newest."""
    settings = location.settings
    instant: datetime = (
        from_utc_text(row["last_event_at_utc"]) if row["last_event_at_utc"] else settings.clock.now()
    )
    return [instant.astimezone(settings.zone).date()]


def _counts(state: StateStore, report_id: str, endpoint_id: str) -> dict[str, int]:
    statement = (
        select(submissions.c.state, func.count())
        .where(submissions.c.report_id == report_id, submissions.c.endpoint_id == endpoint_id)
        .group_by(submissions.c.state)
    )
    with state.read() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}
