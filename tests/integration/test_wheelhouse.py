"""The collector installs from a carried folder, where there is no network and no platform."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INSTALL = """
set -e
cd "$1"
(cd wheels && sha256sum --check --quiet SHA256SUMS)
python3 -m venv zone
zone/bin/pip install --quiet --no-index --find-links wheels --require-hashes -r wheels/requirements.lock
cd "$2"
"$1/zone/bin/python" -c "import importlib.util as found
print([name for name in ('dagster', 'dbt', 'duckdb') if found.find_spec(name)])"
"$1/zone/bin/python" -m orchestration.cli collect check --config nothing.yml || echo "ended with $?"
"""


@pytest.mark.full
def test_the_wheelhouse_installs_without_a_network_and_the_commands_run(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"}
    fetch = [ROOT / "tools" / "wheelhouse", "requirements/collector.lock", tmp_path / "wheels"]
    fetched = subprocess.run(fetch, capture_output=True, text=True, check=False, env=environment)
    assert fetched.returncode == 0, fetched.stderr
    # A network of its own without any interface.
    command = ["unshare", "--net", "--map-root-user", "bash", "-c", INSTALL, "bash", tmp_path, ROOT]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "[]" in ran.stdout, "a part of the platform came along"
    assert "ended with 2" in ran.stdout
    assert "nothing.yml" in ran.stderr
