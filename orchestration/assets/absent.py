"""Raw tables that models read and no system of this site fills: they stand empty, and say so in the UI."""

from __future__ import annotations

import dagster as dg

from ingestion.registry import discover_systems
from orchestration.assets.streams import raw_key
from orchestration.labels import SYSTEM_KINDS, bilingual, system_tags, table_description, team
from orchestration.location import Location


def absent_assets(location: Location) -> list[dg.AssetSpec]:
    """One external asset for each raw table of a system that this site lacks and a model reads."""
    present = {system.system_id for system in location.systems}
    models = [node for node in location.manifest["nodes"].values() if node["resource_type"] == "model"]
    read = {parent for model in models for parent in model["depends_on"]["nodes"]}
    sources = {
        tuple(source["config"]["meta"]["dagster"]["asset_key"])
        for source_id, source in location.manifest["sources"].items()
        if source_id in read
    }
    return [
        dg.AssetSpec(
            key=raw_key(contract),
            description=bilingual(
                "本站点没有该系统，此表为空。", "This site lacks the system; the table is empty."
            )
            + "\n\n"
            + table_description(contract),
            group_name=system.system_id,
            owners=[team(contract.owner)],
            kinds=set(SYSTEM_KINDS[system.kind]),
            tags=system_tags(system),
        )
        for system in discover_systems()
        if system.system_id not in present
        for contract in system.tables
        if tuple(raw_key(contract).path) in sources
    ]
