"""The business systems as one process: PostgreSQL, its users at work, the laboratory handing in workbooks."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from protocols.clock import load_clock
from reference_plant.business.cluster import Cluster
from reference_plant.business.database import apply_until, prepare
from reference_plant.business.journal import Event
from reference_plant.business.story import events
from reference_plant.laboratory.handover import Messenger

LOOK_EVERY_S = 0.5
HORIZON = timedelta(days=1)


@dataclass(frozen=True)
class BusinessPlan:
    """What this process needs to know of the site."""

    seed: int
    zone: ZoneInfo
    start_utc: datetime
    port: int
    reader_password: str

    @classmethod
    def of_site(cls, site_dir: Path) -> BusinessPlan:
        """Read plant.json, site.yml and the reader's password."""
        plant = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
        site = yaml.safe_load((site_dir / "site.yml").read_text(encoding="utf-8"))
        secret = site_dir / "secrets" / "postgres_reader_password"
        return cls(
            seed=int(plant["seed"]),
            zone=ZoneInfo(site["zone"]),
            start_utc=datetime.fromisoformat(plant["history_start_utc"]).astimezone(UTC),
            port=int(plant["ports"]["postgres"]),
            reader_password=secret.read_text(encoding="utf-8").strip(),
        )


class History:
    """The story as far as it is told; told further when plant time nears its end."""

    def __init__(self, plan: BusinessPlan) -> None:
        self._plan = plan
        self._told_until = plan.start_utc
        self._events: list[Event] = []

    def until(self, now_utc: datetime) -> list[Event]:
        """Events from the start to at least `now_utc`; earlier calls' events keep their places."""
        if now_utc >= self._told_until:
            self._told_until = now_utc + HORIZON
            self._events = events(self._plan.seed, self._plan.zone, self._plan.start_utc, self._told_until)
        return self._events


def main(site_dir: Path) -> None:
    """Run until SIGTERM or SIGINT arrives or the parent process is gone, then stop PostgreSQL cleanly."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    plan = BusinessPlan.of_site(site_dir)
    cluster = Cluster(site_dir.resolve() / "var" / "plant" / "postgres", plan.port)
    try:
        cluster.start()
        prepare(cluster, plan.reader_password)
        _work(site_dir, plan, cluster, stop)
    finally:
        cluster.stop()


def _work(site_dir: Path, plan: BusinessPlan, cluster: Cluster, stop: threading.Event) -> None:
    clock = load_clock(site_dir / "clock.json")
    history = History(plan)
    messenger = Messenger(site_dir)
    applied = 0
    parent = os.getppid()
    while not stop.is_set() and os.getppid() == parent:
        now = clock.now()
        told = history.until(now)
        if applied < len(told) and told[applied].at_utc <= now:
            applied = apply_until(cluster.admin_url, told, now)
        messenger.deliver(now)
        stop.wait(LOOK_EVERY_S)
