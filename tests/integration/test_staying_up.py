"""`make up` of a new site: the UI answers with a whole graph, and `make down` ends everything."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestration import supervisor
from orchestration.settings import RUN_ID_VARIABLE, load_settings
from reference_plant import lifecycle
from reference_plant.init import make_site
from reference_plant.options import PlantOptions

RUN = [sys.executable, "-m", "reference_plant"]
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename ... on RepositoryLocation { repositories { name } } }
} } } }
"""
MAKE_STORAGE = """
from orchestration.dagster_home import make_storage
from orchestration.settings import load_settings
make_storage(load_settings())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: as root, PostgreSQL runs as another account that may not enter it.
    with tempfile.TemporaryDirectory(prefix="chemlink-up-") as made:
        yield Path(made) / "site"


def marked(run_ids: set[str]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_ID_VARIABLE) in run_ids:
                found.append(process)
        except psutil.Error:
            continue
    return found


def asked(port: int, query: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def schema_versions(database: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute("select version_num from alembic_version").fetchall()
    finally:
        connection.close()


@pytest.mark.timeout(240)
def test_a_new_site_comes_up_whole_and_goes_down_whole(folder: Path) -> None:
    said = subprocess.run([*RUN, "up", str(folder)], capture_output=True, text=True, timeout=200)
    try:
        assert said.returncode == 0, said.stderr
        assert not said.stderr
        settings = load_settings(folder)
        port = settings.site.webserver_port
        assert f"http://127.0.0.1:{port}" in said.stdout
        [entry] = asked(port, LOCATIONS)["data"]["workspaceOrError"]["locationEntries"]
        assert entry["locationOrLoadError"]["__typename"] == "RepositoryLocation"
        runs = [supervisor.read_run(path) for path in (settings.run_dir, lifecycle.run_dir(folder))]
        children = [child for run in runs if run for child in run["children"]]
        assert {child["name"] for child in children} >= {"collect", "land", "dispatch", "webserver", "daemon"}
        assert all(child["pid"] and not child["restarts"] for child in children), children
        run_ids = {run["run_id"] for run in runs if run}
        assert len(marked(run_ids)) > len(children)
    finally:
        ended = subprocess.run([*RUN, "down", str(folder)], capture_output=True, text=True, timeout=90)
    assert ended.returncode == 0
    assert not marked(run_ids)


def test_databases_made_by_many_at_once_carry_one_version_each(folder: Path) -> None:
    make_site(folder, PlantOptions())
    settings = load_settings(folder)
    command = [sys.executable, "-c", MAKE_STORAGE]
    makers = [
        subprocess.Popen(command, env=settings.child_environment(), stderr=subprocess.PIPE) for _ in range(3)
    ]
    for maker in makers:
        _, errors = maker.communicate(timeout=90)
        assert maker.returncode == 0, errors.decode()
    home = settings.dagster_home
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        assert len(schema_versions(home / name)) == 1, name


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_folder_that_is_no_plant_is_told_in_a_sentence(command: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    said = subprocess.run([*RUN, command, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in said.stderr
    assert (said.returncode, "not empty" in said.stderr) == ((1, True) if command == "up" else (0, False))
