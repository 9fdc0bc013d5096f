"""All processes of the reference plant: up together, none left behind, whatever became of their parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from orchestration.settings import RUN_ID_VARIABLE
from protocols.clock import load_clock
from reference_plant import lifecycle
from reference_plant.init import SiteExistsError, make_site
from reference_plant.options import PlantOptions
from reference_plant.plant.simulation import load_plant
from reference_plant.truth import write_truth

OPTIONS = PlantOptions(history_hours=2, live_minutes=30, speed=10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "site"
    make_site(folder, OPTIONS)
    yield folder
    lifecycle.stop(folder)


def processes_of(site: Path) -> list[psutil.Process]:
    run_id = json.loads((lifecycle.run_dir(site) / "supervisor.json").read_text())["run_id"]
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_ID_VARIABLE) == run_id:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_everything_answers_after_start_and_nothing_is_left_after_a_crash_and_stop(site: Path) -> None:
    run = [sys.executable, "-m", "reference_plant"]
    subprocess.run([*run, "start", str(site)], check=True, capture_output=True, timeout=90)
    described = json.loads((site / "plant.json").read_text())
    begun = load_clock(site / "clock.json").now()
    assert timedelta(0) <= begun - datetime.fromisoformat(described["live_from_utc"]) < timedelta(minutes=10)
    for name in lifecycle.ANSWERING:
        socket.create_connection(("127.0.0.1", described["ports"][name]), timeout=2).close()
    before = processes_of(site)
    assert len(before) >= len(lifecycle.process_specs(site))
    supervisor = json.loads((lifecycle.run_dir(site) / "supervisor.json").read_text())["pid"]
    os.kill(supervisor, signal.SIGKILL)
    stopped = subprocess.run(
        [*run, "stop", str(site)], check=True, capture_output=True, text=True, timeout=60
    )
    assert "0" not in stopped.stdout.split(":")[-1].split()
    _, alive = psutil.wait_procs(before, timeout=5)
    assert alive == []


def test_a_second_site_is_not_made_over_the_first(site: Path) -> None:
    with pytest.raises(SiteExistsError, match="not empty"):
        make_site(site, OPTIONS)


def test_keys_and_secrets_are_readable_by_their_owner_only(site: Path) -> None:
    private = [*site.glob("secrets/*"), *site.glob("pki/**/key.pem"), site / "pki" / "gateway_sign.pem"]
    assert len(private) >= 10
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_unknown_scenarios_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"earthquake.*expected some of.*exceedance"):
        make_site(tmp_path / "other", PlantOptions(scenarios=("earthquake",)))
    assert not (tmp_path / "other").exists()


def test_a_template_is_filled_completely(site: Path) -> None:
    for path in [*site.glob("*.yml"), *site.glob("endpoints/*.yml"), *site.glob("systems/*.yml")]:
        assert "${" not in path.read_text(encoding="utf-8"), path


def test_the_truth_holds_every_value_and_alarm_of_the_window(site: Path) -> None:
    written = write_truth(site)
    plant = load_plant(site)
    assert {path.name for path in written} == {
        f"{system}{kind}.parquet" for system in plant.systems for kind in ("", ".alarms")
    }
    for system_id, tags in plant.systems.items():
        found = pq.read_table(site / "var" / "plant" / "truth" / f"{system_id}.parquet")
        expected = plant.produced([tag.tag_id for tag in tags], OPTIONS.history_start, OPTIONS.until)
        assert found.equals(expected.combine_chunks())
        assert pc.min(found["source_at_utc"]).as_py() >= OPTIONS.history_start
