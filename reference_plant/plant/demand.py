"""Demands on utilities: a rate that follows day and batches, and the meter that integrates it exactly.

A rate's noise is the derivative of a smooth curve, so that rate and meter agree without adding anything up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reference_plant.plant.batches import NOMINAL_MINUTES, PhaseCode
from reference_plant.plant.context import DAY_S, Context, day_wave
from reference_plant.plant.noise import Floats, stream_key, wander, wander_rate

HOUR_S = 3600.0


@dataclass(frozen=True)
class Demand:
    """Amounts in the meter's unit: an hour at rest, the day's swing as a share, added by each phase."""

    name: str
    base_per_h: float
    day_swing: float
    per_phase: Mapping[PhaseCode, float]
    wander_amount: float
    wander_s: float = 900.0

    @cached_property
    def _steps(self) -> Floats:
        return np.array([self.per_phase.get(code, 0.0) for code in NOMINAL_MINUTES] + [0.0])

    def _batch_amounts(self, context: Context) -> Floats:
        """The batches' part of the meter at each phase edge."""
        first = context.batches[0].ordinal * self._steps.sum()
        added = np.tile(self._steps, len(context.batches))
        amounts: Floats = first + np.concatenate(([0.0], np.cumsum(added)[:-1]))
        return amounts

    def total(self, context: Context, t: Floats) -> Floats:
        """The meter's reading: never goes down as long as `rate` stays above zero."""
        swing_s = DAY_S / (2 * np.pi)
        steady = self.base_per_h / HOUR_S * (t + self.day_swing * swing_s * day_wave(t, 20.0))
        batches = np.interp(t, context.phase_edges, self._batch_amounts(context))
        noise = self.wander_amount * wander(stream_key(context.seed, self.name), t, self.wander_s)
        return steady + batches + noise

    def rate(self, context: Context, t: Floats) -> Floats:
        """The amount per hour at each moment."""
        steady = self.base_per_h * (1 + self.day_swing * day_wave(t, 14.0))
        hours = np.diff(context.phase_edges, append=np.inf) / HOUR_S
        per_h = np.tile(self._steps, len(context.batches)) / hours
        noise = self.wander_amount * wander_rate(stream_key(context.seed, self.name), t, self.wander_s)
        return steady + per_h[context.phase_index(t)] + HOUR_S * noise

    def mean_rate(self, context: Context, t: Floats, over_s: float) -> Floats:
        """The amount per hour over the last `over_s` seconds: what a furnace with inertia sees."""
        return (self.total(context, t) - self.total(context, t - over_s)) * (HOUR_S / over_s)


_P = PhaseCode
POWER = Demand(
    "power",
    420.0,
    0.12,
    {_P.CHARGING: 40, _P.HEATING: 95, _P.REACTING: 330, _P.COOLING: 110, _P.CLEANING: 25},
    2.0,
)
STEAM = Demand("steam", 1.10, 0.10, {_P.HEATING: 2.1, _P.REACTING: 1.6, _P.CLEANING: 0.35}, 0.012)
WATER = Demand("water", 9.0, 0.15, {_P.CHARGING: 4.0, _P.COOLING: 18.0, _P.CLEANING: 9.0}, 0.08)
GAS = Demand("gas", 165.0, 0.10, {_P.HEATING: 150.0, _P.REACTING: 130.0, _P.CLEANING: 28.0}, 1.4)
EFFLUENT = Demand("effluent", 9.5, 0.18, {_P.COOLING: 3.0, _P.DISCHARGING: 6.0, _P.CLEANING: 9.5}, 0.07)
