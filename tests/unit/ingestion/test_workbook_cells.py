"""What people write in cells is understood where it can mean one thing only."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.connectors.workbook_cells import CellFault, Result, read_instant, read_result, read_unit

PLANT = ZoneInfo("Asia/Shanghai")
AT_0930 = datetime(2026, 11, 16, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "value", "is_below", "unit"),
    [
        (38, 38.0, False, None),
        (7.4, 7.4, False, None),
        ("38 mg/L", 38.0, False, "mg/L"),
        ("38mg/l", 38.0, False, "mg/L"),
        ("<0.05", 0.05, True, None),
        ("＜0.05 mg/L", 0.05, True, "mg/L"),
        ("0.05L", 0.05, True, None),
        ("0.025L mg/L", 0.025, True, "mg/L"),
        ("1.2毫克/升", 1.2, False, "mg/L"),
        ("１２．５", 12.5, False, None),
        (-12, -12.0, False, None),
    ],
)
def test_a_result_is_read(cell: Any, value: float, is_below: bool, unit: str | None) -> None:
    found = read_result(cell)
    assert isinstance(found, Result)
    assert (found.value, found.is_below_detection, found.unit) == (value, is_below, unit)


@pytest.mark.parametrize(
    "cell", [None, "", "  ", True, "约1.2", "ND", "未检出", "1,2", "1.2.3", ">5", "38 g/kg", "1e3"]
)
def test_what_is_no_clear_result_is_refused_in_both_languages(cell: Any) -> None:
    found = read_result(cell)
    assert isinstance(found, CellFault)
    assert found.reason_zh
    assert found.reason_en


@pytest.mark.parametrize(
    ("cell", "clock"),
    [
        (datetime(2026, 11, 16, 9, 30), None),  # noqa: DTZ001
        ("2026-11-16 09:30", None),
        ("2026/11/16 9:30", None),
        ("2026.11.16 9:30:00", None),
        ("2026年11月16日 9:30", None),
        ("2026年11月16日9时30分", None),
        ("2026-11-16T09:30", None),
        (date(2026, 11, 16), "9:30"),
        ("2026-11-16", time(9, 30)),
        ("2026年11月16日", "9时30分"),
    ],
)
def test_an_instant_is_read_in_plant_time(cell: Any, clock: Any) -> None:
    assert read_instant(cell, PLANT, clock) == AT_0930


@pytest.mark.parametrize(
    "cell", [None, "", "11.16 9:30", "16/11/2026", "26-11-16", "2026-13-01", "2026-02-30", "昨天", 46342]
)
def test_a_date_that_could_mean_another_is_refused(cell: Any) -> None:
    assert isinstance(read_instant(cell, PLANT), CellFault)


@pytest.mark.parametrize(
    ("cell", "unit"), [("MG/L", "mg/L"), ("毫克每升", "mg/L"), ("无量纲", "1"), ("ug/L", None)]
)
def test_units_are_known_by_their_usual_spellings(cell: str, unit: str | None) -> None:
    assert read_unit(cell) == unit


@given(st.decimals(min_value=0, max_value=100_000, places=3, allow_nan=False))
def test_every_plain_number_is_read_as_itself(number: Any) -> None:
    found = read_result(f"{number} mg/L")
    assert isinstance(found, Result)
    assert found.value == float(number)


@given(st.text(max_size=40))
def test_no_text_crashes_the_reading(text: str) -> None:
    assert isinstance(read_result(text), Result | CellFault)
    assert isinstance(read_instant(text, PLANT), datetime | CellFault)
