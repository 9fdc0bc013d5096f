"""Flue gas brought to standard dry conditions, and volume fractions to mg/m³ (HJ 212-2017 Annex D).

The formulas keep the standard's 273 (not 273.15) and 101 325 Pa, so that a value can be recomputed by hand.
"""

from __future__ import annotations

from transforms.number import Number
from transforms.registry import computation

STANDARD_PRESSURE_PA = 101_325.0
ZERO_CELSIUS_K = 273.0
MOLAR_VOLUME_L = 22.4
MOLAR_MASS_NO = 30.0
MOLAR_MASS_NO2 = 46.0
_ORACLE = {"max_relative_error_against_worked_numbers": "1e-6"}


@computation(
    "gas_standard_condition",
    version=1,
    clause="8.9.2.1.1",
    label_zh="烟气浓度换算到标准状态",
    label_en="Gas concentration brought to standard temperature and pressure",
    inputs={
        "concentration_mg_m3": "mg/m3",
        "temperature_c": "Cel",
        "static_pressure_pa": "Pa",
        "barometric_pressure_pa": "Pa",
    },
    outputs={"concentration_standard_mg_m3": "mg/m3"},
    source="HJ 212-2017 Annex D formula (18)",
    metrics=_ORACLE,
)
def to_standard_condition(
    concentration_mg_m3: Number,
    temperature_c: Number,
    static_pressure_pa: Number,
    barometric_pressure_pa: Number,
) -> Number:
    """Concentration at 273 K and 101 325 Pa from that at stack temperature and (gauge) static pressure."""
    pressure_ratio = STANDARD_PRESSURE_PA / (barometric_pressure_pa + static_pressure_pa)
    return concentration_mg_m3 * pressure_ratio * ((ZERO_CELSIUS_K + temperature_c) / ZERO_CELSIUS_K)


@computation(
    "gas_dry_basis",
    version=1,
    clause="8.9.2.1.1",
    label_zh="湿基浓度换算为干基浓度",
    label_en="Wet-basis concentration brought to dry basis",
    inputs={"wet_value": "any", "moisture_pct": "%"},
    outputs={"dry_value": "same as wet_value"},
    source="HJ 212-2017 Annex D formula (19)",
    metrics=_ORACLE,
)
def to_dry_basis(wet_value: Number, moisture_pct: Number) -> Number:
    """Dry-basis value from a wet-basis one; holds for concentrations and for oxygen."""
    return wet_value / (1.0 - moisture_pct / 100.0)


@computation(
    "gas_ppm_to_mass",
    version=1,
    clause="8.9.2.1.1",
    label_zh="体积浓度换算为质量浓度",
    label_en="Volume fraction to mass concentration",
    inputs={"fraction_ppm": "µmol/mol", "molar_mass_g_mol": "g/mol"},
    outputs={"concentration_mg_m3": "mg/m3"},
    source="HJ 212-2017 Annex D formula (20)",
    metrics=_ORACLE,
)
def ppm_to_mg_m3(fraction_ppm: Number, molar_mass_g_mol: Number) -> Number:
    """Mass concentration at standard conditions from a volume fraction."""
    return fraction_ppm * molar_mass_g_mol / MOLAR_VOLUME_L


@computation(
    "gas_nox_from_mass",
    version=1,
    clause="8.9.2.1.1",
    label_zh="由一氧化氮和二氧化氮质量浓度计算氮氧化物(以二氧化氮计)",
    label_en="NOx as NO2 from mass concentrations of NO and NO2",
    inputs={"no_mg_m3": "mg/m3", "no2_mg_m3": "mg/m3"},
    outputs={"nox_mg_m3": "mg/m3"},
    source="HJ 212-2017 Annex D formula (21)",
    metrics=_ORACLE,
)
def nox_from_mass(no_mg_m3: Number, no2_mg_m3: Number) -> Number:
    """NOx counted as NO2."""
    return no_mg_m3 * MOLAR_MASS_NO2 / MOLAR_MASS_NO + no2_mg_m3


@computation(
    "gas_nox_from_ppm",
    version=1,
    clause="8.9.2.1.1",
    label_zh="由一氧化氮和二氧化氮体积浓度计算氮氧化物(以二氧化氮计)",
    label_en="NOx as NO2 from volume fractions of NO and NO2",
    inputs={"no_ppm": "µmol/mol", "no2_ppm": "µmol/mol"},
    outputs={"nox_mg_m3": "mg/m3"},
    source="HJ 212-2017 Annex D formula (22)",
    metrics=_ORACLE,
)
def nox_from_ppm(no_ppm: Number, no2_ppm: Number) -> Number:
    """NOx counted as NO2."""
    return (no_ppm + no2_ppm) * MOLAR_MASS_NO2 / MOLAR_VOLUME_L
