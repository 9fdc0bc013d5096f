"""The strict receivers as processes of their own, beside a test's site."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

_RUN = "import sys, pathlib; from reference_plant.receivers.{} import main; main(pathlib.Path(sys.argv[1]))"


@contextmanager
def platform(name: str, root: Path, port: int, plant_now: datetime) -> Iterator[Path]:
    """Run `province` or `park` on a port, its clock standing at `plant_now`; yields its control file."""
    (root / "plant.json").write_text(json.dumps({"scenarios": [], "ports": {name: port}}))
    clock = {
        "origin_real_utc": plant_now.isoformat(),
        "origin_plant_utc": plant_now.isoformat(),
        "speed": 0.0,
    }
    (root / "clock.json").write_text(json.dumps(clock))
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
