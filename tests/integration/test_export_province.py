"""From regulatory rows to the province's store, over a real socket."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exports.dispatcher import drain
from exports.outbox import build_due
from exports.site import ExportSite
from reference_plant.receivers.control import ask
from tests.fakes.export_site import (
    SetClock,
    free_port,
    hours,
    local,
    make_site,
    observe,
    province,
    province_rows,
    report,
    write_rows,
)

NOW = local("2026-11-17T06:30:00")
_RUN = "import sys; from pathlib import Path; from reference_plant.receivers.province import main; main(Path(sys.argv[1]))"


@contextmanager
def province_platform(root: Path, port: int) -> Iterator[Path]:
    """The strict platform as a process beside the site; yields its control file."""
    (root / "plant.json").write_text(json.dumps({"scenarios": [], "ports": {"province": port}}))
    clock = {"origin_real_utc": NOW.isoformat(), "origin_plant_utc": NOW.isoformat(), "speed": 0.0}
    (root / "clock.json").write_text(json.dumps(clock))
    control = root / "var/run/province.control.json"
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(root)])
    try:
        _wait_until(lambda: control.exists() and control.stat().st_size > 0)
        yield control
    finally:
        process.terminate()
        process.wait(10)


def stored(root: Path, sql: str) -> list[Any]:
    with sqlite3.connect(root / "var/plant/receivers/province.sqlite") as db:
        return db.execute(sql).fetchall()


def _wait_until(holds: Any, timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "the platform did not start"
        time.sleep(0.05)


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(NOW))


def test_due_hours_arrive_once_and_in_order(site: ExportSite) -> None:
    port = free_port()
    reports = {"province_hj212_hour": report()}
    endpoints = {"province_hj212": province(port)}
    first = local("2026-11-17T00:00:00")
    write_rows(site, "reg_province__hj212_hour", [r for at in hours(first, 7) for r in province_rows(at)])
    with province_platform(site.root, port):
        built = build_due(site, reports, endpoints, since=first)
        ended = drain(site, reports, endpoints, log_key=site.root / "pki/log_sign.pem", timeout_s=20)
    assert len(built.enqueued) == 6 * 3  # the seventh hour is not over
    assert ended.by_state == {"acknowledged": 18}
    times = stored(site.root, "select mn, data_time from frames where accepted order by id")
    by_mn: dict[str, list[str]] = {}
    for mn, data_time in times:
        by_mn.setdefault(mn, []).append(data_time)
    expected = [
        f"2026111700{minute:02d}00"[:8] + f"{hour:02d}0000" for hour, minute in ((h, 0) for h in range(6))
    ]
    assert set(by_mn) == {device.mn for device in site.devices.values()}
    assert all(found == expected for found in by_mn.values())
    assert stored(site.root, "select count(*) from frames where not accepted or order_breach <> ''") == [(0,)]
