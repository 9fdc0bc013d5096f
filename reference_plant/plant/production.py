"""Signals of the production control system: tank farm, reactor, utilities, gas detectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import numpy as np

from reference_plant.plant.batches import Batch, PhaseCode, batches_between
from reference_plant.plant.context import DAY_S, ORIGIN, Context, ambient_temp_c, seconds
from reference_plant.plant.demand import GAS, HOUR_S, POWER, STEAM, WATER, Demand
from reference_plant.plant.noise import Floats, stream_key, uniform
from reference_plant.plant.signals import Compute, Signal, at_least

T101_CAPACITY_KG = 60_000.0
T102_CAPACITY_KG = 120_000.0
DELIVERIES = ((9.0, 9.8), (14.0, 14.8))  # plant hours in which a tank lorry unloads half of yesterday's use
CYLINDER_KG = 1_000.0
CYLINDER_DAYS = 6  # a cylinder serves six days, then rests until the other has served its six
CYLINDER_CHANGE_H = 34.0  # hours after its last service day began: ten in the morning of the next day


def _charged(context: Context, t: Floats, charge_kg: Callable[[Batch], float]) -> tuple[Floats, Floats]:
    """What batches took since the start of yesterday, and what they took in the whole of yesterday."""
    edges, taken, per_day = [], [0.0], dict[int, float]()
    batches = context.batches
    for one in batches:
        charging = one.phase(PhaseCode.CHARGING)
        edges += [seconds(charging.start_utc), seconds(charging.end_utc)]
        taken += [taken[-1], taken[-1] + charge_kg(one)]
    today = np.floor(t / DAY_S)
    for day in range(int(today.min()) - 1, int(today.max()) + 1):
        per_day[day] = _used_on(context, day, charge_kg)
    knots = np.array(taken[1:])
    since = np.interp(t, edges, knots) - np.interp(today * DAY_S, edges, knots)
    yesterday = np.array([per_day[int(day) - 1] for day in np.unique(today)])
    return since, yesterday[np.searchsorted(np.unique(today), today)]


def _used_on(context: Context, day: int, charge_kg: Callable[[Batch], float]) -> float:
    start = ORIGIN + timedelta(days=day)
    found = batches_between(context.seed, context.zone, start, start + timedelta(days=1))
    return sum(charge_kg(one) for one in found)


def tank_level_pct(
    capacity_kg: float, full_pct: float, name: str, charge_kg: Callable[[Batch], float]
) -> Compute:
    """Level of a tank that batches draw from and lorries refill the day after, never drifting away."""

    def compute(context: Context, t: Floats) -> Floats:
        drawn_today, drawn_yesterday = _charged(context, t, charge_kg)
        hour = (t / DAY_S % 1.0) * 24.0
        filled = sum(
            np.clip((hour - begin) / (end - begin), 0.0, 1.0) / len(DELIVERIES) for begin, end in DELIVERIES
        )
        missing = drawn_yesterday * (1.0 - filled) + drawn_today
        slow = 5.0 * context.wander(f"{name} stock", t, 5 * DAY_S)
        return full_pct + slow - 100.0 * missing / capacity_kg + 0.06 * context.noise(name, t)

    return compute


def _ammonia_temp_c(context: Context, t: Floats) -> Floats:
    return 0.75 * ambient_temp_c(context, t - 2 * HOUR_S) + 4.0 + 0.15 * context.noise("T101.TEMP", t)


def _ammonia_pressure_mpa(context: Context, t: Floats) -> Floats:
    """Vapour pressure of ammonia above the atmosphere (Antoine, 239-371 K)."""
    kelvin = _ammonia_temp_c(context, t) + 273.15
    bar = 10 ** (4.86886 - 1113.928 / (kelvin - 10.409))
    return bar / 10.0 - 0.1013 + 0.002 * context.noise("T101.PRESSURE", t)


def _methanol_temp_c(context: Context, t: Floats) -> Floats:
    return 0.8 * ambient_temp_c(context, t - 3 * HOUR_S) + 3.0 + 0.12 * context.noise("T102.TEMP", t)


def cylinder_weight_kg(in_service_first: bool) -> Compute:
    """Chlorine left in one of two cylinders that serve six days in turn."""

    def compute(context: Context, t: Floats) -> Floats:
        spell_s = CYLINDER_DAYS * DAY_S
        first = math.floor(float(t.min()) / spell_s)
        first -= (first % 2 == 0) != in_service_first
        at, weight = [], []
        for spell in range(first, math.floor(float(t.max()) / spell_s) + 2, 2):
            knots = _service_knots(context, spell * spell_s)
            at += [moment for moment, _ in knots]
            weight += [kg for _, kg in knots]
        name = f"cylinder {in_service_first}"
        return np.asarray(np.interp(t, at, weight)) + 0.4 * context.noise(name, t)

    return compute


def _service_knots(context: Context, start_s: float) -> list[tuple[float, float]]:
    """Weight over one service spell and the change afterwards, as corners of a line."""
    begin = ORIGIN + timedelta(seconds=start_s)
    left = CYLINDER_KG
    knots = [(start_s, left)]
    for one in batches_between(context.seed, context.zone, begin, begin + timedelta(days=CYLINDER_DAYS)):
        charging = one.phase(PhaseCode.CHARGING)
        knots.append((seconds(charging.start_utc), left))
        left -= one.chlorine_kg
        knots.append((seconds(charging.end_utc), left))
    change = start_s + (CYLINDER_DAYS - 1) * DAY_S + CYLINDER_CHANGE_H * HOUR_S
    return [*knots, (change, left), (change + 900.0, 0.0), (change + 1800.0, CYLINDER_KG)]


def _reactor_temp_c(context: Context, t: Floats) -> Floats:
    profile = context.through_phases((34.0, 38.0, 116.0, 121.0, 44.0, 40.0, 36.0), t)
    return profile + 0.5 * context.noise("R301.TEMP", t)


def _reactor_pressure_mpa(context: Context, t: Floats) -> Floats:
    profile = context.through_phases((0.02, 0.18, 1.45, 1.30, 0.25, 0.04, 0.02), t)
    return at_least(0.0, profile + 0.008 * context.noise("R301.PRESSURE", t))


def _reactor_level_pct(context: Context, t: Floats) -> Floats:
    profile = context.through_phases((4.0, 76.0, 78.0, 76.5, 75.0, 5.0, 4.0), t)
    return at_least(0.0, profile + 0.3 * context.noise("R301.LEVEL", t))


_AGITATOR_A = np.array([0.0, 16.0, 24.0, 27.5, 25.0, 14.0, 18.0])


def _agitator_current_a(context: Context, t: Floats) -> Floats:
    amperes = _AGITATOR_A[context.phase(t)]
    return np.where(amperes > 0, amperes + 0.7 * context.noise("R301.AGITATOR_CURRENT", t), 0.0)


def _feed_flow_kg_h(context: Context, t: Floats) -> Floats:
    """Methanol and ammonia into the reactor: over a charging phase it adds up to what the batch records."""
    flows = [0.0] * (7 * len(context.batches))
    for place, one in enumerate(context.batches):
        charging = one.phase(PhaseCode.CHARGING)
        hours = (charging.end_utc - charging.start_utc).total_seconds() / HOUR_S
        flows[7 * place] = (one.methanol_kg + one.ammonia_kg) / hours
    flow: Floats = np.array(flows)[context.phase_index(t)]
    return flow * (1 + 0.015 * context.noise("R301.FEED_FLOW", t))


def _phase(context: Context, t: Floats) -> Floats:
    return context.phase(t).astype(np.float64)


def meter(demand: Demand) -> Compute:
    """The reading of a meter of this demand."""
    return demand.total


def _gas_detector(name: str, resting: float, spike: float) -> Compute:
    """A detector that mostly rests and sometimes breathes a little: one small whiff in about eight hours."""

    def compute(context: Context, t: Floats) -> Floats:
        slot = np.floor(t / 1800.0).astype(np.int64)
        drawn = uniform(stream_key(context.seed, name, "whiff"), slot)
        through = (t / 1800.0) % 1.0
        whiff = np.where(drawn < 1 / 16, spike * (0.4 + 9.6 * drawn), 0.0) * np.sin(np.pi * through) ** 4
        return at_least(0.0, resting + 0.4 * resting * context.noise(name, t) + whiff)

    return compute


SIGNALS: dict[str, Signal] = {
    "T101.LEVEL": Signal(tank_level_pct(T101_CAPACITY_KG, 68.0, "T101", lambda one: one.ammonia_kg)),
    "T101.TEMP": Signal(_ammonia_temp_c),
    "T101.PRESSURE": Signal(_ammonia_pressure_mpa, 4),
    "T102.LEVEL": Signal(tank_level_pct(T102_CAPACITY_KG, 76.0, "T102", lambda one: one.methanol_kg)),
    "T102.TEMP": Signal(_methanol_temp_c),
    "CL201.WEIGHT": Signal(cylinder_weight_kg(True), 1),
    "CL202.WEIGHT": Signal(cylinder_weight_kg(False), 1),
    "R301.TEMP": Signal(_reactor_temp_c),
    "R301.PRESSURE": Signal(_reactor_pressure_mpa, 4),
    "R301.LEVEL": Signal(_reactor_level_pct),
    "R301.AGITATOR_CURRENT": Signal(_agitator_current_a),
    "R301.FEED_FLOW": Signal(_feed_flow_kg_h, 1),
    "R301.PHASE": Signal(_phase, 0, on_change=True),
    "R301.BATCH_ID": Signal(lambda context, t: context.batch_ids(t), on_change=True),
    "EM.POWER": Signal(POWER.rate, 1),
    "EM.ENERGY": Signal(meter(POWER), 1),
    "EM.STEAM": Signal(meter(STEAM), 3),
    "EM.WATER": Signal(meter(WATER), 2),
    "EM.GAS": Signal(meter(GAS), 1),
    "GD101.NH3": Signal(_gas_detector("GD101.NH3", 0.6, 6.0), 1),
    "GD102.CH3OH": Signal(_gas_detector("GD102.CH3OH", 0.5, 4.0), 1),
    "GD103.CL2": Signal(_gas_detector("GD103.CL2", 0.02, 0.2), 2),
}
