"""Building dbt's manifest: a build product that the code location, the outbox and the tests read.

dbt parses in a process of its own, because its adapters keep locks and its telemetry reads the environment.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestration.location import DBT_PROJECT, MANIFEST
from orchestration.settings import silent_environment


class ManifestError(RuntimeError):
    """dbt could not parse the project; the message is dbt's own."""


def build_manifest() -> Path:
    """Parse the dbt project and return the path of its manifest.

    Raises:
        ManifestError: dbt found the project wrong.
    """
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
