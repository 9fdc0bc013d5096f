"""Gas flow and emitted mass (HJ 212-2017 Annex D).

Mass comes from the measured dry concentration, never from the oxygen-converted one: conversion describes
dilution, it adds no pollutant.
"""

from __future__ import annotations

from transforms.gas_conditions import STANDARD_PRESSURE_PA, ZERO_CELSIUS_K
from transforms.number import Number
from transforms.registry import computation

_ORACLE = {"max_relative_error_against_worked_numbers": "1e-6"}


@computation(
    "gas_flow_actual",
    version=1,
    clause="8.9.2.1.1",
    label_zh="实际工况烟气流量",
    label_en="Gas flow at stack conditions",
    inputs={"stack_area_m2": "m2", "velocity_m_s": "m/s"},
    outputs={"flow_actual_m3_h": "m3/h"},
    source="HJ 212-2017 Annex D formula (30)",
    metrics=_ORACLE,
)
def gas_flow_actual_m3_h(stack_area_m2: Number, velocity_m_s: Number) -> Number:
    """Wet gas flow at stack temperature and pressure."""
    return 3600.0 * stack_area_m2 * velocity_m_s


@computation(
    "gas_flow_standard_dry",
    version=1,
    clause="8.9.2.1.1",
    label_zh="标准状态干烟气流量",
    label_en="Dry gas flow at standard conditions",
    inputs={
        "flow_actual_m3_h": "m3/h",
        "temperature_c": "Cel",
        "static_pressure_pa": "Pa",
        "barometric_pressure_pa": "Pa",
        "moisture_pct": "%",
    },
    outputs={"flow_standard_dry_nm3_h": "Nm3/h"},
    source="HJ 212-2017 Annex D formula (31)",
    metrics=_ORACLE,
)
def gas_flow_standard_dry_nm3_h(
    flow_actual_m3_h: Number,
    temperature_c: Number,
    static_pressure_pa: Number,
    barometric_pressure_pa: Number,
    moisture_pct: Number,
) -> Number:
    """Dry gas flow at 273 K and 101 325 Pa."""
    temperature_ratio = ZERO_CELSIUS_K / (ZERO_CELSIUS_K + temperature_c)
    pressure_ratio = (barometric_pressure_pa + static_pressure_pa) / STANDARD_PRESSURE_PA
    return flow_actual_m3_h * temperature_ratio * pressure_ratio * (1.0 - moisture_pct / 100.0)


@computation(
    "gas_mass_flow",
    version=1,
    clause="8.9.2.1.1",
    label_zh="污染物排放速率",
    label_en="Emitted mass an hour",
    inputs={"concentration_mg_m3": "mg/m3", "flow_standard_dry_nm3_h": "Nm3/h"},
    outputs={"emission_kg_h": "kg/h"},
    source="HJ 212-2017 Annex D formula (33)",
    metrics=_ORACLE,
)
def gas_mass_flow_kg_h(concentration_mg_m3: Number, flow_standard_dry_nm3_h: Number) -> Number:
    """Emitted mass an hour from the measured dry standard concentration."""
    return concentration_mg_m3 * flow_standard_dry_nm3_h * 1e-6
