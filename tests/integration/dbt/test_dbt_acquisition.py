"""Registers and received points → coverage by class, area and technology, and what they leave open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.dbt_lake import REGISTERS, DbtLake, read_register

AT = datetime(2026, 11, 16, 4, tzinfo=UTC)
DAY = date(2026, 11, 16)
ACQUISITION_REGISTERS = ("areas", "devices", "network_segments", "network_links", "isolation_devices")
SELECT = "+path:models/marts/acquisition +ops_device_problems +ops_silent_areas +ops_open_gaps"

Row = dict[str, Any]


def tag(tag_id: str, area: str) -> Row:
    return {
        "tag_id": tag_id,
        "node_id": f"nsu=urn:test;s={tag_id}",
        "label_zh": "温度",
        "label_en": "temperature",
        "unit": "°C",
        "data_type": "double",
        "sampling_ms": 1000,
        "area": area,
        "has_history": True,
        "observed_at_utc": AT,
    }


def point(tag_id: str, *, status_code: int = 0) -> Row:
    return {
        "tag_id": tag_id,
        "source_at_utc": AT,
        "source_at_100ns": 0,
        "value_number": 1.0,
        "status_code": status_code,
        "arrived_at_utc": AT,
    }


def gap(tag_id: str | None, reason: str, second: int, **told: Any) -> Row:
    begins = AT + timedelta(seconds=second)
    row = {
        "tag_id": tag_id,
        "from_at_utc": begins,
        "until_at_utc": begins,
        "reason": reason,
        "is_open": False,
    }
    return {**row, "observed_at_utc": begins, **told}


def tell_gaps(lake: DbtLake) -> None:
    """A failover of 9 s: history filled one tag's gap, the other stays."""
    until = {"until_at_utc": AT + timedelta(seconds=9)}
    filled = {"observed_at_utc": AT + timedelta(seconds=60)}
    rows = [
        gap(None, "session_began", -600, detail="opc.tcp://a"),
        gap(None, "session_ended", 0, detail="opc.tcp://a ServiceLevel 0"),
        gap("T101.LEVEL", "history_failed", 0, **until, is_open=True),
        gap("T101.TEMP", "notifications_lost", 0, **until, is_open=True),
        gap(None, "session_began", 9, detail="opc.tcp://b"),
        gap("T101.LEVEL", "history_failed", 0, **until, **filled),
    ]
    lake.append_stream("raw_opcua_production__gaps", rows, at_column="from_at_utc", ingested_at=AT)


def tell_events(lake: DbtLake) -> None:
    """What a camera saw, twice delivered, and a step of a work centre."""
    seen = {
        "event_id": "E-1",
        "source_name": "CAM-TANK01",
        "event_type": "person_in_zone",
        "event_at_utc": AT,
        "event_at_100ns": 7,
        "link": "https://video.plant.example/CAM-TANK01/20261116T120000",
        "subject": "video/CAM-TANK01",
        "arrived_at_utc": AT,
    }
    step = {**seen, "event_id": "E-2", "source_name": "R301", "event_type": "charging", "link": None}
    for rows in ([seen, step], [seen]):
        lake.append_stream("raw_iot_main__events", rows, at_column="event_at_utc", ingested_at=AT)


def alarm(number: int, second: int, condition: str, **states: Any) -> Row:
    at = AT + timedelta(seconds=second)
    return {
        "event_id": f"{number:04x}",
        "condition_id": condition,
        "event_type": "ExclusiveLevelAlarmType",
        "source_name": condition,
        "severity": 500,
        "is_active": True,
        "is_acknowledged": False,
        "is_retained": True,
        "told_by": "notification",
        "event_at_utc": at,
        "event_at_100ns": 0,
        "arrived_at_utc": at,
        **states,
    }


def tell_alarms(lake: DbtLake) -> None:
    """A whole life, one whose end only a refresh told, one that chatters, one of an older collector."""
    over = {"is_active": False, "is_retained": False}
    rows = [
        alarm(1, 0, "A", limit_state="High", is_confirmed=False),
        alarm(
            2,
            30,
            "A",
            is_acknowledged=True,
            is_confirmed=False,
            client_user_id="li",
            comment="去看 / looking",
        ),
        alarm(3, 60, "A", is_acknowledged=True, is_confirmed=False, shelving_state="TimedShelved"),
        alarm(4, 660, "A", is_acknowledged=True, is_confirmed=False, shelving_state="Unshelved"),
        alarm(5, 700, "A", is_active=False, is_acknowledged=True, is_confirmed=False),
        alarm(6, 900, "A", **over, is_acknowledged=True, is_confirmed=True, client_user_id="wang"),
        alarm(7, 0, "B"),
        alarm(8, 5000, "B", **over, is_acknowledged=None, told_by="absence"),
        alarm(9, 5000, "C", told_by="refresh", active_changed_at_utc=AT + timedelta(seconds=4000)),
        alarm(10, 5000, "C", branch_id="i=7", is_active=False),
        alarm(11, 5100, "C", branch_id="i=7", **over, is_acknowledged=True, client_user_id="li"),
    ]
    for turn in range(3):
        rows += [
            alarm(20 + 2 * turn, 100 + 20 * turn, "D", is_suppressed=turn == 0, severity=900),
            alarm(21 + 2 * turn, 110 + 20 * turn, "D", **over, is_acknowledged=True, severity=900),
        ]
    older = {"is_retained": None, "told_by": None}
    rows += [
        alarm(30, 0, "E", **older),
        alarm(31, 10, "E", **older, is_acknowledged=True),
        alarm(32, 20, "E", **older | {"is_active": False}, is_acknowledged=True),
        alarm(33, 20, "(plain)", condition_id=None, is_active=None, is_acknowledged=None, is_retained=None),
    ]
    for told in (rows, rows[:3]):  # a collector that lost its marks tells some once more
        lake.append_stream("raw_opcua_production__alarms", told, at_column="event_at_utc", ingested_at=AT)


def load(lake: DbtLake) -> None:
    tell_gaps(lake)
    tell_alarms(lake)
    tell_events(lake)
    for table in ACQUISITION_REGISTERS:
        name = f"raw_site_register__{table}"
        lake.append_changes(name, read_register(REGISTERS / f"{table}.csv", lake.contracts[name]))
    devices = "raw_site_register__devices"
    wrong = {"device_name_zh": "错误登记", "device_name_en": "wrongly registered", "valid_from_date": DAY}
    lost = {
        "device_id": "X-TAG",
        "system_id": "opcua_production",
        "tag_id": "NO.SUCH",
        "segment_id": "PN-TANK",
    }
    apart = {"device_id": "X-NET", "system_id": "opcua_production", "segment_id": None}
    sensor = {"device_class_code": "sensor", "area_id": "tank_farm"}
    lake.append_changes(
        devices, [{**wrong, **sensor, **lost}, {**wrong, **sensor, **apart, "area_id": "moon"}]
    )
    tags = [("T101.LEVEL", "tank_farm"), ("T101.TEMP", "tank_farm"), ("R301.TEMP", "workshop")]
    lake.append_stream(
        "raw_opcua_production__tags", [tag(*one) for one in tags], at_column="observed_at_utc", ingested_at=AT
    )
    rows = [point("T101.LEVEL"), point("T101.LEVEL", status_code=0x80000000), point("R301.TEMP")]
    lake.append_stream("raw_opcua_production__points", rows, at_column="source_at_utc", ingested_at=AT)


@pytest.fixture(scope="module")
def lake(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    made = new_dbt_lake("acquisition")
    load(made)
    made.dbt("build", "--select", *SELECT.split())
    return made


def test_a_tag_s_day_counts_what_was_received_and_what_of_it_was_good(lake: DbtLake) -> None:
    (row,) = lake.query("select * from marts.fct_tag_day where tag_id = 'T101.LEVEL'")
    assert (row["plant_date"], row["received_count"], row["good_count"]) == (DAY, 2, 1)


def test_each_device_says_by_which_path_it_is_read_and_whether_it_lives(lake: DbtLake) -> None:
    rows = lake.query("select device_id, path_code, is_live from marts.fct_device_day")
    found = {row["device_id"]: (row["path_code"], row["is_live"]) for row in rows}
    assert found["T101-LEVEL"] == ("tag", True)
    assert found["T101-TEMP"] == ("tag", False)
    assert found["DCS-AP01"] == ("system", True)
    assert found["PLC-ENV01"] == ("system", False)
    assert found["R301-PSV"] == ("excused", False)
    assert found["T102-PRESSURE"] == ("none", False)
    assert found["X-TAG"] == ("unknown_tag", False)


def test_coverage_by_class_leaves_out_what_is_excused(lake: DbtLake) -> None:
    rows = {row["device_class_code"]: row for row in lake.query("select * from marts.fct_device_class_day")}
    assert rows["camera"]["coverage_pct"] is None
    controllers = rows["controller"]
    assert (controllers["device_count"], controllers["live_count"], controllers["coverage_pct"]) == (
        2,
        1,
        50.0,
    )


def test_coverage_by_area_names_areas_that_the_tags_never_reach(lake: DbtLake) -> None:
    rows = {row["area_id"]: row for row in lake.query("select * from marts.fct_area_day")}
    tank_farm = rows["tank_farm"]
    assert (tank_farm["tag_count"], tank_farm["live_tag_count"], tank_farm["coverage_pct"]) == (2, 1, 50.0)
    assert rows["loading"]["tag_count"] == 0
    silent = {row["area_id"] for row in lake.query("select area_id from ops.ops_silent_areas")}
    assert silent == {"packing", "loading", "utilities", "environment_station"}


def test_every_problem_of_a_device_is_named(lake: DbtLake) -> None:
    rows = lake.query("select device_id, problem_code from ops.ops_device_problems")
    found = {(row["device_id"], row["problem_code"]) for row in rows}
    assert {
        ("T102-PRESSURE", "no_path"),
        ("X-TAG", "unknown_tag"),
        ("T101-TEMP", "no_live_data"),
        ("X-NET", "unknown_area"),
        ("X-NET", "no_segment"),
    } <= found
    assert not [pair for pair in found if pair[0] in ("R301-PSV", "T101-LEVEL", "CAM-TANK01", "DCS-AP01")]


def test_coverage_by_technology_counts_the_devices_no_segment_reaches(lake: DbtLake) -> None:
    rows = lake.query("select * from marts.fct_network_coverage where area_id = 'loading'")
    assert [(row["technology_code"], row["device_count"], row["device_share_pct"]) for row in rows] == [
        ("none", 1, 100.0)
    ]
    packing = lake.query("select * from marts.fct_network_coverage where area_id = 'packing'")
    assert {row["technology_code"] for row in packing} == {"wireless_ethernet", "optical_fibre"}


def test_a_link_out_of_the_control_zone_lists_the_certificates_that_cover_it(lake: DbtLake) -> None:
    rows = lake.query("select * from marts.dim_network_link where is_zone_crossing order by 1, 2")
    found = [(row["link_id"], row["certificate_no"], row["certificate_to_date"]) for row in rows]
    assert found == [
        ("L-PACK-VENDOR", None, None),
        ("L-RING-PLAT", "REF-0402-2023-0117", date(2025, 5, 16)),
        ("L-RING-PLAT", "REF-CCRC-2025-SP-0238", date(2030, 5, 16)),
    ]


def test_a_failover_is_a_session_with_its_outage_and_what_it_lost(lake: DbtLake) -> None:
    first, second = lake.query("select * from marts.fct_source_session order by began_at_utc")
    assert (first["is_failover"], first["outage_s"], first["is_running"]) == (True, 9.0, False)
    assert (first["lost_gap_count"], first["lost_tag_s"]) == (1, 9.0)
    assert first["end_detail"] == "opc.tcp://a ServiceLevel 0"
    assert (second["server_url"], second["is_running"], second["is_failover"]) == ("opc.tcp://b", True, False)


def test_a_gap_told_as_filled_is_no_longer_open(lake: DbtLake) -> None:
    rows = lake.query("select tag_id, is_open, missing_s from marts.fct_collection_gap order by tag_id")
    assert [(row["tag_id"], row["is_open"], row["missing_s"]) for row in rows] == [
        ("T101.LEVEL", False, 9.0),
        ("T101.TEMP", True, 9.0),
    ]
    (row,) = lake.query("select * from ops.ops_open_gaps")
    assert (row["reason_code"], row["gap_count"], row["missing_s"]) == ("notifications_lost", 1, 9.0)


def test_what_a_camera_saw_is_linked_by_camera_and_time_and_no_execution_event(lake: DbtLake) -> None:
    (row,) = lake.query("select * from marts.fct_video_event")
    assert (row["camera_id"], row["area_id"], row["event_at_utc"]) == ("CAM-TANK01", "tank_farm", AT)
    assert row["video_link"].endswith("CAM-TANK01/20261116T120000")
    (step,) = lake.query("select system_id, event_type_code, area_id from marts.fct_execution_event")
    assert tuple(step.values()) == ("iot_main", "charging", "workshop")


def occurrences(lake: DbtLake, condition: str) -> list[Row]:
    sql = "select * from marts.fct_alarm_occurrence where condition_id = ? order by branch_id, raised_at_utc"
    return lake.query(sql, condition)


def test_an_alarm_is_one_life_from_raise_to_close_with_who_acted(lake: DbtLake) -> None:
    (life,) = occurrences(lake, "A")
    assert (life["raised_at_utc"], life["raised_date"]) == (AT, DAY)
    assert (life["acknowledged_by"], life["acknowledged_after_s"]) == ("li", 30.0)
    assert life["acknowledged_comment"] == "去看 / looking"
    assert (life["confirmed_by"], life["confirmed_after_s"]) == ("wang", 900.0)
    assert (life["active_s"], life["end_known_by_code"], life["is_active"]) == (700.0, "notification", False)
    assert life["closed_at_utc"] == AT + timedelta(seconds=900)
    assert (life["shelving_count"], life["shelved_s"], life["outermost_limit_state"]) == (1, 600.0, "High")
    (shelf,) = lake.query("select * from marts.fct_alarm_suppression where suppression_code = 'shelved'")
    assert (shelf["lasted_s"], shelf["is_alarm_hidden"]) == (600.0, True)


def test_an_end_that_only_a_refresh_told_is_marked(lake: DbtLake) -> None:
    (life,) = occurrences(lake, "B")
    assert (life["is_active"], life["is_unacknowledged"], life["end_known_by_code"]) == (
        False,
        False,
        "absence",
    )
    assert (life["acknowledged_at_utc"], life["cleared_at_utc"]) == (None, AT + timedelta(seconds=5000))


def test_an_alarm_found_by_a_refresh_began_when_the_server_says_and_its_branch_has_a_life(
    lake: DbtLake,
) -> None:
    present, branch = occurrences(lake, "C")
    assert (present["raise_known_by_code"], present["is_active"]) == ("refresh", True)
    assert present["raised_at_utc"] == AT + timedelta(seconds=4000)
    assert (branch["branch_id"], branch["acknowledged_by"], branch["is_active"]) == ("i=7", "li", False)


def test_alarms_that_an_older_collector_told_have_a_life_too(lake: DbtLake) -> None:
    (life,) = occurrences(lake, "E")
    assert (life["acknowledged_after_s"], life["active_s"], life["is_unacknowledged"]) == (10.0, 20.0, False)
    assert occurrences(lake, "(plain)") == []


def test_a_day_counts_what_was_raised_stands_chatters_and_was_kept_from_the_operator(lake: DbtLake) -> None:
    assert [life["is_chattering"] for life in occurrences(lake, "D")] == [False, False, True]
    (day,) = lake.query("select * from marts.fct_alarm_day")
    expected = {
        "plant_date": DAY,
        "raised_count": 7,
        "annunciated_count": 6,
        "raised_high_count": 3,
        "raised_medium_count": 4,
        "raised_low_count": 0,
        "peak_ten_minute_count": 5,
        "flood_ten_minute_count": 0,
        "chattering_count": 1,
        "standing_count": 1,
        "stale_count": 0,
        "shelved_count": 1,
        "suppressed_count": 1,
        "out_of_service_count": 0,
        "end_unseen_count": 1,
    }
    assert {name: day[name] for name in expected} == expected
