"""The Dagster code location: assembles, and holds nothing else.

Assets, checks, jobs, schedules and sensors come from their factories. Dagster loads `defs` by name.
"""

from __future__ import annotations

from orchestration.assembly import build_definitions
from orchestration.location import load_location
from orchestration.settings import load_settings

_settings = load_settings()
_settings.enter()
defs = build_definitions(load_location(_settings))
