"""Batches on reactor R301: three a day, each with phases, charges and a yield, from the seed alone.

Everything that speaks of a batch (reactor tags, tank draws, MES orders, laboratory sheets) asks here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time
from enum import IntEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

FIRST_DAY = date(2020, 1, 1)
STARTS = (wall_time(0, 30), wall_time(8, 30), wall_time(16, 30))


class PhaseCode(IntEnum):
    """What the reactor does, as the control system reports it in R301.PHASE."""

    IDLE = 0
    CHARGING = 1
    HEATING = 2
    REACTING = 3
    COOLING = 4
    DISCHARGING = 5
    CLEANING = 6


NOMINAL_MINUTES = {
    PhaseCode.CHARGING: 55.0,
    PhaseCode.HEATING: 50.0,
    PhaseCode.REACTING: 210.0,
    PhaseCode.COOLING: 60.0,
    PhaseCode.DISCHARGING: 40.0,
    PhaseCode.CLEANING: 30.0,
}


@dataclass(frozen=True)
class Phase:
    """One phase of one batch, half-open in time."""

    code: PhaseCode
    start_utc: datetime
    end_utc: datetime


@dataclass(frozen=True)
class Batch:
    """One batch, from the start of charging to the end of cleaning.

    Masses are what the control system dosed: they integrate from R301.FEED_FLOW and leave the tanks.
    """

    batch_id: str
    ordinal: int  # counts every batch since STARTS first applied, so that meters can add them up
    start_utc: datetime
    end_utc: datetime
    phases: tuple[Phase, ...]
    methanol_kg: float
    ammonia_kg: float
    chlorine_kg: float
    product_kg: float

    def phase(self, code: PhaseCode) -> Phase:
        """The batch's phase of this code; every batch has each phase once."""
        return next(phase for phase in self.phases if phase.code is code)


@lru_cache(maxsize=4096)
def batch(seed: int, zone: ZoneInfo, day: date, number: int) -> Batch:
    """The `number`-th batch (1 to 3) of a plant day."""
    batch_id = f"B{day:%Y%m%d}-{number}"
    draw = random.Random(f"{seed}:{batch_id}")
    start = datetime.combine(day, STARTS[number - 1], zone).astimezone(UTC)
    phases = []
    at = start
    for code, minutes in NOMINAL_MINUTES.items():
        end = at + timedelta(seconds=round(60 * minutes * draw.uniform(0.96, 1.04)))
        phases.append(Phase(code, at, end))
        at = end
    methanol_kg = round(draw.uniform(5_800.0, 6_200.0), 1)
    ammonia_kg = round(draw.uniform(1_560.0, 1_640.0), 1)
    chlorine_kg = round(draw.uniform(48.0, 52.0), 1)
    product_kg = round((methanol_kg + ammonia_kg) * draw.uniform(0.905, 0.935), 1)
    ordinal = (day - FIRST_DAY).days * len(STARTS) + number - 1
    return Batch(
        batch_id, ordinal, start, at, tuple(phases), methanol_kg, ammonia_kg, chlorine_kg, product_kg
    )


def batches_between(seed: int, zone: ZoneInfo, start_utc: datetime, end_utc: datetime) -> list[Batch]:
    """Every batch that overlaps the half-open window, in order of start."""
    day = start_utc.astimezone(zone).date() - timedelta(days=1)
    last_day = end_utc.astimezone(zone).date()
    found = []
    while day <= last_day:
        of_day = (batch(seed, zone, day, number) for number in range(1, len(STARTS) + 1))
        found += [one for one in of_day if one.start_utc < end_utc and one.end_utc > start_utc]
        day += timedelta(days=1)
    return found
