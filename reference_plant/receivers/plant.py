"""What a receiver reads of the plant it stands beside: its time, its port, when it is out of order."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path


@dataclass(frozen=True)
class Outage:
    """A span of plant time, half-open, in which a receiver is closed."""

    from_utc: datetime
    to_utc: datetime


@dataclass(frozen=True)
class PlantView:
    """The reference plant as one receiver sees it."""

    site_dir: Path
    receiver: str
    port: int
    outages: tuple[Outage, ...]

    @classmethod
    def of_site(cls, site_dir: Path, receiver: str) -> PlantView:
        """Read plant.json; `receiver` is also the name of the port there."""
        plant = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
        outages = tuple(
            Outage(_instant(scenario["from_utc"]), _instant(scenario["to_utc"]))
            for scenario in plant["scenarios"]
            if scenario["name"] == "receiver_outage" and scenario["receiver"] == receiver
        )
        return cls(site_dir, receiver, int(plant["ports"][receiver]), outages)

    @property
    def store_path(self) -> Path:
        """The receiver's own database."""
        return self.site_dir / "var" / "plant" / "receivers" / f"{self.receiver}.sqlite"

    @property
    def control_path(self) -> Path:
        """Where the receiver writes how its control port is reached."""
        return self.site_dir / "var" / "run" / f"{self.receiver}.control.json"

    def secret(self, name: str) -> str:
        """The text of one secret file."""
        return (self.site_dir / "secrets" / name).read_text(encoding="utf-8").strip()

    def now(self) -> datetime:
        """Plant time: the machine's clock, or clock.json's origin and speed."""
        path = self.site_dir / "clock.json"
        if not path.exists():
            return datetime.now(UTC)
        clock = json.loads(path.read_text(encoding="utf-8"))
        elapsed_s = time.time() - _instant(clock["origin_real_utc"]).timestamp()
        return _instant(clock["origin_plant_utc"]) + timedelta(seconds=elapsed_s * float(clock["speed"]))

    def is_out(self, now_utc: datetime) -> bool:
        """Whether the receiver is closed at this moment of plant time."""
        return any(outage.from_utc <= now_utc < outage.to_utc for outage in self.outages)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
