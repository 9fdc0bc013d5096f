"""What a block of plant time knows: its batches and scenarios, as arrays that signals can look up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from reference_plant.plant.batches import NOMINAL_MINUTES, Batch, PhaseCode, batches_between
from reference_plant.plant.noise import Floats, noise, stream_key, wander
from reference_plant.plant.scenarios import Scenario

ORIGIN = datetime(2019, 12, 31, 16, tzinfo=UTC)  # midnight of 2020 in the plant: seconds count from here
DAY_S = 86_400.0
LOOK_BACK = timedelta(hours=20)  # longest memory of any signal: wastewater remembers two batches


def seconds(at: datetime) -> float:
    """Seconds from the origin of plant time."""
    return (at - ORIGIN).total_seconds()


@dataclass(frozen=True)
class Context:
    """Seed, scenarios and batches around one block of time."""

    seed: int
    zone: ZoneInfo
    scenarios: tuple[Scenario, ...]
    start_utc: datetime
    end_utc: datetime

    @cached_property
    def batches(self) -> list[Batch]:
        """Every batch of the block and of what its signals remember."""
        margin = timedelta(hours=9)
        return batches_between(
            self.seed, self.zone, self.start_utc - LOOK_BACK - margin, self.end_utc + margin
        )

    @cached_property
    def phase_edges(self) -> Floats:
        """Start of each phase and end of each batch, in order: idle time lies between two batches."""
        edges = [
            [seconds(phase.start_utc) for phase in one.phases] + [seconds(one.end_utc)]
            for one in self.batches
        ]
        return np.array(edges).ravel()

    def phase_index(self, t: Floats) -> NDArray[np.int64]:
        """Which stretch between two edges each moment falls in."""
        return np.searchsorted(self.phase_edges, t, side="right") - 1

    def phase(self, t: Floats) -> NDArray[np.int64]:
        """The phase code at each moment."""
        stretches = len(NOMINAL_MINUTES) + 1
        return (self.phase_index(t) % stretches + 1) % stretches

    def batch_ids(self, t: Floats) -> NDArray[np.object_]:
        """The batch in the reactor at each moment, an empty text between two."""
        ids = np.array([one.batch_id for one in self.batches], dtype=object)
        found: NDArray[np.object_] = ids[self.phase_index(t) // (len(NOMINAL_MINUTES) + 1)]
        found[self.phase(t) == PhaseCode.IDLE] = ""
        return found

    def through_phases(self, values: tuple[float, ...], t: Floats) -> Floats:
        """A line through one value per edge of a batch (its six phase starts and its end), repeated."""
        line: Floats = np.interp(t, self.phase_edges, np.tile(values, len(self.batches)))
        return line

    def noise(self, name: str, t: Floats) -> Floats:
        """The named noise of this plant, about ±1."""
        return noise(stream_key(self.seed, name), t)

    def wander(self, name: str, t: Floats, lattice_s: float) -> Floats:
        """The named slow noise of this plant, within ±1."""
        return wander(stream_key(self.seed, name), t, lattice_s)

    def windows(self, name: str, **matching: object) -> list[tuple[Scenario, float, float]]:
        """Windows of scenarios of this name and these parameters that touch the block, in seconds."""
        found = []
        for scenario in self.scenarios:
            if scenario.name != name or any(scenario.parameters.get(k) != v for k, v in matching.items()):
                continue
            for begin, end in scenario.windows(self.zone):
                if begin < self.end_utc + timedelta(hours=1) and end > self.start_utc - timedelta(hours=1):
                    found.append((scenario, seconds(begin), seconds(end)))
        return found


def day_wave(t: Floats, peak_hour: float) -> Floats:
    """A daily wave of ±1 with its crest at a plant hour."""
    wave: Floats = np.cos(2 * np.pi * (t / DAY_S - peak_hour / 24))
    return wave


def ambient_temp_c(context: Context, t: Floats) -> Floats:
    """Outdoor air of a mild autumn at the Yangtze's mouth."""
    return 13.5 + 4.5 * day_wave(t, 14.5) + 3.0 * context.wander("weather", t, 2 * DAY_S)
