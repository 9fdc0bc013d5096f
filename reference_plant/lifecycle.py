"""Starts and stops all processes of a reference plant, and nothing else of the site.

A detached supervisor keeps them running and restarts what crashes. Every process carries the run's mark
in its environment, so that `stop` finds exactly these even when the supervisor itself was killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from orchestration import supervisor
from orchestration.processes import ProcessSpec
from orchestration.settings import load_settings
from protocols.clock import load_clock
from reference_plant.init import write_clock

READY_WITHIN_S = 60.0
LEAD_S = 6.0  # processes start before live time does, so that nothing of it is missed
_SUPERVISE = (sys.executable, "-m", "reference_plant", "supervise")
ANSWERING = ("opcua_environment", "opcua_production", "province", "park", "postgres")


class PlantStartError(RuntimeError):
    """The plant's processes did not come up; the message names the log to read."""


def start(site_dir: Path, *, in_turn: bool = False) -> None:
    """Starts every plant process, waits until all answer, and lets the live time begin.

    A plant that ran before goes on where plant time stands now; one that never ran begins at `live_from`.

    Args:
        site_dir: the site.
        in_turn: one process after the other, to leave a small machine to what starts beside the plant.

    Raises:
        AlreadyRunningError: the plant runs already.
        PlantStartError: a process did not answer in time.
    """
    if supervisor.is_running(run_dir(site_dir)):
        msg = f"the plant of {site_dir} is already running; stop it with `python -m reference_plant stop`"
        raise supervisor.AlreadyRunningError(msg)
    described = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
    if not _begun(site_dir).exists():
        write_clock(
            site_dir,
            datetime.fromisoformat(described["live_from_utc"]),
            described["speed"],
            begins_in_s=LEAD_S,
        )
    settings = load_settings(site_dir)
    with _log(site_dir).open("ab") as log:
        process = subprocess.Popen(
            [*_SUPERVISE, str(site_dir), *(["--in-turn"] if in_turn else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=settings.child_environment(),
            start_new_session=True,
        )
    _await_ports(site_dir, {name: described["ports"][name] for name in ANSWERING}, process)
    mark_begun(site_dir)
    clock = load_clock(site_dir / "clock.json")
    missing = (datetime.fromisoformat(described["live_from_utc"]) - clock.now()).total_seconds()
    time.sleep(max(0.0, clock.real_seconds(missing)))


def mark_begun(site_dir: Path) -> None:
    """Say that the clock of this plant has been set, so that a start does not set it again."""
    _begun(site_dir).parent.mkdir(parents=True, exist_ok=True)
    _begun(site_dir).touch()


def _begun(site_dir: Path) -> Path:
    return run_dir(site_dir) / "begun"


def supervise(site_dir: Path, *, in_turn: bool = False) -> None:
    """Runs the supervisor in this process until it is told to stop."""
    settings = load_settings(site_dir)
    specs = process_specs(site_dir)
    supervisor.Supervisor(
        _in_turn(specs) if in_turn else specs,
        run_dir=run_dir(site_dir),
        log_dir=site_dir / "var" / "log",
        environment=settings.child_environment(),
    ).run()


def stop(site_dir: Path) -> int:
    """Ends every process of the plant; returns how many there were."""
    return supervisor.stop(run_dir(site_dir))


def run_dir(site_dir: Path) -> Path:
    """Where the plant's supervisor keeps its run file and lock, apart from the platform's."""
    return site_dir / "var" / "run" / "plant"


def process_specs(site_dir: Path) -> list[ProcessSpec]:
    """The plant's processes: two control systems, the business systems, two receivers."""
    ports = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))["ports"]
    ports["business"] = ports["postgres"]

    def spec(name: str, label_zh: str, label_en: str, *arguments: str) -> ProcessSpec:
        command = (sys.executable, "-m", "reference_plant", *arguments)
        return ProcessSpec(name, command, label_zh, label_en, port=ports[name])

    site = str(site_dir)
    environment = ("serve-opcua", "--site", site, "--system", "opcua_environment")
    production = ("serve-opcua", "--site", site, "--system", "opcua_production")
    return [
        spec("opcua_environment", "环保站房控制系统", "environmental station's control system", *environment),
        spec("opcua_production", "生产控制系统", "production control system", *production),
        spec("business", "业务系统", "business systems", "serve-business", "--site", site),
        spec("province", "省平台接收端", "province's receiver", "serve-province", "--site", site),
        spec("park", "园区平台接收端", "park's receiver", "serve-park", "--site", site),
    ]


def _in_turn(specs: list[ProcessSpec]) -> list[ProcessSpec]:
    """The same processes, each after the one before it."""
    before = [None, *(spec.name for spec in specs)]
    return [replace(spec, after=name) for spec, name in zip(specs, before, strict=False)]


def _await_ports(site_dir: Path, ports: dict[str, int], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    silent = dict(ports)
    while silent and process.poll() is None and time.monotonic() < deadline:
        silent = {name: port for name, port in silent.items() if not supervisor.answers(port)}
        time.sleep(0.1)
    if silent:
        stop(site_dir)
        logs = site_dir / "var" / "log"
        msg = (
            f"starting the plant: {', '.join(silent)} did not answer within {READY_WITHIN_S:.0f} s; "
            f"everything was stopped again, read the logs in {logs}"
        )
        raise PlantStartError(msg)


def _log(site_dir: Path) -> Path:
    folder = site_dir / "var" / "log"
    folder.mkdir(parents=True, exist_ok=True)
    run_dir(site_dir).mkdir(parents=True, exist_ok=True)
    return folder / "plant_supervisor.log"
