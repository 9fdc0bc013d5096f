"""What can be chosen of a reference plant. Imports little: the command line shows these defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from reference_plant.plant.scenarios import Scenario, defaults

ZONE = ZoneInfo("Asia/Shanghai")
DEFAULT_SEED = 20261116
DEFAULT_LIVE_FROM = datetime(2026, 11, 17, 1, 30, tzinfo=ZONE)
DEFAULT_HISTORY_HOURS = 25.5
DEFAULT_LIVE_MINUTES = 100.0
DEFAULT_SPEED = 60.0


@dataclass(frozen=True)
class PlantOptions:
    """Seed, speed and windows; all windows follow from `live_from`."""

    seed: int = DEFAULT_SEED
    speed: float = DEFAULT_SPEED
    live_from: datetime = DEFAULT_LIVE_FROM
    history_hours: float = DEFAULT_HISTORY_HOURS
    live_minutes: float = DEFAULT_LIVE_MINUTES
    scenarios: tuple[str, ...] | None = None  # names to keep of the defaults; None keeps all

    @property
    def history_start(self) -> datetime:
        """The first moment the plant has history of."""
        return (self.live_from - timedelta(hours=self.history_hours)).astimezone(UTC)

    @property
    def until(self) -> datetime:
        """When the plant stops producing."""
        return (self.live_from + timedelta(minutes=self.live_minutes)).astimezone(UTC)

    def chosen_scenarios(self) -> list[Scenario]:
        """The default scenarios that were asked for.

        Raises:
            ValueError: a name is not among them.
        """
        offered = defaults(ZONE, self.history_start, self.live_from.astimezone(UTC), self.until)
        if self.scenarios is None:
            return offered
        names = {scenario.name for scenario in offered}
        unknown = set(self.scenarios) - names
        if unknown:
            msg = f"choosing scenarios: {sorted(unknown)} do not exist; expected some of {sorted(names)}"
            raise ValueError(msg)
        return [scenario for scenario in offered if scenario.name in self.scenarios]
