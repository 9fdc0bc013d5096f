"""Plant time: one clock for every process, so that a speed factor reaches all of them.

Instants are UTC. A production site has no clock file and runs on the machine's clock.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is in the plant, and how long a plant second takes here."""

    @property
    def speed(self) -> float:
        """Plant seconds per second of this machine."""

    def now(self) -> datetime:
        """The present instant of the plant, aware, in UTC."""

    def real_seconds(self, plant_seconds: float) -> float:
        """How many seconds of this machine pass during `plant_seconds` of the plant."""


@dataclass(frozen=True)
class SystemClock:
    """The machine's own clock."""

    speed: float = 1.0

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)

    def real_seconds(self, plant_seconds: float) -> float:
        """The same number: a plant second is a second."""
        return plant_seconds


@dataclass(frozen=True)
class ScaledClock:
    """Passes `origin_plant_utc` when the machine passes `origin_real_utc`, then runs at `speed`."""

    origin_real_utc: datetime
    origin_plant_utc: datetime
    speed: float
    stops_at_plant_utc: datetime | None = None  # where a replay ends, so that nothing falls due for ever

    def now(self) -> datetime:
        """The present plant instant, aware, in UTC; it stands still once it has stopped."""
        elapsed_s = time.time() - self.origin_real_utc.timestamp()
        moment = self.origin_plant_utc + timedelta(seconds=elapsed_s * self.speed)
        return moment if self.stops_at_plant_utc is None else min(moment, self.stops_at_plant_utc)

    def real_seconds(self, plant_seconds: float) -> float:
        """`plant_seconds` divided by the speed."""
        return plant_seconds / self.speed


def load_clock(path: Path | None) -> Clock:
    """The clock described by a JSON file, or the machine's when there is none.

    Args:
        path: a file of `origin_real_utc` and `origin_plant_utc` (ISO 8601 with offset), `speed`, and
            perhaps `stops_at_plant_utc`.

    Raises:
        ValueError: the file exists and says something else; the message names the file and what it holds.
    """
    if path is None or not path.exists():
        return SystemClock()
    found = json.loads(path.read_text(encoding="utf-8"))
    stop = found.get("stops_at_plant_utc")
    try:
        return ScaledClock(
            origin_real_utc=datetime.fromisoformat(found["origin_real_utc"]).astimezone(UTC),
            origin_plant_utc=datetime.fromisoformat(found["origin_plant_utc"]).astimezone(UTC),
            speed=float(found["speed"]),
            stops_at_plant_utc=datetime.fromisoformat(stop).astimezone(UTC) if stop else None,
        )
    except (KeyError, ValueError) as error:
        msg = (
            f"{path}: expected origin_real_utc, origin_plant_utc (ISO 8601 with offset) and speed, "
            f"found {found!r}; correct the file or delete it to run on the machine's clock"
        )
        raise ValueError(msg) from error
