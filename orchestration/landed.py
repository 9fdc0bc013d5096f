"""What landing did since Dagster last heard of it, as events of the gateway's and the raw tables' assets.

The last event of an asset says how far it was told, so nothing else is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ingestion.stream_families import stream_families
from lake import tables
from lake.state import StateStore, from_utc_text
from orchestration.assets.streams import gateway_key, raw_key, stream_name
from orchestration.location import Location
from orchestration.settings import Settings

LAST_SEQUENCE = "last_sequence"


def landed_events(
    location: Location, instance: dg.DagsterInstance, state: StateStore
) -> Iterator[dg.AssetMaterialization]:
    """A materialisation of the gateway stream and of the raw table for each stream that moved on."""
    with state.read() as connection:
        found = stream_families(connection)
    contracts = [contract for system in location.stream_systems for contract in system.tables]
    for contract in contracts:
        row = found.get(stream_name(contract))
        if row is None or row["last_sequence"] == told(instance, raw_key(contract), LAST_SEQUENCE):
            continue
        metadata = _metadata(row)
        yield dg.AssetMaterialization(gateway_key(contract), metadata=metadata)
        version = tables.version(location.settings.lake.table("raw", contract.name))
        yield dg.AssetMaterialization(
            raw_key(contract),
            partition=_day_of(location.settings, row),
            metadata={**metadata, **({} if version is None else {"delta_version": version})},
        )


def told(instance: dg.DagsterInstance, key: dg.AssetKey, name: str) -> Any:
    """The value of metadata `name` in the asset's last materialisation, or None."""
    event = instance.get_latest_materialization_event(key)
    found = event.asset_materialization.metadata.get(name) if event and event.asset_materialization else None
    return found.value if found is not None else None


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    found = {
        LAST_SEQUENCE: row["last_sequence"],
        "dagster/row_count": row["rows_total"],
        "last_arrived_at_utc": row["last_arrived_at_utc"],
        "max_event_at_utc": row["last_event_at_utc"],
    }
    return {name: value for name, value in found.items() if value is not None}


def _day_of(settings: Settings, row: dict[str, Any]) -> str:
    """The plant day of the newest row; earlier days were told when they were the newest."""
    newest = row["last_event_at_utc"]
    instant = from_utc_text(newest) if newest else settings.clock.now()
    return instant.astimezone(settings.zone).date().isoformat()
