"""Raw points → marks → minute, ten minutes, hour, day → regulatory tables, on a real lake and a real dbt."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest

from tests.fakes.dbt_lake import REGISTERS, ZONE, DbtLake, read_register
from transforms.emission import gas_flow_actual_m3_h, gas_flow_standard_dry_nm3_h, gas_mass_flow_kg_h
from transforms.gas_conditions import to_dry_basis, to_standard_condition
from transforms.marks import sample_mark
from transforms.oxygen import to_reference_oxygen
from transforms.statistics import AIR_HOUR, AIR_MINUTE, summarise

GOOD, BAD_SENSOR_FAILURE = 0, 0x808C0000
CALIBRATING = 3.0
START = datetime(2026, 11, 16, 22, tzinfo=ZONE)
MIDNIGHT = START + timedelta(hours=2)
END = START + timedelta(hours=3)
FIRST_INGESTED = datetime(2026, 11, 16, 17, tzinfo=UTC)
STACK_AREA_M2 = 1.5
WITHOUT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
MINUTES = ("--select", "+fct_monitoring_minute", "+ops_unit_mismatches", *WITHOUT_TESTS)
HOURS = (
    "--select",
    "+reg_park__outlet_hourly",
    "+reg_province__hj212_hour",
    "+reg_province__hj212_minute",
    *WITHOUT_TESTS,
)

# Worked numbers of HJ 212-2017 Annex D hold for DA001 at every moment.
DA001 = {
    "DA001.SO2": 18.0,
    "DA001.NOX": 30.0,
    "DA001.PM": 40.0,
    "DA001.O2": 5.0,
    "DA001.VELOCITY": 10.0,
    "DA001.TEMP": 120.0,
    "DA001.PRESSURE": -200.0,
    "DA001.MOISTURE": 8.0,
}
DA002 = {
    "DA002.O2": 8.5,
    "DA002.VELOCITY": 9.0,
    "DA002.TEMP": 110.0,
    "DA002.PRESSURE": -120.0,
    "DA002.MOISTURE": 9.0,
}
UNITS = {
    "O2": "%",
    "VELOCITY": "m/s",
    "TEMP": "°C",
    "PRESSURE": "Pa",
    "MOISTURE": "%",
    "FLOW": "L/s",
    "PH": "pH",
}

Series = Callable[[datetime], tuple[float | None, int]]


def moments(seconds: int) -> Iterator[datetime]:
    at = START
    while at < END:
        yield at
        at += timedelta(seconds=seconds)


def constant(value: float) -> Series:
    return lambda at: (value, GOOD)


def nox(at: datetime) -> tuple[float | None, int]:
    """45 good minutes in the first hour, 44 in the second."""
    good_minutes = {22: 45, 23: 44, 0: 60}[at.hour]
    return (30.0, GOOD) if at.minute < good_minutes else (None, BAD_SENSOR_FAILURE)


def nmhc(at: datetime) -> tuple[float | None, int]:
    """Over the limit until midnight; afterwards restless, with a value beyond the range each 20 s."""
    if at < MIDNIGHT:
        return 140.0, GOOD
    wild = random.Random(at.timestamp()).uniform(20.0, 80.0)
    return (250.0 if at.second % 20 == 0 else wild), GOOD


def da002_state(at: datetime) -> tuple[float | None, int]:
    is_calibrating = MIDNIGHT + timedelta(minutes=30) <= at < MIDNIGHT + timedelta(minutes=35)
    return (CALIBRATING if is_calibrating else 0.0), GOOD


def dw001_state(at: datetime) -> tuple[float | None, int]:
    """Calibration begins in the middle of a ten-minute period and ends exactly with the next."""
    is_calibrating = MIDNIGHT + timedelta(minutes=15) <= at < MIDNIGHT + timedelta(minutes=20)
    return (CALIBRATING if is_calibrating else 0.0), GOOD


SERIES: dict[str, tuple[int, Series]] = {
    **{tag: (5, constant(value)) for tag, value in (DA001 | DA002).items()},
    "DA001.NOX": (5, nox),
    "DA001.STATE": (60, constant(0.0)),
    "DA002.NMHC": (5, nmhc),
    "DA002.STATE": (60, da002_state),
    "DW001.FLOW": (5, constant(17.5)),
    "DW001.COD": (60, constant(40.1)),
    "DW001.PH": (60, constant(7.4)),
    "DW001.STATE": (60, dw001_state),
    "MET.BARO": (60, constant(101_325.0)),
}


def point(tag_id: str, at: datetime, value: float | None, status: int) -> dict[str, Any]:
    return {
        "tag_id": tag_id,
        "source_at_utc": at.astimezone(UTC),
        "source_at_100ns": 3,
        "value_number": value,
        "status_code": status,
        "arrived_at_utc": at.astimezone(UTC),
    }


@cache
def points() -> list[dict[str, Any]]:
    return [
        point(tag_id, at, *series(at))
        for tag_id, (seconds, series) in SERIES.items()
        for at in moments(seconds)
    ]


def tag_rows() -> list[dict[str, Any]]:
    def unit(tag_id: str) -> str | None:
        name = tag_id.split(".")[1]
        return None if name == "STATE" else UNITS.get(name, "mg/L" if tag_id.startswith("DW") else "mg/m3")

    return [
        {
            "tag_id": tag_id,
            "node_id": f"nsu=urn:test;s={tag_id}",
            "label_zh": tag_id,
            "label_en": tag_id,
            "unit": "Pa" if tag_id == "MET.BARO" else unit(tag_id),
            "unit_on_server": "Pa" if tag_id == "MET.BARO" else unit(tag_id),
            "range_low": -2000.0,
            "range_high": 200.0 if tag_id == "DA002.NMHC" else 2e5,
            "data_type": "double",
            "sampling_ms": 5000,
            "area": "environment",
            "has_history": True,
            "observed_at_utc": END.astimezone(UTC),
        }
        for tag_id in SERIES
    ]


def further_limits() -> Iterator[dict[str, Any]]:
    """A rate beside the concentration judged too, and a concentration in another unit than its factor's."""
    for factor_code, basis, value, unit in (
        ("a21026", "rate", 500.0, "g/h"),
        ("a21002", "measured", 20_000.0, "µg/m3"),
    ):
        yield {
            "outlet_id": "DA001",
            "factor_code": factor_code,
            "averaging_code": "hour",
            "limit_value": value,
            "unit_code": unit,
            "limit_basis_code": basis,
            "standard_no": "GB 16297-1996",
            "standard_name_zh": "大气污染物综合排放标准",
            "valid_from_date": date(2026, 1, 1),
        }


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("pollution")
    lake.load_registers()
    outlets = lake.contracts["raw_site_register__outlets"]
    stack = next(
        row for row in read_register(REGISTERS / "outlets.csv", outlets) if row["outlet_id"] == "DA001"
    )
    lake.append_changes(outlets.name, [{**stack, "stack_area_m2": STACK_AREA_M2}])
    lake.append_changes("raw_site_register__outlet_limits", list(further_limits()))
    lake.append_stream(
        "raw_opcua_environment__points", points(), at_column="source_at_utc", ingested_at=FIRST_INGESTED
    )
    # The same points once more, as after a crash between two landings or a read of history.
    lake.append_stream(
        "raw_opcua_environment__points", points()[:500], at_column="source_at_utc", ingested_at=FIRST_INGESTED
    )
    lake.append_stream(
        "raw_opcua_environment__tags", tag_rows(), at_column="observed_at_utc", ingested_at=FIRST_INGESTED
    )
    lake.dbt("build")
    return lake


def one(lake: DbtLake, table: str, outlet_id: str, factor_code: str, start: datetime) -> dict[str, Any]:
    rows = lake.query(
        f"select * from {table} where outlet_id = ? and factor_code = ? and period_start_utc = ?",
        outlet_id,
        factor_code,
        start,
    )
    assert len(rows) == 1
    return rows[0]


def test_a_minute_of_gas_carries_the_worked_numbers(built: DbtLake) -> None:
    def minute(factor_code: str) -> dict[str, Any]:
        return one(built, "marts.fct_monitoring_minute", "DA001", factor_code, START)

    assert minute("a21002")["converted_avg_value"] == pytest.approx(32.8125)
    assert minute("a34013")["avg_value"] == pytest.approx(57.6963 / 0.92, abs=1e-4)
    assert minute("a00000")["avg_value"] == pytest.approx(34_442.4158 / 3600, abs=1e-6)
    assert minute("a01013")["avg_value"] == pytest.approx(-0.2)
    assert minute("a21026")["value_count"] == 12


def test_an_hour_of_gas_gives_the_mass_of_the_measured_concentration(built: DbtLake) -> None:
    hour = one(built, "marts.fct_monitoring_hour", "DA001", "a21026", START)
    assert hour["cou_value"] == pytest.approx(0.619963, abs=1e-6)
    assert hour["amount_unit"] == "kg"
    assert (hour["data_flag"], hour["is_valid"], hour["avg_value_quality_code"]) == ("N", True, "good")


def test_an_hour_needs_45_valid_minutes(built: DbtLake) -> None:
    with_45 = one(built, "regulatory.reg_province__hj212_hour", "DA001", "a21002", START)
    with_44 = one(built, "regulatory.reg_province__hj212_hour", "DA001", "a21002", START + timedelta(hours=1))
    assert (with_45["data_flag"], with_45["is_valid"]) == ("N", True)
    assert (with_44["data_flag"], with_44["is_valid"], with_44["cou_value"]) == ("D", False, None)
    assert with_44["avg_value"] == pytest.approx(30.0)


def test_ten_minutes_of_wastewater_carry_the_worked_numbers(built: DbtLake) -> None:
    flow = one(built, "regulatory.reg_province__hj212_minute", "DW001", "w00000", START)
    cod = one(built, "regulatory.reg_province__hj212_minute", "DW001", "w01018", START)
    assert flow["cou_value"] == pytest.approx(10.5)
    assert cod["cou_value"] == pytest.approx(0.42105)
    assert (flow["unit"], cod["unit"], flow["st_code"]) == ("L/s", "mg/L", "32")


def test_one_calibration_sample_marks_the_water_period_and_its_hour_but_not_the_next(built: DbtLake) -> None:
    table = "marts.fct_monitoring_ten_minute"
    flags = {
        minute: one(built, table, "DW001", "w00000", MIDNIGHT + timedelta(minutes=minute))["data_flag"]
        for minute in (0, 10, 20)
    }
    assert flags == {0: "N", 10: "C", 20: "N"}
    hour = one(built, "marts.fct_monitoring_hour", "DW001", "w01018", MIDNIGHT)
    assert (hour["data_flag"], hour["is_valid"], hour["cou_value"]) == ("C", False, None)


def test_concentration_is_weighted_by_flow_and_ph_never(built: DbtLake) -> None:
    cod = one(built, "marts.fct_monitoring_hour", "DW001", "w01018", START)
    ph = one(built, "marts.fct_monitoring_hour", "DW001", "w01001", START)
    assert (cod["averaging_code"], cod["avg_value"]) == ("flow_weighted", pytest.approx(40.1))
    assert (ph["averaging_code"], ph["avg_value"], ph["cou_value"]) == (
        "arithmetic",
        pytest.approx(7.4),
        None,
    )


def test_plant_days_part_at_the_plants_midnight(built: DbtLake) -> None:
    days = built.query(
        "select plant_date, min(period_start_utc) as first, max(period_start_utc) as last"
        " from marts.fct_monitoring_minute where outlet_id = 'DA001' group by plant_date order by plant_date"
    )
    assert [(day["plant_date"], day["first"], day["last"]) for day in days] == [
        (date(2026, 11, 16), START, MIDNIGHT - timedelta(minutes=1)),
        (date(2026, 11, 17), MIDNIGHT, END - timedelta(minutes=1)),
    ]


def test_a_period_that_is_not_over_is_not_reported(built: DbtLake) -> None:
    reported = built.query("select distinct plant_date from regulatory.reg_province__hj212_day")
    assert [row["plant_date"] for row in reported] == [date(2026, 11, 16)]
    last_hour = built.query("select max(period_start_utc) as last from regulatory.reg_province__hj212_hour")
    assert last_hour[0]["last"] == END - timedelta(hours=1)


def test_an_exceedance_lasts_from_the_first_to_the_last_hour_beyond_the_limit(built: DbtLake) -> None:
    events = built.query("select * from marts.fct_exceedance_events where factor_code = 'a24088'")
    assert len(events) == 1
    event = events[0]
    assert (event["started_at_utc"], event["ended_at_utc"]) == (START, MIDNIGHT)
    assert (event["duration_h"], event["period_count"]) == (2.0, 2)
    assert event["peak_value"] == pytest.approx(140.0 * 18.0 / 12.5)
    assert event["emission_over_limit"] == pytest.approx(
        event["emission_total"] * (event["peak_value"] - 120.0) / event["peak_value"]
    )
    assert event["standard_no"] == "GB 31571-2015"


def test_the_park_sees_each_hour_beside_its_limit(built: DbtLake) -> None:
    before = one(
        built, "regulatory.reg_park__outlet_hourly", "DA002", "a24088", MIDNIGHT - timedelta(hours=1)
    )
    after = one(built, "regulatory.reg_park__outlet_hourly", "DA002", "a24088", MIDNIGHT)
    assert (before["is_exceeded"], before["limit_value"], before["limit_basis"]) == (True, 120.0, "converted")
    assert after["is_exceeded"] is False
    assert before["emission_kg"] > 0


def test_an_outlet_is_judged_by_each_of_its_limits_in_the_limits_own_unit(built: DbtLake) -> None:
    events = built.query(
        "select factor_code, limit_basis_code, limit_value, unit_code, max(peak_value) as peak_value"
        " from marts.fct_exceedance_events where outlet_id = 'DA001' and factor_code in ('a21026', 'a21002')"
        " group by factor_code, limit_basis_code, limit_value, unit_code order by factor_code"
    )
    assert [tuple(event.values()) for event in events] == [
        ("a21002", "measured", 20.0, "mg/m3", pytest.approx(30.0)),
        ("a21026", "rate", 0.5, "kg/h", pytest.approx(0.619963, abs=1e-6)),
    ]
    told = one(built, "regulatory.reg_park__outlet_hourly", "DA001", "a21026", START)
    assert (told["is_exceeded"], told["limit_basis"], told["limit_value"]) == (True, "rate", 0.5)
    unjudged = one(built, "regulatory.reg_park__outlet_hourly", "DA001", "a21002", START + timedelta(hours=1))
    assert (unjudged["is_exceeded"], unjudged["data_flag"]) == (None, "D")


def test_sql_and_transforms_agree_on_every_minute_and_hour_of_a_restless_outlet(built: DbtLake) -> None:
    minutes, hours = computed_with_transforms()
    for table, expected in (("minute", minutes), ("hour", hours)):
        found = pl.DataFrame(
            built.query(
                "select period_start_utc, avg_value, converted_avg_value, data_flag, is_valid"
                f" from marts.fct_monitoring_{table}"
                " where outlet_id = 'DA002' and factor_code = 'a24088' order by 1"
            )
        )
        assert found["data_flag"].to_list() == expected["data_flag"].to_list()
        assert found["is_valid"].to_list() == expected["is_valid"].to_list()
        for column in ("avg_value", "converted_avg_value"):
            assert found[column].to_list() == pytest.approx(expected[column].to_list())
    assert "D" in minutes["data_flag"].to_list()


def computed_with_transforms() -> tuple[pl.DataFrame, pl.DataFrame]:
    """DA002's NMHC by minute and hour, from the same series, with transforms alone."""
    samples = pl.DataFrame(
        [
            {
                "at": at,
                "value": value,
                "mark": sample_mark(
                    status_code=status,
                    has_state=True,
                    state_code=int(da002_state(at)[0] or 0),
                    value=value,
                    range_low=-2000.0,
                    range_high=200.0,
                ),
            }
            for at in moments(5)
            for value, status in [nmhc(at)]
        ]
    )
    minutes = summarise(samples.with_columns(pl.col("at").dt.truncate("1m")), ["at"], AIR_MINUTE)
    # While the stack calibrates its oxygen is no more valid than its NMHC.
    minutes = minutes.with_columns(
        pl.when(pl.col("normal_count") > 0)
        .then(pl.col("avg_value").map_elements(lambda c: to_reference_oxygen(c, 8.5, 3.0)))
        .alias("converted_avg_value")
    )
    valid = minutes.with_columns(
        pl.col("at").dt.truncate("1h"),
        pl.when("is_valid").then(pl.lit("N")).otherwise(pl.lit("D")).alias("mark"),
        pl.col("avg_value").alias("value"),
    ).drop("avg_value", "min_value", "max_value", "value_count", "normal_count", "data_flag", "is_valid")
    hours = summarise(valid, ["at"], AIR_HOUR)
    converted = summarise(valid.with_columns(pl.col("converted_avg_value").alias("value")), ["at"], AIR_HOUR)
    return minutes, hours.with_columns(converted["avg_value"].alias("converted_avg_value"))


def test_sql_and_transforms_agree_on_corrected_dust_flow_and_mass(built: DbtLake) -> None:
    conditions = {"temperature_c": 120.0, "static_pressure_pa": -200.0, "barometric_pressure_pa": 101_325.0}
    dust_mg_m3 = to_dry_basis(to_standard_condition(40.0, **conditions), 8.0)
    flow_nm3_h = gas_flow_standard_dry_nm3_h(
        gas_flow_actual_m3_h(STACK_AREA_M2, 10.0), moisture_pct=8.0, **conditions
    )
    hour = one(built, "marts.fct_monitoring_hour", "DA001", "a34013", START)
    assert hour["avg_value"] == pytest.approx(dust_mg_m3)
    assert hour["cou_value"] == pytest.approx(gas_mass_flow_kg_h(dust_mg_m3, flow_nm3_h))
    assert hour["converted_avg_value"] == pytest.approx(to_reference_oxygen(dust_mg_m3, 5.0, 3.5))


def test_a_unit_that_changed_on_the_server_voids_the_tag_from_its_detection(
    new_dbt_lake: Callable[[str], DbtLake],
) -> None:
    lake = new_dbt_lake("unit_change")
    lake.load_registers()
    changed_at = START + timedelta(minutes=1)
    tags = [row for row in tag_rows() if row["tag_id"].startswith(("DA001", "MET"))]
    first = [{**row, "observed_at_utc": START.astimezone(UTC)} for row in tags]
    later = [
        {
            **row,
            "observed_at_utc": changed_at.astimezone(UTC),
            "unit_on_server": "K" if row["tag_id"] == "DA001.TEMP" else row["unit_on_server"],
        }
        for row in tags
    ]
    write(lake, "tags", first + later, "observed_at_utc")
    begun = [row for row in points() if row["source_at_utc"] < START + timedelta(minutes=3)]
    write(lake, "points", begun, "source_at_utc")
    lake.dbt("build", *MINUTES)
    table = "marts.fct_monitoring_minute"
    before = one(lake, table, "DA001", "a01012", START)
    after = one(lake, table, "DA001", "a01012", changed_at)
    dust = one(lake, table, "DA001", "a34013", changed_at)
    assert (before["data_flag"], after["data_flag"], after["avg_value"]) == ("N", "D", None)
    assert (dust["data_flag"], dust["avg_value"]) == ("D", None)
    assert dust["avg_value_quality_code"] == "not_computable"
    found = lake.query("select tag_id, unit, unit_on_server, detected_at_utc from ops.ops_unit_mismatches")
    assert found == [
        {"tag_id": "DA001.TEMP", "unit": "°C", "unit_on_server": "K", "detected_at_utc": changed_at}
    ]

    built_at = days_built(lake, table)[table][date(2026, 11, 16)]
    lake.dbt("build", *MINUTES, "--vars", "{touched_dates: ['2026-11-16']}")
    assert days_built(lake, table)[table][date(2026, 11, 16)] > built_at, "an operator asked for this day"


def test_late_data_rebuild_their_own_day_and_no_other(new_dbt_lake: Callable[[str], DbtLake]) -> None:
    lake = new_dbt_lake("late_data")
    lake.load_registers()
    write(lake, "tags", tag_rows(), "observed_at_utc")
    is_late = {
        row["source_at_utc"]: row
        for row in points()
        if row["tag_id"] == "DA001.SO2" and row["source_at_utc"] < START + timedelta(minutes=20)
    }
    on_time = [row for row in points() if row["tag_id"] != "DA001.SO2" or row["source_at_utc"] not in is_late]
    write(lake, "points", on_time, "source_at_utc")
    lake.dbt("build", *HOURS)
    first_built = days_built(lake, *REBUILT)
    hour = one(lake, "regulatory.reg_province__hj212_hour", "DA001", "a21026", START)
    assert (hour["data_flag"], hour["is_valid"]) == ("D", False)

    lake.dbt("build", *HOURS)
    assert days_built(lake, *REBUILT) == first_built, "nothing arrived, so nothing is rebuilt"

    write(lake, "points", list(is_late.values()), "source_at_utc", FIRST_INGESTED + timedelta(hours=9))
    lake.dbt("build", *HOURS)
    rebuilt = days_built(lake, *REBUILT)
    hour = one(lake, "regulatory.reg_province__hj212_hour", "DA001", "a21026", START)
    assert (hour["data_flag"], hour["is_valid"]) == ("N", True)
    for model, days in rebuilt.items():
        assert days[date(2026, 11, 16)] > first_built[model][date(2026, 11, 16)], model
        assert days[date(2026, 11, 17)] == first_built[model][date(2026, 11, 17)], model


def write(
    lake: DbtLake,
    stream: str,
    rows: list[dict[str, Any]],
    at_column: str,
    ingested_at: datetime = FIRST_INGESTED,
) -> None:
    lake.append_stream(f"raw_opcua_environment__{stream}", rows, at_column=at_column, ingested_at=ingested_at)


REBUILT = (
    "marts.fct_monitoring_minute",
    "marts.fct_monitoring_ten_minute",
    "marts.fct_monitoring_hour",
    "regulatory.reg_province__hj212_minute",
    "regulatory.reg_province__hj212_hour",
    "regulatory.reg_park__outlet_hourly",
)


def days_built(lake: DbtLake, *models: str) -> dict[str, dict[date, datetime]]:
    """When each plant day of each model was built last."""
    sql = "select plant_date, max(_built_at_utc) as built from {} group by plant_date"
    return {
        model: {row["plant_date"]: row["built"] for row in lake.query(sql.format(model))} for model in models
    }
