"""The assets that exist, by name, for the coverage register."""

from __future__ import annotations

from orchestration.settings import Settings


def existing_asset_keys(settings: Settings) -> set[str]:
    """Every asset of a site's code location, as `layer/table`."""
    from orchestration.assembly import build_definitions
    from orchestration.location import load_location

    settings.enter()
    graph = build_definitions(load_location(settings)).resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}
