"""The assets that exist, by name, for the coverage register."""

from __future__ import annotations


def existing_asset_keys() -> set[str]:
    """Every asset of the site's code location, as `layer/table`."""
    from orchestration.assembly import build_definitions
    from orchestration.location import load_location
    from orchestration.settings import load_settings

    settings = load_settings()
    settings.enter()
    graph = build_definitions(load_location(settings)).resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}
