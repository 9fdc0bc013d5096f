"""Everything the Dagster code location is told: the site, its systems, its reports, its endpoints.

Loaded once at import of the definitions, from files only: no network, no database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.model import Contract
from exports.endpoints import EndpointSpec, load_endpoints
from exports.reports import ReportSpec, reports_from_manifest
from ingestion.registry import SystemSpec, load_registry
from orchestration.settings import Settings
from orchestration.site import SettingsError

DBT_PROJECT = Path(__file__).parents[1] / "dbt_project"
TABLE_MACROS = DBT_PROJECT / "table_macros"
MANIFEST = DBT_PROJECT / "target" / "manifest.json"


@dataclass(frozen=True)
class Location:
    """One site, as its asset graph sees it."""

    settings: Settings
    systems: tuple[SystemSpec, ...]
    endpoints: Mapping[str, EndpointSpec]
    manifest: Mapping[str, Any]

    @cached_property
    def reports(self) -> dict[str, ReportSpec]:
        """Reports that the dbt exposures declare, by id."""
        return reports_from_manifest(self.manifest)

    @property
    def stream_systems(self) -> list[SystemSpec]:
        """Systems that the collector reads."""
        return [system for system in self.systems if system.kind.is_stream]

    @property
    def extracted_systems(self) -> list[SystemSpec]:
        """Systems that are read by extracts: databases, workbooks, registers."""
        return [system for system in self.systems if not system.kind.is_stream]

    @property
    def contracts(self) -> dict[str, Contract]:
        """Contracts of this site's raw tables, by table name."""
        return {contract.name: contract for system in self.systems for contract in system.tables}

    def deliveries(self) -> list[tuple[ReportSpec, EndpointSpec]]:
        """Every report with every endpoint it goes to."""
        return [
            (report, self.endpoints[endpoint_id])
            for report in self.reports.values()
            for endpoint_id in report.endpoints
        ]


def load_location(settings: Settings) -> Location:
    """What the code location of this site is made from.

    Raises:
        SettingsError: there is no dbt manifest.
        IngestionError, ExportError: systems, endpoints or reports are declared wrongly.
    """
    if not MANIFEST.is_file():
        msg = f"{MANIFEST}: dbt's manifest, a build product, is not there; run `chemlink contract manifest`"
        raise SettingsError(msg)
    return Location(
        settings=settings,
        systems=load_registry(settings.site_dir),
        endpoints=load_endpoints(settings.site_dir / "endpoints"),
        manifest=json.loads(MANIFEST.read_text(encoding="utf-8")),
    )
