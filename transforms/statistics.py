"""Period statistics: how many values make a mean, and what mark the period carries (HJ 212-2017 Annex C, D).

Air: a period is normal where at least 75 % of the values it should hold are, and otherwise carries D.
Water: one abnormal value makes the period abnormal, and it carries that mark. Means, minima and maxima
are over the normal values only; a period with too few values keeps what it has and is not valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import polars as pl

from transforms.marks import COMMUNICATION_FAULT, INSTRUMENT_FAULT, NORMAL
from transforms.reference import read_reference
from transforms.registry import computation

NORMAL_SHARE_MIN = 0.75


@dataclass(frozen=True)
class PeriodRule:
    """How values become a period.

    Attributes:
        medium: `air` or `water`, which have different rules of marking.
        expected_count: values a whole period holds.
        minimum_count: values needed for a mean.
        counts: what counts towards the minimum: all values received (samples) or the normal ones only
            (periods made of shorter periods).
    """

    medium: Literal["air", "water"]
    expected_count: int
    minimum_count: int
    counts: Literal["value_count", "normal_count"]


AIR_MINUTE = PeriodRule("air", 12, 12, "value_count")
AIR_TEN_MINUTE = PeriodRule("air", 10, 8, "normal_count")
AIR_HOUR = PeriodRule("air", 60, 45, "normal_count")
AIR_DAY = PeriodRule("air", 24, 20, "normal_count")
WATER_TEN_MINUTE_FLOW = PeriodRule("water", 120, 120, "value_count")
WATER_TEN_MINUTE_CONCENTRATION = PeriodRule("water", 1, 1, "value_count")
WATER_HOUR = PeriodRule("water", 6, 6, "normal_count")
# One public rule base says 18 of 24; the text of HJ 356-2019 was not at hand: the operator confirms it.
WATER_DAY = PeriodRule("water", 24, 18, "normal_count")


@cache
def _precedence() -> dict[str, int]:
    return {row["mark"]: int(row["precedence"]) for row in read_reference("data_marks")}


def period_mark(rule: PeriodRule, marks: Sequence[str]) -> str:
    """The mark of a period made of values with these marks.

    Returns:
        Air: N or D. Water: N, or of the abnormal marks the one that `data_marks.csv` puts first, or B where
        nothing is abnormal but values are missing.
    """
    normal = sum(mark == NORMAL for mark in marks)
    if rule.medium == "air":
        counted = normal if rule.counts == "normal_count" else len(marks)
        is_enough = counted >= rule.minimum_count
        share = normal / max(len(marks), rule.expected_count)
        return NORMAL if is_enough and share >= NORMAL_SHARE_MIN else INSTRUMENT_FAULT
    if normal < len(marks):
        return max(marks, key=_precedence().__getitem__)
    return NORMAL if normal >= rule.expected_count else COMMUNICATION_FAULT


@computation(
    "period_statistics",
    version=1,
    clause="8.9.2.1.1",
    label_zh="时段统计",
    label_en="Statistics of a period",
    inputs={
        "values": "frame of value (any unit) and mark (HJ 212), one row a value",
        "keys": "1",
        "rule": "1",
    },
    outputs={
        "min_value": "same as value",
        "avg_value": "same as value",
        "max_value": "same as value",
        "value_count": "1",
        "normal_count": "1",
        "data_flag": "HJ 212 data mark",
        "is_valid": "boolean",
    },
    source="HJ 212-2017 Annex D formulas (23)-(25), notes of C.16-C.18",
    metrics={"differences_from_the_sql_models": "0"},
)
def summarise(values: pl.DataFrame, keys: Sequence[str], rule: PeriodRule) -> pl.DataFrame:
    """Statistics of each group of `keys`; one row a group.

    A group is valid where enough values count. Samples must also be marked N together; a period made of valid
    periods is valid by their number alone, so that one calibration does not void a day of wastewater.
    """
    normal = pl.col("value").filter(pl.col("mark") == NORMAL)
    groups = values.group_by(*keys, maintain_order=True).agg(
        normal.min().alias("min_value"),
        normal.mean().alias("avg_value"),
        normal.max().alias("max_value"),
        pl.len().cast(pl.Int64).alias("value_count"),
        normal.len().cast(pl.Int64).alias("normal_count"),
        pl.col("mark").alias("marks"),
    )
    flags = [period_mark(rule, marks) for marks in groups["marks"].to_list()]
    flagged = groups.drop("marks").with_columns(pl.Series("data_flag", flags, dtype=pl.String))
    is_enough = pl.col(rule.counts) >= rule.minimum_count
    is_normal = (pl.col("data_flag") == NORMAL) | pl.lit(rule.counts == "normal_count")
    return flagged.with_columns((is_enough & is_normal).alias("is_valid"))
