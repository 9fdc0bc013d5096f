"""Gates: each rule of a report's suite catches the fault it is for, and names the row."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from contracts.model import Code, Column, Contract, ExtractMode
from quality_checks.gates import MissingColumnsError, UnknownSuiteError, check_manual, check_report
from quality_checks.suites import REPORT_SUITES

START = datetime(2026, 11, 16, 0, 0, tzinfo=UTC)


def hj212_row(**changed: Any) -> dict[str, Any]:
    row = {
        "outlet_id": "DA001",
        "mn": "320400000000000000000DA1",
        "st_code": "31",
        "factor_code": "a21026",
        "period_start_utc": START,
        "plant_date": date(2026, 11, 16),
        "unit": "mg/m3",
        "cou_value": 0.2,
        "min_value": 8.0,
        "avg_value": 10.0,
        "max_value": 12.0,
        "converted_min_value": 8.5,
        "converted_avg_value": 10.5,
        "converted_max_value": 12.5,
        "data_flag": "N",
        "is_valid": True,
    }
    return {**row, **changed}


def sound_rows() -> list[dict[str, Any]]:
    oxygen = {"factor_code": "a19001", "unit": "%", "min_value": 3.0, "avg_value": 3.5, "max_value": 4.0}
    unconverted = {f"converted_{which}_value": None for which in ("min", "avg", "max")}
    hours = [START, START + timedelta(hours=1)]
    return [
        row
        for hour in hours
        for row in (
            hj212_row(period_start_utc=hour, mn="3204000000000000000000D1"),
            hj212_row(period_start_utc=hour, mn="3204000000000000000000D1", **oxygen, **unconverted),
        )
    ]


def verdict_of(rows: list[dict[str, Any]], suite: str = "hj212_periods"):
    return check_report(suite, pa.Table.from_pylist(rows))


def test_sound_rows_pass_every_rule():
    verdict = verdict_of(sound_rows())
    assert verdict.passed, verdict.summary_en()
    assert verdict.checked == len(REPORT_SUITES["hj212_periods"].rules)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ({"data_flag": None}, "data_flag must have a value"),
        ({"data_flag": "X"}, "data_flag must be one of"),
        ({"mn": "32"}, "mn must be 24 characters"),
        ({"st_code": "22"}, "st_code must be one of"),
        ({"avg_value": -1.0, "min_value": -2.0}, "below the factor's plausible range"),
        ({"avg_value": 4e4, "max_value": 5e4}, "above the factor's plausible range"),
        ({"avg_value": 7.0}, "average below the minimum"),
        ({"avg_value": 13.0}, "average above the maximum"),
        ({"converted_avg_value": None}, "must be converted to reference oxygen"),
        ({"avg_value": None, "cou_value": None}, "a valid period has no average"),
    ],
)
def test_each_fault_is_caught_by_its_rule_and_names_its_row(fault, rule):
    rows = sound_rows()
    rows[0] |= fault
    verdict = verdict_of(rows)
    [failure] = verdict.failures
    assert rule in failure.text_en
    assert failure.row_count == 1
    assert "outlet_id=DA001" in failure.examples[0]
    assert "factor_code=a21026" in failure.examples[0]
    assert failure.text_zh in verdict.summary_zh()


def test_a_repeated_row_breaks_the_key():
    rows = sound_rows()
    verdict = verdict_of([*rows, rows[0]])
    assert [failure.rule for failure in verdict.failures] == ["ExpectCompoundColumnsToBeUnique"]


def test_a_missing_factor_is_incomplete():
    verdict = verdict_of(sound_rows()[:-1])
    [failure] = verdict.failures
    assert "missing from the period" in failure.text_en


def test_an_unknown_gate_names_those_that_exist():
    with pytest.raises(UnknownSuiteError, match="hj212_periods"):
        verdict_of(sound_rows(), suite="no_such_gate")


def test_a_table_without_a_column_is_an_error_and_never_a_pass():
    rows = [{key: value for key, value in row.items() if key != "st_code"} for row in sound_rows()]
    with pytest.raises(MissingColumnsError, match="st_code"):
        verdict_of(rows)


def park_row(**changed: Any) -> dict[str, Any]:
    row = {
        "outlet_id": "DA001",
        "outlet_name_zh": "锅炉烟囱",
        "factor_code": "a21002",
        "factor_name_zh": "氮氧化物",
        "period_start_utc": START,
        "plant_date": date(2026, 11, 16),
        "unit": "mg/m3",
        "avg_value": 40.0,
        "converted_avg_value": 42.0,
        "emission_kg": 1.5,
        "data_flag": "N",
        "limit_value": 50.0,
        "limit_basis": "converted",
        "standard_no": "GB 13271-2014",
        "standard_name_zh": "锅炉大气污染物排放标准",
        "is_exceeded": False,
    }
    return {**row, **changed}


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ({"is_exceeded": True}, "contradicts"),
        ({"converted_avg_value": 60.0}, "contradicts"),
        ({"standard_no": None}, "standard's name or number"),
        ({"emission_kg": -1.0}, "emission_kg must lie within"),
    ],
)
def test_the_park_gate_catches(fault, rule):
    assert verdict_of([park_row()], "park_outlet_hourly").passed
    [failure] = verdict_of([park_row(**fault)], "park_outlet_hourly").failures
    assert rule in failure.text_en


def test_the_park_gate_judges_a_rate_by_the_emitted_mass():
    rate = {"limit_basis": "rate", "limit_value": 0.77, "emission_kg": 0.5}
    assert verdict_of([park_row(**rate)], "park_outlet_hourly").passed
    over = park_row(**rate | {"emission_kg": 0.9})
    [failure] = verdict_of([over], "park_outlet_hourly").failures
    assert "contradicts" in failure.text_en


def column(name: str, logical_type: Any = "string", **more: Any) -> Column:
    return Column(name, logical_type, label_zh=name, label_en=name, grade="一般", category="生产", **more)


def lab_contract() -> Contract:
    return Contract(
        system_id="lab_manual", table="samples", version="1.0.0", label_zh="样品", label_en="Samples",
        description="d", grain="g", owner="lab", category="生产", mode=ExtractMode.MANUAL, cadence_s=86400,
        retention_days=365, source_name="samples",
        columns=(
            column("sample_id", required=True, key_position=1, pattern=r"^S\d+$"),
            column("ph", "number", minimum=0, maximum=14),
            column("judgement", codes=(Code("pass", "合格", "pass"), Code("fail", "不合格", "fail"))),
        ),
    )  # fmt: skip


def test_a_manual_gate_follows_the_contract():
    sound = [
        {"sample_id": "S1", "ph": 7.0, "judgement": "pass"},
        {"sample_id": "S2", "ph": None, "judgement": None},
    ]
    wrong = [{"sample_id": "X", "ph": 15.0, "judgement": "maybe"}]
    assert check_manual(lab_contract(), pa.Table.from_pylist(sound)).passed
    verdict = check_manual(lab_contract(), pa.Table.from_pylist([*sound, *wrong]))
    assert sorted(failure.columns for failure in verdict.failures) == [
        ("judgement",),
        ("ph",),
        ("sample_id",),
    ]


def test_importing_the_gates_does_not_import_great_expectations():
    code = "import sys, quality_checks.gates; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
