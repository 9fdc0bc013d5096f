from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from transforms.statistics import (
    AIR_DAY,
    AIR_HOUR,
    AIR_MINUTE,
    AIR_TEN_MINUTE,
    WATER_DAY,
    WATER_HOUR,
    WATER_TEN_MINUTE_CONCENTRATION,
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
        (AIR_TEN_MINUTE, 7, False),
        (AIR_TEN_MINUTE, 8, True),
        (AIR_HOUR, 44, False),
        (AIR_HOUR, 45, True),
        (AIR_DAY, 19, False),
        (AIR_DAY, 20, True),
        (WATER_TEN_MINUTE_FLOW, 119, False),
        (WATER_TEN_MINUTE_FLOW, 120, True),
        (WATER_TEN_MINUTE_CONCENTRATION, 1, True),
        (WATER_HOUR, 5, False),
        (WATER_HOUR, 6, True),
        (WATER_DAY, 17, False),
        (WATER_DAY, 18, True),
    ],
)
def test_a_period_needs_its_least_number_of_values(rule: PeriodRule, count: int, is_valid: bool) -> None:
    assert one_group(["N"] * count, rule)["is_valid"] is is_valid


@pytest.mark.parametrize(("normal", "flag"), [(9, "N"), (8, "D")])
def test_an_air_minute_is_normal_from_75_per_cent_of_normal_samples(normal: int, flag: str) -> None:
    found = one_group(["N"] * normal + ["C"] * (12 - normal), AIR_MINUTE)
    assert (found["data_flag"], found["is_valid"]) == (flag, flag == "N")


@pytest.mark.parametrize(("valid", "flag"), [(44, "D"), (45, "N")])
def test_minutes_that_never_came_count_against_the_hour_like_abnormal_ones(valid: int, flag: str) -> None:
    assert period_mark(AIR_HOUR, ["N"] * valid) == flag
    assert period_mark(AIR_HOUR, ["N"] * valid + ["D"] * (60 - valid)) == flag


def test_one_abnormal_value_makes_a_water_period_abnormal_and_gives_it_its_mark() -> None:
    assert period_mark(WATER_TEN_MINUTE_FLOW, ["N"] * 119 + ["C"]) == "C"
    assert period_mark(WATER_HOUR, ["N", "C", "C", "D", "N", "N"]) == "D"
    assert period_mark(WATER_HOUR, ["N"] * 6) == "N"


def test_a_water_period_with_values_missing_says_so() -> None:
    assert period_mark(WATER_HOUR, ["N"] * 5) == "B"


def test_a_calibration_marks_a_day_of_wastewater_but_does_not_void_it() -> None:
    found = one_group(["N"] * 23 + ["C"], WATER_DAY)
    assert (found["data_flag"], found["is_valid"], found["avg_value"]) == ("C", True, 11.0)


def test_abnormal_values_enter_neither_mean_nor_extremes() -> None:
    found = one_group(["D", *["N"] * 11, "D"], AIR_MINUTE)
    assert (found["min_value"], found["avg_value"], found["max_value"]) == (1.0, 6.0, 11.0)
    assert (found["value_count"], found["normal_count"]) == (13, 11)


def test_a_period_of_abnormal_values_only_has_no_mean() -> None:
    found = one_group(["C"] * 12, AIR_MINUTE)
    assert found["avg_value"] is None
    assert (found["data_flag"], found["is_valid"]) == ("D", False)
