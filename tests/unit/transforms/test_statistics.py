from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from transforms.statistics import (
    AIR_DAY,
    AIR_HOUR,
    AIR_MINUTE,
    WATER_HOUR,
    WATER_TEN_MINUTE_FLOW,
    PeriodRule,
    period_mark,
    summarise,
)


def one_group(marks: Sequence[str], rule: PeriodRule) -> dict[str, object]:
    values = [float(i) for i, _ in enumerate(marks)]
    frame = pl.DataFrame({"outlet": ["O"] * len(marks), "value": values, "mark": list(marks)})
    return summarise(frame, ["outlet"], rule).row(0, named=True)


@pytest.mark.parametrize(
    ("rule", "count", "is_valid"),
    [
        (AIR_MINUTE, 11, False),
        (AIR_MINUTE, 12, True),
        (AIR_HOUR, 44, False),
        (AIR_HOUR, 45, True),
        (AIR_DAY, 19, False),
        (AIR_DAY, 20, True),
        (WATER_TEN_MINUTE_FLOW, 119, False),
        (WATER_TEN_MINUTE_FLOW, 120, True),
        (WATER_HOUR, 5, False),
        (WATER_HOUR, 6, True),
    ],
)
def test_a_period_needs_its_least_number_of_values(rule: PeriodRule, count: int, is_valid: bool) -> None:
    assert one_group(["N"] * count, rule)["is_valid"] is is_valid


@pytest.mark.parametrize(("normal", "flag"), [(9, "N"), (8, "D")])
def test_air_is_normal_from_75_per_cent_of_normal_values(normal: int, flag: str) -> None:
    assert period_mark("air", ["N"] * normal + ["C"] * (12 - normal)) == flag


def test_an_air_hour_counts_valid_minutes_only() -> None:
    found = one_group(["N"] * 44 + ["D"] * 14, AIR_HOUR)
    assert (found["data_flag"], found["is_valid"]) == ("N", False)


def test_one_abnormal_value_makes_a_water_period_abnormal() -> None:
    assert period_mark("water", ["N"] * 119 + ["C"]) == "C"
    assert period_mark("water", ["N", "C", "C", "D"]) == "C"
    assert period_mark("water", ["D", "C"]) == "C"
    assert period_mark("water", ["N", "N"]) == "N"


def test_abnormal_values_enter_neither_mean_nor_extremes() -> None:
    found = one_group(["D", *["N"] * 11, "D"], AIR_MINUTE)
    assert (found["min_value"], found["avg_value"], found["max_value"]) == (1.0, 6.0, 11.0)
    assert (found["value_count"], found["normal_count"]) == (13, 11)


def test_a_period_of_abnormal_values_only_has_no_mean() -> None:
    found = one_group(["C"] * 12, AIR_MINUTE)
    assert found["avg_value"] is None
    assert (found["data_flag"], found["is_valid"]) == ("D", False)
