"""Units: one spelling, exact factors, and the same in factor and dimension as pint says."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pint
import pytest

from contracts.vocabulary import units
from transforms import unit_conversions as module
from transforms.reference import read_reference
from transforms.unit_conversions import UnitDefinition, conversions, seed_text, unit_definitions

JUDGE = pint.UnitRegistry(non_int_type=Fraction)
PINT_NAMES = {"Cel": "degC", "t": "metric_ton", "deg": "degree", "1": "dimensionless"}
PAIRS = {(row["from_unit"], row["to_unit"]): row for row in read_reference("unit_conversions")}


def pint_unit(unit: str) -> pint.Unit:
    """pint's unit of ours: t/h is metric_ton/hour, m3 is m**3."""
    parts = [PINT_NAMES.get(part, part) for part in unit.split("/")]
    names = {"m3": "meter**3", "h": "hour", "d": "day", "min": "minute"}
    return JUDGE.parse_units(" / ".join(names.get(part, part) for part in parts))


def test_the_seed_is_what_the_definitions_make() -> None:
    text = (Path(module.__file__).parent / "reference" / "unit_conversions.csv").read_text(encoding="utf-8")
    assert text == seed_text(), "run python -m transforms.unit_conversions"


def test_every_unit_of_reference_tables_is_in_the_list_under_its_one_spelling() -> None:
    used = {one.unit for one in unit_definitions()} | {to_unit for _, to_unit in PAIRS}
    used |= {row["unit"] for row in read_reference("hj212_factors")}
    used |= {row["amount_unit"] for row in read_reference("hj212_factors")} - {""}
    used |= {row["unit"] for row in read_reference("national_limits")}
    assert used <= set(units())
    spellings = [spelling for one in unit_definitions() for spelling in one.spellings]
    assert len(spellings) == len(set(spellings))
    assert not set(spellings) & set(units())


@pytest.mark.parametrize("unit", unit_definitions(), ids=lambda one: one.unit)
def test_a_definition_agrees_with_pint_in_dimension_and_size(unit: UnitDefinition) -> None:
    coherent = next(
        one
        for one in unit_definitions()
        if one.dimension == unit.dimension and one.factor == 1 and one.shift == 0
    )
    ours, base = pint_unit(unit.unit), pint_unit(coherent.unit)
    assert ours.dimensionality == base.dimensionality
    for value in (Fraction(0), Fraction(1)):
        found = JUDGE.Quantity(value, ours).to(base).magnitude
        assert found == value * unit.factor + unit.shift


def test_dimensions_that_differ_are_never_converted() -> None:
    for one in conversions():
        assert pint_unit(canonical(one.from_unit)).dimensionality == pint_unit(one.to_unit).dimensionality
    for pair in (("Nm3", "m3"), ("ppm", "mg/m3"), ("kW", "kWh"), ("%", "1"), ("kVA", "kW")):
        assert pair not in PAIRS


def canonical(spelling: str) -> str:
    return next(one.unit for one in unit_definitions() if spelling in (one.unit, *one.spellings))


def test_a_factor_is_exact_where_it_has_an_end_and_the_nearest_double_everywhere() -> None:
    for one in conversions():
        for exact, written in (
            (one.factor, PAIRS[one.from_unit, one.to_unit]["factor"]),
            (one.shift, PAIRS[one.from_unit, one.to_unit]["shift"]),
        ):
            assert float(written) == float(exact)
            rest = exact.denominator
            for prime in (2, 5):
                while rest % prime == 0:
                    rest //= prime
            assert rest != 1 or Fraction(Decimal(written)) == exact


@pytest.mark.parametrize(
    ("value", "from_unit", "to_unit", "expected"),
    [
        ("4.35", "t", "kg", "4350"),
        ("250", "mL", "L", "0.25"),
        ("1", "kWh", "MJ", "3.6"),
        ("0.5", "MWh", "GJ", "1.8"),
        ("1.6", "MPa", "bar", "16"),
        ("25", "°C", "K", "298.15"),
        ("298.15", "K", "Cel", "25"),
        ("7.2", "pH", "1", "7.2"),
        ("5", "µg/L", "mg/L", "0.005"),
        ("100", "uS/cm", "mS/m", "10"),
    ],
)
def test_conversions_by_hand(value: str, from_unit: str, to_unit: str, expected: str) -> None:
    row = PAIRS[from_unit, to_unit]
    assert Decimal(value) * Decimal(row["factor"]) + Decimal(row["shift"]) == Decimal(expected)
