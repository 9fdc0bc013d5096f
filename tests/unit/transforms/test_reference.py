from __future__ import annotations

import re

import pytest

from transforms.reference import read_reference

TABLES = {
    "data_marks": "mark",
    "hj212_factors": "factor_code",
    "instrument_states": "state_code",
    "opcua_status_marks": "status_code",
}


@pytest.mark.parametrize(("table", "key"), TABLES.items())
def test_a_reference_table_has_one_row_a_key(table: str, key: str) -> None:
    keys = [row[key] for row in read_reference(table)]
    assert len(keys) == len(set(keys)) > 0


def test_every_mark_used_is_a_mark_of_hj_212() -> None:
    marks = {row["mark"] for row in read_reference("data_marks")}
    assert marks == set("NFMSDCTB")
    for table in ("instrument_states", "opcua_status_marks"):
        assert {row["mark"] for row in read_reference(table)} <= marks


def test_every_row_says_where_it_comes_from() -> None:
    for table in TABLES:
        assert {row["source_mark"] for row in read_reference(table)} <= {"verified", "memory"}
    for row in read_reference("national_limits"):
        assert row["value_mark"] in {"verified", "memory"}
        assert row["details_mark"] in {"verified", "memory"}


def test_factor_codes_have_the_form_of_annex_b_and_their_own_units() -> None:
    units = {}
    for row in read_reference("hj212_factors"):
        assert re.fullmatch(r"[aw]\d{5}", row["factor_code"])
        assert (row["factor_code"][0] == "a") == (row["medium"] == "air")
        assert 0 <= int(row["decimals"]) <= 4
        assert bool(row["amount_decimals"]) == bool(row["amount_unit"])
        assert 0 <= int(row["amount_decimals"] or 0) <= 4
        units[row["factor_code"]] = (row["unit"], row["amount_unit"])
    assert units["a00000"] == ("m3/s", "m3")
    assert units["w00000"] == ("L/s", "m3")
    assert units["w20111"] == ("ug/L", "g")
    assert units["a01013"] == ("kPa", "")


def test_a_limit_names_a_known_factor_a_dated_standard_and_a_basis() -> None:
    factors = {row["factor_code"]: row for row in read_reference("hj212_factors")}
    for row in read_reference("national_limits"):
        assert row["unit"] == factors[row["factor_code"]]["unit"]
        assert re.fullmatch(r"GB \d+-\d{4}", row["standard_no"])
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["valid_from"])
        assert (row["basis"] == "converted") == bool(row["reference_oxygen_pct"])
        assert row["judging_period"] in {"hour", "day"}


def test_an_unknown_table_is_refused_by_naming_those_there_are() -> None:
    with pytest.raises(FileNotFoundError, match="data_marks"):
        read_reference("no_such_table")
