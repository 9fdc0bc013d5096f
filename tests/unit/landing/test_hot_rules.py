"""Stream observations: the newest values at each minute, marked as HJ 212 asks, once."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from ingestion.hot_rules import HotRules, Observation, Timing, store_observations, tag_rules
from ingestion.landing_state import update_latest_values
from ingestion.outlet_moments import FactorValue, Sample, TagRule, observe
from ingestion.outlets import Outlet, OutletPoint, outlets_of, read_outlets
from lake.migrations import migrate
from lake.state import StateStore, open_state
from lake.state_tables import stream_observations
from tests.fakes.landing_segments import points, tag_table

SYSTEM = "opcua_a"
AT = datetime(2026, 11, 16, 17, 30, tzinfo=UTC)
GOOD, BAD_SENSOR, OUT_OF_SERVICE = 0, 0x808C0000, 0x808D0000
LATE = timedelta(minutes=5)


def point(factor_code: str, tag_id: str, *, is_wet: bool = False, is_actual: bool = False) -> OutletPoint:
    return OutletPoint(factor_code, SYSTEM, tag_id, is_wet, is_actual)


STACK = Outlet(
    outlet_id="DA001",
    reference_o2_pct=3.5,
    stack_area_m2=0.5,
    velocity_coefficient=1.0,
    points=(
        point("a21002", "NOX"),
        point("a34013", "PM", is_wet=True, is_actual=True),
        point("a19001", "O2"),
        point("a01011", "VELOCITY"),
        point("a01012", "TEMP"),
        point("a01013", "PRESSURE"),
        point("a01014", "MOISTURE"),
        point("a01006", "BARO"),
        point("i12001", "STATE"),
    ),
)
RULES = tag_rules(
    SYSTEM,
    tag_table(
        {
            "NOX": ("mg/m3", "mg/m3", 0, 300),
            "PM": ("mg/m3", "mg/m3", 0, 30),
            "O2": ("%", None, 0, 25),
            "VELOCITY": ("m/s", None, 0, 40),
            "TEMP": ("°C", "°C", 0, 300),
            "PRESSURE": ("Pa", "Pa", -5000, 5000),
            "MOISTURE": ("%", None, 0, 40),
            "BARO": ("Pa", "Pa", 80000, 110000),
        }
    ),
)
VALUES = {
    "NOX": 80.0,
    "PM": 5.0,
    "O2": 6.0,
    "VELOCITY": 10.0,
    "TEMP": 120.0,
    "PRESSURE": -500.0,
    "MOISTURE": 10.0,
    "BARO": 101_325.0,
    "STATE": 0.0,
}


def samples(**changed: Sample | None) -> dict[tuple[str, str], Sample]:
    """Good samples of a second ago, but for those named; none leaves a tag out."""
    found = {tag: Sample(AT - timedelta(seconds=1), value, GOOD) for tag, value in VALUES.items()}
    kept = {**found, **changed}
    return {(SYSTEM, tag): sample for tag, sample in kept.items() if sample is not None}


def observed(
    rules: dict[tuple[str, str], TagRule] | None = None, **changed: Sample | None
) -> dict[str, FactorValue]:
    values = observe(STACK, AT, samples(**changed), RULES if rules is None else rules, stale_after=LATE)
    return {value.factor_code: value for value in values}


def test_values_are_corrected_by_the_formulas_of_the_standard() -> None:
    found = observed()
    assert {value.flag for value in found.values()} == {"N"}
    assert found["a21002"].value == 80.0
    assert found["a21002"].converted_value == pytest.approx(80.0 * (21 - 3.5) / (21 - 6.0))
    standard_dry = 5.0 * 101_325 / 100_825 * (273 + 120) / 273 / (1 - 0.10)
    assert found["a34013"].value == pytest.approx(standard_dry)
    assert found["a34013"].converted_value == pytest.approx(standard_dry * 17.5 / 15)
    assert found["a01013"].value == pytest.approx(-0.5)  # the tag says Pa, the factor list kPa
    flow = 0.5 * 10.0 * 273 / (273 + 120) * 100_825 / 101_325 * (1 - 0.10)
    assert found["a00000"].value == pytest.approx(flow)
    assert found["a19001"].converted_value is None


def test_the_instrument_state_and_ambient_conditions_are_used_and_not_told() -> None:
    assert set(observed()) == {"a21002", "a34013", "a19001", "a01011", "a01012", "a01013", "a01014", "a00000"}


@pytest.mark.parametrize(
    ("sample", "flag", "value"),
    [
        (Sample(AT, 80.0, BAD_SENSOR), "D", 80.0),
        (Sample(AT, 80.0, OUT_OF_SERVICE), "F", 80.0),
        (Sample(AT, 400.0, GOOD), "T", 400.0),
        (Sample(AT, None, GOOD), "D", None),
        (Sample(AT, float("nan"), GOOD), "D", None),
        (Sample(AT - LATE - timedelta(seconds=1), 80.0, GOOD), "B", None),
        (None, "B", None),
    ],
    ids=[
        "sensor failure",
        "out of service",
        "above range",
        "no value",
        "not a number",
        "stale",
        "never came",
    ],
)
def test_a_factor_that_is_not_normal_says_why(sample: Sample | None, flag: str, value: float | None) -> None:
    found = observed(NOX=sample)
    assert (found["a21002"].flag, found["a21002"].value) == (flag, value)
    assert found["a01012"].flag == "N"


@pytest.mark.parametrize(("state", "flag"), [(1.0, "M"), (2.0, "D"), (3.0, "C"), (9.0, "F")])
def test_the_instrument_state_marks_every_factor(state: float, flag: str) -> None:
    assert {value.flag for value in observed(STATE=Sample(AT, state, GOOD)).values()} == {flag}


def test_an_unknown_instrument_state_counts_as_no_contact() -> None:
    assert observed(STATE=None)["a21002"].flag == "B"
    assert observed(STATE=Sample(AT, 0.0, BAD_SENSOR))["a21002"].flag == "B"


def test_what_needs_a_missing_condition_is_not_computed_and_not_normal() -> None:
    found = observed(MOISTURE=Sample(AT, 10.0, BAD_SENSOR))
    assert (found["a34013"].value, found["a34013"].converted_value, found["a34013"].flag) == (None, None, "D")
    assert (found["a00000"].value, found["a00000"].flag) == (None, "D")
    assert found["a21002"].flag == "N"


@pytest.mark.parametrize("state", [float("nan"), float("inf")])
def test_an_instrument_state_that_is_no_number_counts_as_unknown(state: float) -> None:
    unknown = observed(STATE=None)
    found = observed(STATE=Sample(AT, state, GOOD))
    assert {code: value.flag for code, value in found.items()} == {
        code: value.flag for code, value in unknown.items()
    }


@pytest.mark.parametrize(
    "conditions",
    [
        {"BARO": 0.0, "PRESSURE": 0.0},
        {"BARO": 101_325.0, "PRESSURE": -101_325.0},
        {"TEMP": -273.0},
        {"MOISTURE": 100.0},
        {"MOISTURE": 130.0},
    ],
    ids=["zeros of a start-up", "vacuum", "absolute zero", "water alone", "more than water"],
)
def test_conditions_no_gas_can_have_compute_nothing_and_stop_nothing(conditions: dict[str, float]) -> None:
    unlimited = {tag: TagRule(rule.unit) for tag, rule in RULES.items()}
    found = observed(unlimited, **{tag: Sample(AT, value, GOOD) for tag, value in conditions.items()})
    assert (found["a34013"].value, found["a34013"].flag) == (None, "D")
    assert (found["a00000"].value, found["a00000"].flag) == (None, "D")
    assert found["a21002"].value == 80.0


@pytest.mark.parametrize("oxygen", [Sample(AT, 20.9, GOOD), Sample(AT, 6.0, BAD_SENSOR), None])
def test_without_usable_oxygen_there_is_no_converted_value(oxygen: Sample | None) -> None:
    found = observed(O2=oxygen)
    assert (found["a21002"].value, found["a21002"].converted_value, found["a21002"].flag) == (80.0, None, "N")


def test_a_unit_that_differs_on_the_server_voids_the_value() -> None:
    rules = RULES | {(SYSTEM, "NOX"): TagRule("mg/m3", "ppm", 0, 300)}
    assert (observed(rules)["a21002"].value, observed(rules)["a21002"].flag) == (None, "D")


def test_a_value_in_an_unknown_unit_is_told_as_little_as_in_the_reports() -> None:
    for rule in (TagRule(None, None, 0, 300), TagRule("furlong", None, 0, 300)):
        found = observed(RULES | {(SYSTEM, "NOX"): rule})["a21002"]
        assert (found.value, found.converted_value, found.flag) == (None, None, "D")


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    return open_state(url, lambda: AT)


PUMP = Outlet("DW001", None, None, 1.0, (point("w00000", "FLOW"),))


def rules_of(now: datetime, *outlets: Outlet) -> HotRules:
    rules = RULES | {(SYSTEM, "FLOW"): TagRule("L/s")}
    return HotRules(outlets or (PUMP,), rules, now=lambda: now, timing=Timing())


def flow(*seconds_and_values: tuple[int, float]) -> object:
    return points([("FLOW", AT + timedelta(seconds=step), value, GOOD) for step, value in seconds_and_values])


def told(observations: list[Observation]) -> list[tuple[int, float | None]]:
    """Seconds after AT and the flow told, of each observation."""
    return [
        (int((found.observed_at_utc - AT).total_seconds()), found.values[0].value) for found in observations
    ]


def test_a_moment_is_told_once_points_reach_it_with_the_newest_value_at_or_before_it() -> None:
    rules = rules_of(AT + timedelta(minutes=3))
    assert told(rules.observe(SYSTEM, flow((1, 1.0), (55, 2.0)))) == []
    assert told(rules.observe(SYSTEM, flow((59, 3.0), (61, 4.0)))) == [(60, 3.0)]
    assert told(rules.observe(SYSTEM, flow((120, 5.0), (130, 6.0)))) == [(120, 5.0)]
    assert told(rules.observe(SYSTEM, flow((120, 5.0), (130, 6.0)))) == []


def test_a_point_exactly_at_the_moment_completes_it_and_is_its_value() -> None:
    assert told(rules_of(AT + timedelta(minutes=3)).observe(SYSTEM, flow((59, 3.0), (60, 4.0)))) == [
        (60, 4.0)
    ]


def test_several_moments_in_one_segment_each_have_their_own_value() -> None:
    rules = rules_of(AT + timedelta(minutes=5))
    batch = flow(*[(step, float(step)) for step in range(1, 200, 7)])
    assert told(rules.observe(SYSTEM, batch)) == [(60, 57.0), (120, 120.0), (180, 176.0)]


def test_points_in_disorder_give_the_same_moments() -> None:
    rules = rules_of(AT + timedelta(minutes=5))
    batch = flow((130, 3.0), (61, 2.0), (1, 1.0))
    assert told(rules.observe(SYSTEM, batch)) == [(60, 1.0), (120, 2.0)]


def test_history_older_than_the_live_window_is_not_real_time_data() -> None:
    rules = rules_of(AT + timedelta(hours=2))
    assert rules.observe(SYSTEM, flow((1, 1.0), (3600, 2.0))) == []
    found = told(rules.observe(SYSTEM, flow((7000, 7.0), (7130, 8.0), (7190, 9.0))))
    assert [moment for moment, _ in found][-2:] == [7080, 7140]
    assert found[-1] == (7140, 8.0)
    assert min(moment for moment, _ in found) > 7200 - 600


def test_a_server_clock_that_runs_ahead_pushes_nothing_past_now() -> None:
    rules = rules_of(AT + timedelta(seconds=90))
    assert told(rules.observe(SYSTEM, flow((30, 1.0), (86_400, 2.0)))) == [(60, 1.0)]
    assert told(rules.observe(SYSTEM, flow((80, 1.5)))) == []


def test_points_of_other_systems_and_tags_tell_nothing() -> None:
    rules = rules_of(AT + timedelta(minutes=5))
    assert rules.observe("opcua_b", flow((1, 1.0), (200, 2.0))) == []


def test_after_a_restart_the_newest_samples_and_the_last_moment_are_known(store: StateStore) -> None:
    now = AT + timedelta(minutes=5)
    first = rules_of(now)
    batch = flow((1, 1.0), (70, 2.0))
    with store.begin() as connection:
        assert store_observations(connection, first.observe(SYSTEM, batch), now=now) == 1
        update_latest_values(connection, SYSTEM, batch)
    second = rules_of(now)
    with store.read() as connection:
        second.recover(connection)
    assert told(second.observe(SYSTEM, flow((125, 3.0)))) == [(120, 2.0)]


def test_a_replay_after_a_kill_stores_nothing_twice_and_changes_nothing(store: StateStore) -> None:
    now = AT + timedelta(minutes=5)
    for batch in (flow((1, 1.0), (70, 2.0)), flow((1, 9.0), (70, 9.0))):
        with store.begin() as connection:
            store_observations(connection, rules_of(now).observe(SYSTEM, batch), now=now)
    with store.read() as connection:
        (row,) = connection.execute(select(stream_observations)).all()
    assert json.loads(row.values_json) == [
        {"factor_code": "w00000", "value": 1.0, "converted_value": None, "flag": "N"}
    ]


def test_a_new_tag_table_changes_the_range_at_once() -> None:
    rules = rules_of(AT + timedelta(minutes=5))
    rules.learn_tags(SYSTEM, tag_table({"FLOW": ("L/s", None, 0, 10)}))
    found = rules.observe(SYSTEM, flow((1, 20.0), (61, 20.0)))
    assert [found[0].values[0].flag for _ in found] == ["T"]


def test_the_register_gives_outlets_with_the_points_valid_on_the_day(tmp_path: Path) -> None:
    outlet = {
        "outlet_id": "DA001",
        "reference_o2_pct": "3.5",
        "stack_area_m2": "",
        "velocity_coefficient": "",
    }
    base = {
        "outlet_id": "DA001",
        "system_id": SYSTEM,
        "moisture_basis_code": "wet",
        "condition_basis_code": "actual",
    }
    rows = [
        {
            **base,
            "factor_code": "a34013",
            "tag_id": "OLD",
            "valid_from": "2025-01-01",
            "valid_to": "2026-01-01",
        },
        {**base, "factor_code": "a34013", "tag_id": "PM", "valid_from": "2026-01-01", "valid_to": ""},
    ]
    expected = (Outlet("DA001", 3.5, None, 1.0, (point("a34013", "PM", is_wet=True, is_actual=True),)),)
    assert outlets_of([outlet], rows, on=date(2026, 1, 1)) == expected
    for name, content in (("outlets.csv", [outlet]), ("outlet_points.csv", rows)):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, content[0].keys())
            writer.writeheader()
            writer.writerows(content)
    assert read_outlets(tmp_path, on=date(2026, 1, 1)) == expected
    assert read_outlets(tmp_path / "none", on=date(2026, 1, 1)) == ()
