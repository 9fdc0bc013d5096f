"""The main job, end to end: from the plant's OPC UA servers to the receivers' acknowledgements, then stop.

It starts what a site starts, runs the ticks itself instead of waiting for schedules, and compares at the end.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from lake.state import open_state
from lake.state_tables import streams
from orchestration import starting, supervisor
from orchestration.settings import Settings, load_settings
from orchestration.tick import TickReport, run_tick
from protocols.clock import load_clock
from reference_plant import lifecycle
from reference_plant.init import make_site
from reference_plant.options import PlantOptions
from reference_plant.reconcile import Comparison, reconcile

CHAIN = ("collect", "land", "dispatch")
POINTS = ".points"
SETTLE = timedelta(minutes=14)  # plant time in which reports still fall due, and none of an empty period
CAUGHT_UP = timedelta(minutes=15)
SLOWEST_GRID = timedelta(seconds=20)  # every system has a tag sampled at least this often
POLL_S = 0.5
ARRIVAL_TIMEOUT_S = 240.0
DRAIN_TIMEOUT_S = 120.0

Tell = Callable[[str], None]


class DemoError(RuntimeError):
    """A stage did not come to its end; the message says which, and which log to read."""


@dataclass
class DemoReport:
    """What the demo did, for the summary and for tests."""

    site_dir: Path
    ticks: list[TickReport] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    pending: int = 0
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether every step ran, everything was acknowledged and nothing differs."""
        differences = sum(comparison.differences for comparison in self.comparisons)
        return not differences and not self.pending and all(tick.succeeded for tick in self.ticks)


def run_demo(site_dir: Path, tell: Tell, options: PlantOptions | None = None) -> DemoReport:
    """Make a fresh reference plant in `site_dir`, run the main job, compare, stop everything.

    Raises:
        DemoError: the directory is in use, or a stage did not come to its end in time.
    """
    began = time.monotonic()
    site_dir = site_dir.resolve()
    chosen = options or PlantOptions()
    tell("建立参考工厂 / making the reference plant")
    make_fresh(site_dir, chosen)
    settings = load_settings(site_dir)
    report = DemoReport(site_dir)
    with running(settings, chosen.until + SETTLE, tell):
        tell("采集历史与实时数据 / collecting history and live data")
        await_arrival(settings, chosen.live_from - CAUGHT_UP)
        report.ticks.append(_tick(settings, tell))
        await_arrival(settings, chosen.until - SLOWEST_GRID)
        await_clock(settings, chosen.until + SETTLE)
        report.ticks.append(_tick(settings, tell))
        tell("等待平台确认 / waiting for the receivers' acknowledgements")
        report.pending = drain(settings)
        report.ticks.append(_tick(settings, tell))
    tell("比对工厂、湖与平台 / comparing plant, lake and receivers")
    report.comparisons = reconcile(site_dir)
    report.seconds = time.monotonic() - began
    return report


def make_fresh(site_dir: Path, options: PlantOptions) -> None:
    """A new site where there was none or an earlier demo's; anything else is left alone.

    Raises:
        DemoError: the directory holds something that no demo made, or a site that is running.
    """
    if site_dir.exists() and any(site_dir.iterdir()):
        if not (site_dir / "plant.json").is_file():
            msg = f"{site_dir} holds something that is no reference plant; name another directory"
            raise DemoError(msg)
        if any(map(supervisor.is_running, (lifecycle.run_dir(site_dir), site_dir / "var" / "run"))):
            msg = f"{site_dir} is running; end it first: make down SITE={site_dir}"
            raise DemoError(msg)
        shutil.rmtree(site_dir)
    make_site(site_dir, options)


@contextmanager
def running(settings: Settings, stops_at: datetime, tell: Tell) -> Iterator[None]:
    """The plant's processes and the chain from collector to dispatcher, ended on the way out."""
    try:
        tell("启动工厂与采集链路 / starting the plant and the chain")
        starting.prepare(settings)
        lifecycle.start(settings.site_dir)
        stop_clock_after(settings.site_dir, stops_at)
        starting.start_detached(settings, only=CHAIN)
        yield
    finally:
        tell("停止全部进程 / stopping everything")
        supervisor.stop(settings.run_dir)
        lifecycle.stop(settings.site_dir)


def stop_clock_after(site_dir: Path, at: datetime) -> None:
    """Let plant time end at `at`: processes that read the clock from now on stand still there."""
    path = site_dir / "clock.json"
    clock = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**clock, "stops_at_plant_utc": at.isoformat()}), encoding="utf-8")


def await_arrival(settings: Settings, until: datetime) -> None:
    """Wait until raw holds points of every stream up to `until`.

    Raises:
        DemoError: it did not come to that in time.
    """
    state = open_state(settings.state_url, settings.clock.now)
    systems = {path.stem for path in (settings.site_dir / "tags").glob("*.csv")}
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    behind = systems
    while behind:
        with state.read() as conn:
            rows = conn.execute(streams.select()).all()
        arrived = {row.stream: row.last_event_at_utc for row in rows if row.stream.endswith(POINTS)}
        behind = {
            system
            for system in systems
            if datetime.fromisoformat(arrived.get(system + POINTS) or "0001-01-01T00:00:00+00:00") < until
        }
        if behind and time.monotonic() > deadline:
            msg = (
                f"waiting for points up to {until.isoformat()}: {', '.join(sorted(behind))} stand at "
                f"{arrived}; read {settings.log_dir}/collect.log and land.log"
            )
            raise DemoError(msg)
        time.sleep(POLL_S)


def await_clock(settings: Settings, until: datetime) -> None:
    """Wait until it is `until` in the plant."""
    clock = load_clock(settings.site_dir / "clock.json")
    while clock.now() < until:
        time.sleep(POLL_S)


def drain(settings: Settings) -> int:
    """Wait until the outbox is empty; returns what is still waiting when patience ends."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    waiting = outstanding(settings)
    while waiting and time.monotonic() < deadline:
        time.sleep(POLL_S)
        waiting = outstanding(settings)
    return waiting


def outstanding(settings: Settings) -> int:
    """Submissions that have neither a receipt nor a refusal."""
    from sqlalchemy import func, select

    from lake.state_tables import submissions

    state = open_state(settings.state_url, settings.clock.now)
    with state.read() as conn:
        waiting = submissions.c.state.in_(["queued", "sending"])
        return conn.scalar(select(func.count()).select_from(submissions).where(waiting)) or 0


def _tick(settings: Settings, tell: Tell) -> TickReport:
    tell("抽取、计算、检查、上报 / extracting, building, checking, reporting")
    report = run_tick(load_settings(settings.site_dir))
    for line in report.lines():
        tell(f"  {line}")
    return report
