"""All conversions of units, computed exactly from one definition of each.

`unit_definitions.csv` says of each unit what it is in its dimension's coherent unit, as a fraction, and how
else sources spell it: base = unit * numerator / denominator + shift. `unit_conversions.csv`, the seed that
models and landing join, is written from it: each pair and its inverse, and each spelling to its unit. What
depends on the substance or its state (Nm3 to m3, ppm to mg/m3, kWh to standard coal) is not one of them.

    python -m transforms.unit_conversions    writes the seed anew
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from transforms.reference import read_reference

_PATH = Path(__file__).parent / "reference" / "unit_conversions.csv"
_DIGITS = Context(prec=18)  # a double holds 17: the nearest one of the fraction is the one that is read


@dataclass(frozen=True)
class UnitDefinition:
    """One unit: `base = unit * factor + shift`, where base is the coherent unit of its dimension."""

    unit: str
    dimension: str
    factor: Fraction
    shift: Fraction
    spellings: tuple[str, ...]


@dataclass(frozen=True)
class Conversion:
    """`to_unit = from_unit * factor + shift`."""

    from_unit: str
    to_unit: str
    factor: Fraction
    shift: Fraction


def unit_definitions() -> tuple[UnitDefinition, ...]:
    """Every unit that can be converted, in the order of the file."""
    return tuple(
        UnitDefinition(
            row["unit"],
            row["dimension"],
            Fraction(int(row["numerator"]), int(row["denominator"])),
            Fraction(row["shift"]),
            tuple(row["spellings"].split()),
        )
        for row in read_reference("unit_definitions")
    )


def conversions() -> Iterator[Conversion]:
    """Every pair of units of one dimension both ways, from each spelling of the first."""
    by_dimension = sorted(unit_definitions(), key=lambda one: one.dimension)
    for _, group in groupby(by_dimension, key=lambda one: one.dimension):
        units = list(group)
        for source in units:
            for target in units:
                factor = source.factor / target.factor
                shift = (source.shift - target.shift) / target.factor
                for spelling in (source.unit, *source.spellings):
                    if spelling != target.unit:
                        yield Conversion(spelling, target.unit, factor, shift)


def seed_text() -> str:
    """The text of `unit_conversions.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["from_unit", "to_unit", "factor", "shift"])
    for one in conversions():
        writer.writerow([one.from_unit, one.to_unit, _decimal(one.factor), _decimal(one.shift)])
    return text.getvalue()


def _decimal(number: Fraction) -> str:
    """The number in plain digits: exact where it has an end, else to eighteen digits."""
    quotient = _DIGITS.divide(Decimal(number.numerator), Decimal(number.denominator))
    text = f"{quotient:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


if __name__ == "__main__":
    _PATH.write_text(seed_text(), encoding="utf-8")
