"""A plant clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StillClock:
    """Stands at one moment."""

    instant: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        """The moment."""
        return self.instant

    def real_seconds(self, plant_seconds: float) -> float:
        """The same number."""
        return plant_seconds
