"""What scenarios, calibrations and chance make of an undisturbed value: value, status, instrument state.

Statuses are OPC UA codes of 32 bits; a value with a bad status is null, as OPC UA has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference_plant.plant.context import Context
from reference_plant.plant.noise import Floats, stream_key, uniform
from reference_plant.plant.tags import Tag

GOOD = 0x00000000
UNCERTAIN_EU_EXCEEDED = 0x40940000
BAD_NO_COMMUNICATION = 0x80310000
BAD = 0x80000000
CALIBRATED = {  # reading with zero gas, and with the span gas or standard sample, while calibrating
    "DA001.SO2": (0.1, 80.0),
    "DA001.NOX": (0.2, 160.0),
    "DA001.O2": (0.05, 10.0),
    "DA002.NMHC": (0.3, 80.0),
    "DA002.O2": (0.05, 10.0),
    "DW001.COD": (1.5, 50.0),
    "DW001.NH3N": (0.05, 5.0),
    "DW001.TP": (0.01, 0.5),
    "DW001.TN": (0.2, 20.0),
}
RAMP_S = 300.0
DROPOUT_SLOT_S = 600.0
DROPOUT_CHANCE = 1 / 600  # one lost connection per tag in about four days


def disturb(context: Context, tag: Tag, t: Floats, values: Floats) -> tuple[Floats, NDArray[np.uint32]]:
    """Values as the instrument shows them and their status codes, before rounding; bad values are NaN.

    Only for measured values: states, phases and valves come from the control system itself.
    """
    shown = _calibrate(context, tag, t, _raise(context, tag, t, values))
    status = np.zeros(len(t), dtype=np.uint32)
    if tag.range_low is not None and tag.range_high is not None:
        status[(shown < tag.range_low) | (shown > tag.range_high)] = UNCERTAIN_EU_EXCEEDED
    shown = _change_unit(context, tag, t, shown)
    status[dropped_out(context, tag.tag_id, t)] = BAD_NO_COMMUNICATION
    for scenario, begin, end in context.windows("instrument_fault", tag_id=tag.tag_id):
        status[(t >= begin) & (t < end)] = scenario.parameters["status_code"]
    shown = np.where(status >= BAD, np.nan, shown)
    return shown, status


def instrument_state(context: Context, outlet_id: str, t: Floats) -> Floats:
    """Work state of an outlet's analysers (HJ 212 i12001): a fault outweighs a calibration."""
    state = np.zeros(len(t))
    for name in ("calibration", "instrument_fault"):
        for scenario, begin, end in context.windows(name):
            if outlet_id in scenario.parameters["outlets"]:
                state[(t >= begin) & (t < end)] = scenario.parameters["state"]
    return state


def dropped_out(context: Context, tag_id: str, t: Floats) -> NDArray[np.bool_]:
    """Whether the wire to the instrument is lost: by chance, for up to a minute and a half."""
    slot = np.floor(t / DROPOUT_SLOT_S).astype(np.int64)
    drawn = uniform(stream_key(context.seed, tag_id, "dropout"), slot)
    into = t - slot * DROPOUT_SLOT_S
    begin = 200.0
    lasts = 15.0 + 75.0 * drawn / DROPOUT_CHANCE
    return (drawn < DROPOUT_CHANCE) & (into >= begin) & (into < begin + lasts)


def _raise(context: Context, tag: Tag, t: Floats, values: Floats) -> Floats:
    """Adds a scenario's rise, reached and left over five minutes."""
    for name in ("exceedance", "gas_release"):
        for scenario, begin, end in context.windows(name, tag_id=tag.tag_id):
            ramp = min(RAMP_S, (end - begin) / 4)
            share = np.clip(np.minimum(t - begin, end - t) / ramp, 0.0, 1.0)
            values = values + scenario.parameters["rise"] * share
    return values


def _calibrate(context: Context, tag: Tag, t: Floats, values: Floats) -> Floats:
    """Zero gas in the first third of the window, span gas in the second, sample gas again in the last."""
    if tag.tag_id not in CALIBRATED:
        return values
    zero, span = CALIBRATED[tag.tag_id]
    for scenario, begin, end in context.windows("calibration"):
        if tag.equipment_id in scenario.parameters["outlets"]:
            third = (end - begin) / 3
            scatter = 1 + 0.01 * context.noise(f"{tag.tag_id} calibration", t)
            values = np.where((t >= begin) & (t < begin + third), zero * scatter, values)
            values = np.where((t >= begin + third) & (t < begin + 2 * third), span * scatter, values)
    return values


def _change_unit(context: Context, tag: Tag, t: Floats, values: Floats) -> Floats:
    for scenario, begin, end in context.windows("unit_change", tag_id=tag.tag_id):
        values = np.where((t >= begin) & (t < end), values + scenario.parameters["shift"], values)
    return values
