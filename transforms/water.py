"""Wastewater volume, mass and means (HJ 212-2017 Annex D.1).

pH is never weighted by flow: it is a logarithm.
"""

from __future__ import annotations

from transforms.number import Number
from transforms.registry import computation

TEN_MINUTES_S = 600.0
_ORACLE = {"max_relative_error_against_worked_numbers": "1e-6"}


@computation(
    "water_volume",
    version=1,
    clause="8.9.2.1.5",
    label_zh="污水排放量",
    label_en="Wastewater volume",
    inputs={"flow_l_s": "L/s", "duration_s": "s"},
    outputs={"volume_m3": "m3"},
    source="HJ 212-2017 Annex D.1 (D = Q × T × 10⁻³)",
    metrics=_ORACLE,
)
def water_volume_m3(flow_l_s: Number, duration_s: Number) -> Number:
    """Volume that passed during `duration_s` at a steady flow."""
    return flow_l_s * duration_s * 1e-3


@computation(
    "water_mean_flow",
    version=1,
    clause="8.9.2.1.1",
    label_zh="污水平均流量",
    label_en="Mean wastewater flow",
    inputs={"volume_m3": "m3", "duration_s": "s"},
    outputs={"flow_l_s": "L/s"},
    source="HJ 212-2017 Annex D.1 (5)-(7), with the factor 10³ that L/s needs",
    metrics=_ORACLE,
)
def water_mean_flow_l_s(volume_m3: Number, duration_s: Number) -> Number:
    """Mean flow of a period from its volume."""
    return volume_m3 * 1e3 / duration_s


@computation(
    "water_mass",
    version=1,
    clause="8.9.2.1.5",
    label_zh="污水污染物排放量",
    label_en="Mass carried by wastewater",
    inputs={"volume_m3": "m3", "concentration_mg_l": "mg/L"},
    outputs={"emission_kg": "kg"},
    source="HJ 212-2017 Annex D.1 (G = D × C × 10⁻³)",
    metrics=_ORACLE,
)
def water_mass_kg(volume_m3: Number, concentration_mg_l: Number) -> Number:
    """Mass in a volume of a concentration."""
    return volume_m3 * concentration_mg_l * 1e-3


@computation(
    "water_weighted_mean",
    version=1,
    clause="8.9.2.1.1",
    label_zh="污水流量加权平均浓度",
    label_en="Flow-weighted mean concentration of wastewater",
    inputs={"emission_kg": "kg", "volume_m3": "m3"},
    outputs={"concentration_mg_l": "mg/L"},
    source="HJ 212-2017 Annex D.1 (C = G / D × 10³)",
    metrics=_ORACLE,
)
def water_weighted_mean_mg_l(emission_kg: Number, volume_m3: Number) -> Number:
    """Flow-weighted mean; the caller must not ask for it where no water flowed, nor for pH."""
    return emission_kg / volume_m3 * 1e3
