"""Conversion to the reference oxygen content (HJ 212-2017 Annex D formula (28)), guarded near air's oxygen.

At 21 % the formula divides by zero, above it the sign turns. Within one point below 21 % an
oxygen analyser's ordinary error of some tenths of a per cent changes the result by more than half, so such a
value is not computable rather than large.
"""

from __future__ import annotations

import polars as pl

from transforms.registry import computation

OXYGEN_IN_AIR_PCT = 21.0
MAX_COMPUTABLE_OXYGEN_PCT = 20.0
_DECLARED_INPUTS = {"concentration_mg_m3": "mg/m3", "oxygen_pct": "%", "reference_oxygen_pct": "%"}


@computation(
    "gas_oxygen_conversion",
    version=1,
    clause="8.9.2.1.1",
    label_zh="折算到基准氧含量",
    label_en="Conversion to the reference oxygen content",
    inputs=_DECLARED_INPUTS,
    outputs={"concentration_converted_mg_m3": "mg/m3, or none where it cannot be computed"},
    source="HJ 212-2017 Annex D formula (28)",
    metrics={"max_relative_error_against_worked_numbers": "1e-6", "negative_results": "0"},
)
def to_reference_oxygen(
    concentration_mg_m3: float, oxygen_pct: float, reference_oxygen_pct: float | None
) -> float | None:
    """Concentration at the reference oxygen content.

    Args:
        concentration_mg_m3: dry, standard conditions.
        oxygen_pct: measured oxygen, dry.
        reference_oxygen_pct: what the outlet's standard sets; none where it judges the measured value.

    Returns:
        None where the formula has no meaning: oxygen negative, not a number, or within a point of air's.
    """
    if reference_oxygen_pct is None:
        return concentration_mg_m3
    if not 0.0 <= oxygen_pct <= MAX_COMPUTABLE_OXYGEN_PCT:
        return None
    return concentration_mg_m3 * (OXYGEN_IN_AIR_PCT - reference_oxygen_pct) / (OXYGEN_IN_AIR_PCT - oxygen_pct)


@computation(
    "gas_oxygen_conversion_frame",
    version=1,
    clause="8.9.2.1.1",
    label_zh="折算到基准氧含量(数据列)",
    label_en="Conversion to the reference oxygen content, over columns",
    inputs=_DECLARED_INPUTS,
    outputs={"concentration_converted_mg_m3": "mg/m3, or null where it cannot be computed"},
    source="HJ 212-2017 Annex D formula (28)",
    metrics={"differences_from_gas_oxygen_conversion": "0"},
)
def to_reference_oxygen_column(
    concentration_mg_m3: pl.Expr, oxygen_pct: pl.Expr, reference_oxygen_pct: pl.Expr
) -> pl.Expr:
    """The same as `to_reference_oxygen`, for whole columns; null where it cannot be computed."""
    computable = oxygen_pct.is_between(0.0, MAX_COMPUTABLE_OXYGEN_PCT)
    converted = (
        concentration_mg_m3 * (OXYGEN_IN_AIR_PCT - reference_oxygen_pct) / (OXYGEN_IN_AIR_PCT - oxygen_pct)
    )
    return pl.when(reference_oxygen_pct.is_null()).then(concentration_mg_m3).when(computable).then(converted)
