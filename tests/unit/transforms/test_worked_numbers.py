"""Every worked number of the fact sheet, by formula of HJ 212-2017 Annex D."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import emission, gas_conditions, oxygen, water

STATE = {"temperature_c": 120.0, "static_pressure_pa": -200.0, "barometric_pressure_pa": 101_325.0}


def test_formula_18_standard_condition() -> None:
    assert gas_conditions.to_standard_condition(40.0, **STATE) == pytest.approx(57.6963, abs=5e-5)


def test_formula_19_dry_basis() -> None:
    assert gas_conditions.to_dry_basis(40.0, 8.0) == pytest.approx(43.4783, abs=5e-5)


def test_formula_20_ppm_to_mass() -> None:
    assert gas_conditions.ppm_to_mg_m3(20.0, 64.0) == pytest.approx(57.1429, abs=5e-5)


def test_formula_21_nox_from_mass() -> None:
    assert gas_conditions.nox_from_mass(20.0, 1.0) == pytest.approx(31.6667, abs=5e-5)


def test_formula_22_nox_from_ppm() -> None:
    assert gas_conditions.nox_from_ppm(20.0, 1.0) == pytest.approx(43.125)


@pytest.mark.parametrize(
    ("measured", "oxygen_pct", "reference_pct", "converted"),
    [(50.0, 8.5, 3.0, 72.0), (30.0, 5.0, 3.5, 32.8125)],
)
def test_formula_28_reference_oxygen(
    measured: float, oxygen_pct: float, reference_pct: float, converted: float
) -> None:
    assert oxygen.to_reference_oxygen(measured, oxygen_pct, reference_pct) == pytest.approx(converted)


def test_formulas_30_and_31_gas_flow() -> None:
    actual = emission.gas_flow_actual_m3_h(1.5, 10.0)
    assert actual == pytest.approx(54_000.0)
    assert emission.gas_flow_standard_dry_nm3_h(actual, moisture_pct=8.0, **STATE) == pytest.approx(
        34_442.4158, abs=1e-4
    )


def test_formula_33_mass_flow() -> None:
    assert emission.gas_mass_flow_kg_h(18.0, 34_442.4158) == pytest.approx(0.619963, abs=5e-7)


def test_formula_d1_water_volume_mass_and_means() -> None:
    volume_m3 = water.water_volume_m3(17.5, water.TEN_MINUTES_S)
    assert volume_m3 == pytest.approx(10.5)
    emission_kg = water.water_mass_kg(volume_m3, 40.1)
    assert emission_kg == pytest.approx(0.42105)
    assert water.water_weighted_mean_mg_l(emission_kg, volume_m3) == pytest.approx(40.1)
    assert water.water_mean_flow_l_s(volume_m3, water.TEN_MINUTES_S) == pytest.approx(17.5)


@pytest.mark.parametrize("oxygen_pct", [20.0000001, 20.9, 21.0, 21.0000001, 25.0, -0.1, math.nan, math.inf])
def test_oxygen_near_or_beyond_that_of_air_is_not_computable(oxygen_pct: float) -> None:
    assert oxygen.to_reference_oxygen(50.0, oxygen_pct, 3.5) is None


def test_without_a_reference_oxygen_the_measured_value_is_judged_even_in_air() -> None:
    assert oxygen.to_reference_oxygen(50.0, 21.0, None) == 50.0


@given(
    measured=st.floats(0.0, 1e4),
    oxygen_pct=st.floats(-5.0, 30.0),
    reference_pct=st.one_of(st.none(), st.floats(3.0, 11.0)),
)
def test_the_conversion_never_changes_sign_and_its_column_form_agrees(
    measured: float, oxygen_pct: float, reference_pct: float | None
) -> None:
    single = oxygen.to_reference_oxygen(measured, oxygen_pct, reference_pct)
    frame = pl.DataFrame(
        {"c": [measured], "o2": [oxygen_pct], "ref": [reference_pct]},
        schema={"c": pl.Float64, "o2": pl.Float64, "ref": pl.Float64},
    )
    column = frame.select(oxygen.to_reference_oxygen_column(pl.col("c"), pl.col("o2"), pl.col("ref")))
    assert single is None or single >= 0.0
    assert column.item() == single


def test_formulas_work_on_columns_as_on_numbers() -> None:
    frame = pl.DataFrame({"c": [40.0], "t": [120.0], "ps": [-200.0], "ba": [101_325.0]})
    result = frame.select(
        gas_conditions.to_standard_condition(pl.col("c"), pl.col("t"), pl.col("ps"), pl.col("ba"))
    )
    assert result.item() == gas_conditions.to_standard_condition(40.0, **STATE)
