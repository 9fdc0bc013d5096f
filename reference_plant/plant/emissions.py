"""Signals of the environmental station: two stacks, wastewater, rainwater, the barometer."""

from __future__ import annotations

import numpy as np

from reference_plant.plant.context import DAY_S, Context, ambient_temp_c, day_wave
from reference_plant.plant.demand import EFFLUENT, GAS, HOUR_S
from reference_plant.plant.disturbances import instrument_state
from reference_plant.plant.noise import Floats, stream_key, uniform
from reference_plant.plant.signals import Compute, Signal, at_least

BOILER_FULL_NM3_H = 330.0
VENTING = np.array([0.15, 1.0, 0.55, 0.45, 0.35, 0.95, 0.70])  # share of the vent header's load by phase
RAIN_CHANCE = 0.3
FIRST_FLUSH_S = 1_800.0


def boiler_load(context: Context, t: Floats) -> Floats:
    """Gas burnt over the last ten minutes as a share of full load."""
    return GAS.mean_rate(context, t, 600.0) / BOILER_FULL_NM3_H


def _boiler_o2(context: Context, t: Floats) -> Floats:
    return 3.3 + 2.4 * (1.0 - boiler_load(context, t)) + 0.28 * context.noise("DA001.O2", t)


def _boiler_nox(context: Context, t: Floats) -> Floats:
    """Hotter flame, more NOx; more air, thinner gas."""
    load = boiler_load(context, t)
    air = _boiler_o2(context, t) - 3.5
    return at_least(0.0, 27.0 + 8.0 * load - 1.6 * air + 1.6 * context.noise("DA001.NOX", t))


def _boiler_so2(context: Context, t: Floats) -> Floats:
    return at_least(0.0, 3.2 + 1.5 * boiler_load(context, t) + 0.6 * context.noise("DA001.SO2", t))


def _boiler_pm(context: Context, t: Floats) -> Floats:
    return at_least(0.0, 2.1 + 1.4 * boiler_load(context, t) + 0.45 * context.noise("DA001.PM", t))


def _boiler_velocity(context: Context, t: Floats) -> Floats:
    wet_air = 1 + 0.05 * (_boiler_o2(context, t) - 3.5)
    return 2.0 + 8.2 * boiler_load(context, t) * wet_air + 0.22 * context.noise("DA001.VELOCITY", t)


def _boiler_temp(context: Context, t: Floats) -> Floats:
    return 88.0 + 34.0 * boiler_load(context, t) + 1.1 * context.noise("DA001.TEMP", t)


def _boiler_pressure(context: Context, t: Floats) -> Floats:
    return -38.0 - 42.0 * boiler_load(context, t) + 4.0 * context.noise("DA001.PRESSURE", t)


def _boiler_moisture(context: Context, t: Floats) -> Floats:
    return 13.2 + 2.6 * boiler_load(context, t) + 0.3 * context.noise("DA001.MOISTURE", t)


def vent_load(context: Context, t: Floats) -> Floats:
    """Solvent vapour to the oxidiser, eased over four minutes by the header's volume."""
    steps = [VENTING[context.phase(t - lag)] for lag in np.linspace(0.0, 240.0, 9)]
    eased: Floats = np.mean(steps, axis=0)
    return eased


def _oxidiser_nmhc(context: Context, t: Floats) -> Floats:
    return at_least(0.0, 6.0 + 17.0 * vent_load(context, t) + 1.8 * context.noise("DA002.NMHC", t))


def _oxidiser_o2(context: Context, t: Floats) -> Floats:
    return 9.4 - 1.8 * vent_load(context, t) + 0.30 * context.noise("DA002.O2", t)


def _oxidiser_velocity(context: Context, t: Floats) -> Floats:
    return 8.0 + 1.9 * vent_load(context, t) + 0.25 * context.noise("DA002.VELOCITY", t)


def _oxidiser_temp(context: Context, t: Floats) -> Floats:
    return 108.0 + 17.0 * vent_load(context, t) + 1.3 * context.noise("DA002.TEMP", t)


def _oxidiser_pressure(context: Context, t: Floats) -> Floats:
    return -110.0 - 25.0 * vent_load(context, t) + 5.0 * context.noise("DA002.PRESSURE", t)


def _oxidiser_moisture(context: Context, t: Floats) -> Floats:
    return 7.4 + 2.1 * vent_load(context, t) + 0.25 * context.noise("DA002.MOISTURE", t)


def _effluent_l_s(context: Context, t: Floats) -> Floats:
    flow = EFFLUENT.mean_rate(context, t, 900.0) / 3.6
    return at_least(0.0, flow * (1 + 0.03 * context.noise("DW001.FLOW", t)))


def _strength(context: Context, t: Floats) -> Floats:
    """How loaded the treated water is, about 0 to 1: reactor washings reach the outlet hours later."""
    washings = EFFLUENT.mean_rate(context, t - 3 * HOUR_S, 6 * HOUR_S) - EFFLUENT.base_per_h
    return washings / 4.0


def _water_quality(name: str, base: float, rise: float, scatter: float) -> Compute:
    def compute(context: Context, t: Floats) -> Floats:
        return at_least(0.0, base + rise * _strength(context, t) + scatter * context.noise(name, t))

    return compute


def rain_mm_h(context: Context, t: Floats) -> tuple[Floats, Floats]:
    """Rain at each moment, and how long it has been raining in seconds.

    At most one shower a plant day by chance, and those of scenarios.
    """
    day = np.floor(t / DAY_S).astype(np.int64)
    drawn = [uniform(stream_key(context.seed, "rain", part), day) for part in range(4)]
    begin = day * DAY_S + drawn[1] * 18.0 * HOUR_S
    length = (1.0 + 4.0 * drawn[2]) * HOUR_S
    falls = (drawn[0] < RAIN_CHANCE) & (t >= begin) & (t < begin + length)
    for _, from_s, to_s in context.windows("rain"):
        ordered = (t >= from_s) & (t < to_s)
        begin, length = np.where(ordered, from_s, begin), np.where(ordered, to_s - from_s, length)
        falls |= ordered
    since = np.where(falls, t - begin, 0.0)
    shape = np.sin(np.pi * since / length) ** 0.7
    return np.where(falls, (1.0 + 9.0 * drawn[3]) * shape, 0.0), since


def _rain_flow_l_s(context: Context, t: Floats) -> Floats:
    rain, since = rain_mm_h(context, t)
    runoff = 2.4 * rain * np.clip(since / FIRST_FLUSH_S - 1.0, 0.0, 1.0)
    return at_least(0.0, runoff * (1 + 0.05 * context.noise("YS001.FLOW", t)))


def _rain_valve(context: Context, t: Floats) -> Floats:
    """Open for clean rain only: the first half hour is kept back for treatment."""
    _, since = rain_mm_h(context, t)
    return (since > FIRST_FLUSH_S).astype(np.float64)


def _rain_cod(context: Context, t: Floats) -> Floats:
    rain, since = rain_mm_h(context, t)
    flush = np.where(rain > 0, 16.0 * np.exp(-since / 2400.0), 0.0)
    return at_least(0.0, 19.0 + flush + 1.5 * context.noise("YS001.COD", t))


def _ph(name: str, middle: float) -> Compute:
    def compute(context: Context, t: Floats) -> Floats:
        return middle + 0.16 * context.noise(name, t) + 0.06 * day_wave(t, 16.0)

    return compute


def _barometer(context: Context, t: Floats) -> Floats:
    weather = 750.0 * context.wander("barometer", t, 1.5 * DAY_S)
    return (
        102_150.0 + weather - 6.0 * (ambient_temp_c(context, t) - 13.5) + 3.0 * context.noise("MET.BARO", t)
    )


def _state(outlet_id: str) -> Compute:
    def compute(context: Context, t: Floats) -> Floats:
        return instrument_state(context, outlet_id, t)

    return compute


SIGNALS: dict[str, Signal] = {
    "DA001.SO2": Signal(_boiler_so2),
    "DA001.NOX": Signal(_boiler_nox),
    "DA001.PM": Signal(_boiler_pm),
    "DA001.O2": Signal(_boiler_o2),
    "DA001.VELOCITY": Signal(_boiler_velocity),
    "DA001.TEMP": Signal(_boiler_temp, 1),
    "DA001.PRESSURE": Signal(_boiler_pressure, 1),
    "DA001.MOISTURE": Signal(_boiler_moisture),
    "DA001.STATE": Signal(_state("DA001"), 0, on_change=True),
    "DA002.NMHC": Signal(_oxidiser_nmhc),
    "DA002.O2": Signal(_oxidiser_o2),
    "DA002.VELOCITY": Signal(_oxidiser_velocity),
    "DA002.TEMP": Signal(_oxidiser_temp, 1),
    "DA002.PRESSURE": Signal(_oxidiser_pressure, 1),
    "DA002.MOISTURE": Signal(_oxidiser_moisture),
    "DA002.STATE": Signal(_state("DA002"), 0, on_change=True),
    "DW001.PH": Signal(_ph("DW001.PH", 7.35)),
    "DW001.COD": Signal(_water_quality("DW001.COD", 34.0, 14.0, 2.2), 1),
    "DW001.NH3N": Signal(_water_quality("DW001.NH3N", 3.2, 1.8, 0.3)),
    "DW001.TP": Signal(_water_quality("DW001.TP", 0.42, 0.2, 0.035), 3),
    "DW001.TN": Signal(_water_quality("DW001.TN", 15.0, 7.0, 1.0)),
    "DW001.FLOW": Signal(_effluent_l_s, 3),
    "DW001.STATE": Signal(_state("DW001"), 0, on_change=True),
    "YS001.PH": Signal(_ph("YS001.PH", 7.10)),
    "YS001.COD": Signal(_rain_cod, 1),
    "YS001.FLOW": Signal(_rain_flow_l_s, 3),
    "YS001.VALVE": Signal(_rain_valve, 0, on_change=True),
    "YS001.STATE": Signal(_state("YS001"), 0, on_change=True),
    "MET.BARO": Signal(_barometer, 0),
}
