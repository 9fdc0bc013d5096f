"""Building dbt's manifest: a build product that the code location, the outbox and the tests read.

Its sources are generated from the contracts first, so that neither is ever behind the other.

dbt parses in a process of its own, because its adapters keep locks and its telemetry reads the environment.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from orchestration.location import DBT_PROJECT, MANIFEST
from orchestration.settings import silent_environment

_ROOT = DBT_PROJECT.parent
_PARSED = (DBT_PROJECT, _ROOT / "transforms" / "reference", _ROOT / "ingestion" / "systems")
SOURCES = DBT_PROJECT / "models" / "staging" / "_sources.yml"
CODED_COLUMNS = DBT_PROJECT / "macros" / "coded_columns.sql"


class ManifestError(RuntimeError):
    """dbt could not parse the project; the message is dbt's own."""


def build_manifest() -> Path:
    """Parse the dbt project and return the path of its manifest.

    Raises:
        ManifestError: dbt found the project wrong.
    """
    _write_sources()
    # Parsing opens no table; the places are named only because the sources' locations hold them.
    places = {"CHEMLINK_LAKE": "lake", "CHEMLINK_CODE": str(DBT_PROJECT.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "parse", "--project-dir", ".", "--profiles-dir", "."],
        cwd=DBT_PROJECT,
        env=silent_environment(places),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"dbt parse failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
        raise ManifestError(msg)
    return MANIFEST


def ensure_manifest() -> Path:
    """The manifest, parsed anew when a model, macro, seed or contract is newer than it.

    dbt's own events are told by the manifest; one of another day knows neither their names nor their checks.

    Raises:
        ManifestError: dbt found the project wrong.
    """
    parsed_at = MANIFEST.stat().st_mtime if MANIFEST.is_file() else 0.0
    newest = max(path.stat().st_mtime for folder in _PARSED for path in _files(folder))
    return build_manifest() if newest > parsed_at else MANIFEST


def _files(folder: Path) -> Iterator[Path]:
    kept = {".sql", ".yml", ".yaml", ".csv"}
    return (
        path
        for path in folder.rglob("*")
        if path.suffix in kept and not {"target", "logs"} & set(path.relative_to(folder).parts)
    )


def _write_sources() -> None:
    """Generate what dbt knows of the contracts; an unchanged file keeps its time and rebuilds nothing."""
    from contracts.coded_columns import render_coded_columns
    from contracts.dbt_sources import render_sources
    from ingestion.registry import discover_systems

    contracts = [contract for system in discover_systems() for contract in system.tables]
    for path, text in (
        (SOURCES, render_sources(contracts)),
        (CODED_COLUMNS, render_coded_columns(contracts)),
    ):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
