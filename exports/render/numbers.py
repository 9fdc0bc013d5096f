"""Numbers as receivers want them: fixed decimals, halves to the even digit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from exports.errors import RenderError
from transforms.reference import read_reference


class Places(NamedTuple):
    """How many decimals a factor's values and its period totals are written with."""

    value: int
    amount: int


Decimals = Mapping[str, Places]  # by factor code, in the order of the factor list


def factor_decimals() -> Decimals:
    """Decimals of every factor in the shared factor list, in its order."""
    return {
        row["factor_code"]: Places(int(row["decimals"]), int(row["amount_decimals"] or 0))
        for row in read_reference("hj212_factors")
    }


def fixed(value: float, decimals: int) -> str:
    """`value` with exactly `decimals` decimals, halves to the even digit, never a negative zero.

    Raises:
        RenderError: the value is no finite number; an unknown value is null, never NaN.
    """
    exact = Decimal(repr(float(value)))  # repr: the decimal a person reads, not the binary tail behind it
    if not exact.is_finite():
        msg = f"writing a value for a receiver: found {value}; expected a finite number or null"
        raise RenderError(msg)
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{abs(rounded) if rounded == 0 else rounded:f}"


def decimals_of(factor_code: str, decimals: Decimals) -> Places:
    """How many decimals a factor's numbers are written with.

    Raises:
        RenderError: the factor list does not hold it.
    """
    try:
        return decimals[factor_code]
    except KeyError:
        msg = (
            f"writing factor {factor_code!r}: not among the {len(decimals)} codes of the factor list, so its "
            "decimals are unknown; add it to transforms/reference/hj212_factors.csv"
        )
        raise RenderError(msg) from None
