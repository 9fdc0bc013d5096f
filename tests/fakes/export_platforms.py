"""The strict receivers as processes of their own, beside a test's site."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_RUN = "import sys, pathlib; from reference_plant.receivers.{} import main; main(pathlib.Path(sys.argv[1]))"


def set_plant(root: Path, ports: dict[str, int], plant_now: datetime, speed: float = 0.0) -> None:
    """Write the site's plant.json and clock.json; by default the platforms' clock stands."""
    (root / "plant.json").write_text(json.dumps({"scenarios": [], "ports": ports}))
    clock = {
        "origin_real_utc": datetime.now(UTC).isoformat(),
        "origin_plant_utc": plant_now.isoformat(),
        "speed": speed,
    }
    (root / "clock.json").write_text(json.dumps(clock))


@contextmanager
def platform(name: str, root: Path, port: int, plant_now: datetime) -> Iterator[Path]:
    """Run `province` or `park` alone, its clock standing at `plant_now`; yields its control file."""
    set_plant(root, {name: port}, plant_now)
    with running(name, root) as control:
        yield control


@contextmanager
def running(name: str, root: Path) -> Iterator[Path]:
    """Run one platform of a site whose plant is set; yields its control file."""
    control = root / f"var/run/{name}.control.json"
    control.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, "-c", _RUN.format(name), str(root)])
    try:
        wait_until(lambda: control.exists() and control.stat().st_size > 0, "the platform to start")
        yield control
    finally:
        process.terminate()
        process.wait(10)


def stored(root: Path, name: str, sql: str) -> list[Any]:
    """What the platform's own database says."""
    with sqlite3.connect(root / f"var/plant/receivers/{name}.sqlite") as database:
        return database.execute(sql).fetchall()


def wait_until(holds: Callable[[], object], what: str, timeout_s: float = 20) -> None:
    """Look often until it holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.02)
