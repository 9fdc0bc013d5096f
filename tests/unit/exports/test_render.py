from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.errors import RenderError
from exports.render import hj212, park_json
from exports.render.numbers import factor_decimals, fixed
from protocols.hj212 import encode_frame
from tests.fakes.export_site import DEVICES, NUMBERS, ZONE, local, park_rows, province_rows

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[3]
START = local("2026-11-17T01:00:00")
DECIMALS = factor_decimals()


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def air_rows() -> list[dict[str, Any]]:
    """An hour of the boiler stack: SO2 measured, NOx partly unknown, oxygen not converted."""
    so2, nox = province_rows(START, outlets=["DA001"])
    so2 |= dict(zip(NUMBERS, (0.648, 17.0, 18.125, 19.5, 20.4, 21.755, 23.405), strict=True))
    nox |= dict.fromkeys(NUMBERS) | {"avg_value": 35.0, "data_flag": "D", "is_valid": False}
    oxygen = {**so2, **dict.fromkeys(NUMBERS), "factor_code": "a19001", "avg_value": 3.25, "unit": "%"}
    return [so2, nox, oxygen]


def test_an_hour_of_air_is_written_as_reviewed() -> None:
    body = hj212.render_period(air_rows(), command="2061", decimals=DECIMALS, zone=ZONE)
    numbered = hj212.number(body, now=local("2026-11-17T02:10:00.125"), zone=ZONE, previous=None)
    assert numbered == golden("hj212_hour_air.txt")


def test_a_moment_of_water_is_written_as_reviewed() -> None:
    values = [
        {"factor_code": "w01018", "value": 40.125, "converted_value": None, "flag": "N"},
        {"factor_code": "w00000", "value": 0.0, "converted_value": None, "flag": "N"},
        {"factor_code": "w01001", "value": None, "converted_value": None, "flag": "C"},
    ]
    body = hj212.render_moment(
        values, device=DEVICES["DW001"], observed_at=START, decimals=DECIMALS, zone=ZONE
    )
    numbered = hj212.number(body, now=local("2026-11-17T01:00:05.007"), zone=ZONE, previous=None)
    assert numbered == golden("hj212_moment_water.txt")


def test_an_hour_for_the_park_is_written_as_reviewed_and_fits_its_schema() -> None:
    body = park_json.render_period(
        park_rows(START, value=18.125),
        report_id="park_outlet_hourly",
        enterprise_code="91320400MA1CHEM01X",
        period_start=START,
        decimals=DECIMALS,
        zone=ZONE,
    )
    sent = park_json.with_sequence(park_json.with_revision(body, 1), 7)
    assert sent.decode() + "\n" == golden("park_hour.json").decode()
    schema = json.loads((ROOT / "reference_plant/receivers/park_report.schema.json").read_text())
    jsonschema.validate(json.loads(sent), schema)


def test_a_few_grams_in_ten_minutes_are_not_told_as_zero() -> None:
    rows = [row | {"cou_value": 0.0041237} for row in air_rows() if row["factor_code"] == "a21026"]
    body = hj212.render_period(rows, command="2051", decimals=DECIMALS, zone=ZONE)
    assert b"a21026-Cou=0.0041," in body


def test_rows_in_any_order_give_the_same_bytes() -> None:
    rows = air_rows()
    body = hj212.render_period(rows, command="2061", decimals=DECIMALS, zone=ZONE)
    assert hj212.render_period(rows[::-1], command="2061", decimals=DECIMALS, zone=ZONE) == body


def test_an_unknown_value_is_left_out_and_its_mark_kept() -> None:
    body = hj212.render_period(air_rows(), command="2061", decimals=DECIMALS, zone=ZONE)
    assert b";a21002-Avg=35.00,a21002-Flag=D;" in body
    assert b"a21002-Cou" not in body


def test_too_long_an_upload_becomes_packets_with_whole_items_and_their_own_qn() -> None:
    template = air_rows()[0]
    codes = [code for code in DECIMALS if code.startswith("a")][:20]
    rows = [{**template, "factor_code": code} for code in codes]
    body = hj212.render_period(rows, command="2061", decimals=DECIMALS, zone=ZONE)
    content = hj212.number(body, now=START, zone=ZONE, previous=None)
    frames = hj212.frames_of(content)
    assert len(frames) > 1
    assert [frame.pno for frame in frames] == list(range(1, len(frames) + 1))
    assert {frame.pnum for frame in frames} == {len(frames)}
    assert len({frame.qn for frame in frames}) == len(frames)
    assert {frame.flag for frame in frames} == {7}
    assert all(frame.value("DataTime") == "20261117010000" for frame in frames)
    carried = [group[0][0].partition("-")[0] for frame in frames for group in frame.cp[1:]]
    assert sorted(carried) == sorted(codes)
    assert all(len(encode_frame(frame)) <= 1024 + 12 for frame in frames)


def test_numbers_are_later_than_those_of_the_content_before_even_when_the_clock_stands() -> None:
    body = hj212.render_period(air_rows(), command="2061", decimals=DECIMALS, zone=ZONE)
    previous, seen = None, []
    for _ in range(5):
        previous = hj212.number(body, now=START, zone=ZONE, previous=previous)
        seen.append(hj212.frames_of(previous)[0].qn)
    assert seen == [f"2026111701000000{index}" for index in range(5)]
    back = hj212.number(body, now=START - timedelta(hours=1), zone=ZONE, previous=previous)
    assert hj212.frames_of(back)[0].qn == "20261117010000005"


def test_unnumbered_content_is_the_body_again() -> None:
    body = hj212.render_period(air_rows(), command="2061", decimals=DECIMALS, zone=ZONE)
    assert hj212.unnumber(hj212.number(body, now=START, zone=ZONE, previous=None)) == body


def test_stored_content_that_is_no_frame_is_refused() -> None:
    body = hj212.render_period(air_rows(), command="2061", decimals=DECIMALS, zone=ZONE)
    with pytest.raises(RenderError, match="whole frames"):
        hj212.frames_of(body[:-8])


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.125, 2, "0.12"), (0.135, 2, "0.14"), (2.5, 0, "2"), (3.5, 0, "4"), (-0.001, 2, "0.00"),
        (1e-7, 3, "0.000"), (123456789.0, 1, "123456789.0"), (12.345, 2, "12.34"), (7, 2, "7.00"),
    ],
)  # fmt: skip
def test_halves_go_to_the_even_digit_of_the_decimal_a_person_reads(
    value: float, decimals: int, text: str
) -> None:
    assert fixed(value, decimals) == text


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_a_written_number_is_within_half_a_digit(value: float, decimals: int) -> None:
    written = fixed(value, decimals)
    assert abs(float(written) - value) <= 0.5 * 10**-decimals + abs(value) * 1e-12
    assert not written.startswith("-0.") or float(written) != 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_written_for_what_is_none(value: float) -> None:
    with pytest.raises(RenderError, match="finite"):
        fixed(value, 2)


def test_a_factor_outside_the_list_is_refused_by_name() -> None:
    rows = [{**air_rows()[0], "factor_code": "a99999"}]
    with pytest.raises(RenderError, match="a99999"):
        hj212.render_period(rows, command="2061", decimals=DECIMALS, zone=ZONE)


def test_rows_of_two_outlets_are_not_one_upload() -> None:
    with pytest.raises(RenderError, match="one outlet"):
        hj212.render_period(province_rows(START), command="2061", decimals=DECIMALS, zone=ZONE)
