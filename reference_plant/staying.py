"""`make up` and `make down`: plant and platform kept running until told to stop."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration import starting, supervisor
from orchestration.settings import load_settings
from protocols.clock import load_clock
from reference_plant import lifecycle
from reference_plant.init import make_site, write_clock
from reference_plant.lifecycle import PlantStartError
from reference_plant.options import PlantOptions

__all__ = ["PlantStartError", "stay_up", "take_down"]

STAYING = timedelta(days=365)


def stay_up(site_dir: Path) -> str:
    """Start plant and platform and leave them running; returns the address of the Dagster UI.

    A site that a demo made goes on from where its plant time stands; otherwise a new one is made.

    Raises:
        AlreadyRunningError: it runs already.
        PlantStartError: a plant process did not answer.
        SiteExistsError: the directory holds something else.
        StartError: the UI did not come up; the plant is stopped again.
    """
    site_dir = site_dir.resolve()
    if not (site_dir / "plant.json").is_file():
        make_site(site_dir, PlantOptions())
    if not supervisor.is_running(lifecycle.run_dir(site_dir)):
        resume_time(site_dir)
    with ThreadPoolExecutor(max_workers=1) as beside:  # plant and platform come up at the same time
        plant = beside.submit(_start_plant, site_dir)
        try:
            address = starting.start_detached(load_settings(site_dir))
            plant.result()
        except (starting.StartError, PlantStartError):
            take_down(site_dir)
            raise
    return address


def _start_plant(site_dir: Path) -> None:
    if not supervisor.is_running(lifecycle.run_dir(site_dir)):
        lifecycle.start(site_dir, in_turn=True)


def take_down(site_dir: Path) -> int:
    """End the platform, then the plant; returns how many processes there were."""
    site_dir = site_dir.resolve()
    if not (site_dir / "plant.json").is_file():
        return 0
    return supervisor.stop(load_settings(site_dir).run_dir) + lifecycle.stop(site_dir)


def resume_time(site_dir: Path) -> None:
    """Let plant time go on from where it stands, and production with it, for a year."""
    path = site_dir / "plant.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    now = load_clock(site_dir / "clock.json").now()
    described["until_utc"] = (now + STAYING).astimezone(UTC).isoformat()
    path.write_text(json.dumps(described, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    live_from = datetime.fromisoformat(described["live_from_utc"])
    write_clock(site_dir, max(now, live_from), described["speed"])
    lifecycle.mark_begun(site_dir)
