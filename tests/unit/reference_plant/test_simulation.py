"""The simulated plant is a pure function: same bits for any window, in any process, in any order."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from protocols.opcua_time import TICKS_PER_SECOND, to_ticks
from reference_plant.plant import scenarios
from reference_plant.plant.alarms import active_events, alarm_events, alarm_rows
from reference_plant.plant.batches import PhaseCode, batch
from reference_plant.plant.context import Context
from reference_plant.plant.demand import POWER
from reference_plant.plant.simulation import BLOCK_TICKS, SIGNALS, TRUTH, Plant
from reference_plant.plant.tags import read_tags

ZONE = ZoneInfo("Asia/Shanghai")
MEASURED_LIMITS = {  # of registers/outlet_limits.csv; of stacks a fifth less, for the oxygen conversion
    "DA001.SO2": 40,
    "DA001.NOX": 120,
    "DA001.PM": 16,
    "DA002.NMHC": 70,
    "DW001.COD": 60,
    "DW001.NH3N": 8,
    "DW001.TN": 40,
    "DW001.TP": 1,
    "DW001.PH": 9,
    "YS001.PH": 9,
}
TAGS = Path(__file__).parents[3] / "reference_plant" / "site" / "tags"
START = datetime(2026, 11, 16, tzinfo=ZONE).astimezone(UTC)
LIVE = datetime(2026, 11, 17, 1, 30, tzinfo=ZONE).astimezone(UTC)
UNTIL = LIVE + timedelta(hours=1, minutes=45)


def make_plant(seed: int = 20261116) -> Plant:
    systems = {path.stem: read_tags(path) for path in sorted(TAGS.glob("*.csv"))}
    return Plant(seed, ZONE, scenarios.defaults(ZONE, START, LIVE, UNTIL), systems)


@pytest.fixture(scope="module")
def plant() -> Plant:
    return make_plant()


def local(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 16, hour, minute, tzinfo=ZONE).astimezone(UTC)


def samples(plant: Plant, tag_id: str, start: datetime, end: datetime) -> pa.Table:
    return plant.produced([tag_id], start, end)


def test_every_tag_of_the_tables_has_a_signal_and_every_signal_a_tag(plant: Plant) -> None:
    assert set(plant.tags) == set(SIGNALS)


def test_another_plant_asked_in_another_order_gives_the_same_bits(plant: Plant) -> None:
    other = make_plant()
    for tag_id in sorted(other.tags, reverse=True):
        other.produced([tag_id], LIVE, LIVE + timedelta(minutes=3))
    assert other.produced(list(other.tags), START, START + timedelta(hours=2)).equals(
        plant.produced(list(plant.tags), START, START + timedelta(hours=2))
    )


def test_another_process_gives_the_same_bits(plant: Plant) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/unit/reference_plant'); import test_simulation as t, hashlib;"
        "s = t.make_plant().series('DA001.NOX', t.to_ticks(t.START), t.to_ticks(t.UNTIL));"
        "print(hashlib.sha256(s.values.tobytes() + s.ticks.tobytes()).hexdigest())"
    )
    series = plant.series("DA001.NOX", to_ticks(START), to_ticks(UNTIL))
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=TAGS.parents[2], capture_output=True, text=True, check=True
    )
    assert (
        found.stdout.strip() == hashlib.sha256(series.values.tobytes() + series.ticks.tobytes()).hexdigest()
    )


def test_another_seed_gives_another_plant(plant: Plant) -> None:
    window = (START, START + timedelta(minutes=10))
    assert not make_plant(1).produced(["DA001.O2"], *window).equals(plant.produced(["DA001.O2"], *window))


def test_a_window_split_anywhere_gives_the_same_rows(plant: Plant) -> None:
    whole = plant.produced(list(plant.tags), local(19), local(21))
    assert whole.schema == TRUTH
    for at in (local(20), local(20, 7) + timedelta(microseconds=123_457), local(20, 40)):
        first = plant.produced(list(plant.tags), local(19), at)
        second = plant.produced(list(plant.tags), at, local(21))
        joined = pa.concat_tables([first, second]).sort_by(
            [("tag_id", "ascending"), ("source_at_utc", "ascending")]
        )
        assert joined.equals(whole.combine_chunks())


def test_values_are_continuous_over_the_boundaries_of_blocks(plant: Plant) -> None:
    boundary = (to_ticks(LIVE) // BLOCK_TICKS) * BLOCK_TICKS
    for tag_id in ("DA001.O2", "DA001.VELOCITY", "R301.TEMP", "T102.LEVEL", "EM.ENERGY", "DW001.FLOW"):
        series = plant.series(tag_id, boundary - BLOCK_TICKS, boundary + BLOCK_TICKS)
        steps = np.abs(np.diff(series.values))
        at = int(np.searchsorted(series.ticks, boundary))
        assert steps[at - 1] <= np.nanpercentile(steps, 99.9)


def test_samples_stand_on_the_grid_with_a_digit_below_the_microsecond(plant: Plant) -> None:
    for tag in plant.tags.values():
        series = plant.series(tag.tag_id, to_ticks(START), to_ticks(START) + 3600 * TICKS_PER_SECOND)
        assert (series.ticks % 10 != 0).all()
        assert set(np.diff(series.ticks) % tag.period_ticks) == {0}
        assert np.diff(series.ticks).max() <= max(tag.period_ticks, 60 * TICKS_PER_SECOND)


def test_meters_never_go_down_and_agree_with_their_rate(plant: Plant) -> None:
    for tag_id in ("EM.ENERGY", "EM.STEAM", "EM.WATER", "EM.GAS"):
        values = plant.series(tag_id, to_ticks(START), to_ticks(UNTIL)).values
        assert (np.diff(values[~np.isnan(values)]) >= 0).all()
    power = plant.series("EM.POWER", to_ticks(START), to_ticks(UNTIL)).values
    energy = plant.series("EM.ENERGY", to_ticks(START), to_ticks(UNTIL)).values
    used = np.nanmean(power) * (UNTIL - START).total_seconds() / 3600
    assert energy[-1] - energy[0] == pytest.approx(used, rel=0.002)


def test_a_meters_rate_is_the_derivative_of_its_reading() -> None:
    context = Context(7, ZONE, (), START, UNTIL)
    t = np.arange(2.17e8, 2.17e8 + 7200, 10.0)
    context = Context(7, ZONE, (), datetime(2026, 11, 14, tzinfo=UTC), datetime(2026, 11, 18, tzinfo=UTC))
    inner = POWER.rate(context, t + 5.0) / 3600
    outer = (POWER.total(context, t + 5.5) - POWER.total(context, t + 4.5)) / 1.0
    assert np.median(np.abs(inner - outer)) < 1e-3


def test_feed_flow_adds_up_to_what_the_batch_records(plant: Plant) -> None:
    one = batch(plant.seed, ZONE, datetime(2026, 11, 16, tzinfo=ZONE).date(), 2)
    charging = one.phase(PhaseCode.CHARGING)
    flow = plant.series("R301.FEED_FLOW", to_ticks(charging.start_utc), to_ticks(charging.end_utc))
    assert np.nansum(flow.values) * 10 / 3600 == pytest.approx(one.methanol_kg + one.ammonia_kg, rel=0.02)


def test_tank_falls_by_what_the_batch_took(plant: Plant) -> None:
    one = batch(plant.seed, ZONE, datetime(2026, 11, 16, tzinfo=ZONE).date(), 3)
    charging = one.phase(PhaseCode.CHARGING)
    level = plant.series("T102.LEVEL", to_ticks(charging.start_utc), to_ticks(charging.end_utc)).values
    assert (level[0] - level[-1]) / 100 * 120_000 == pytest.approx(one.methanol_kg, rel=0.05)


def test_the_reactor_reports_its_phase_and_batch(plant: Plant) -> None:
    one = batch(plant.seed, ZONE, datetime(2026, 11, 16, tzinfo=ZONE).date(), 2)
    reacting = one.phase(PhaseCode.REACTING)
    window = (reacting.start_utc + timedelta(seconds=10), reacting.end_utc)
    assert set(samples(plant, "R301.PHASE", *window)["value_number"].to_pylist()) == {
        float(PhaseCode.REACTING)
    }
    assert set(samples(plant, "R301.BATCH_ID", *window)["value_text"].to_pylist()) == {"B20261116-2"}


def test_a_failed_instrument_has_its_status_no_value_and_its_state(plant: Plant) -> None:
    found = samples(plant, "DA001.PM", local(20), local(20, 40))
    assert found.num_rows == 480
    assert pc.unique(found["status_code"]).to_pylist() == [scenarios.BAD_SENSOR_FAILURE]
    assert found["value_number"].null_count == 480
    assert set(samples(plant, "DA001.STATE", local(20), local(20, 40))["value_number"].to_pylist()) == {2.0}
    assert samples(plant, "DA001.PM", local(20, 40), local(20, 50))["value_number"].null_count == 0


def test_calibration_shows_zero_and_span_gas_every_day(plant: Plant) -> None:
    for day in (0, 1):
        begin = local(3) + timedelta(days=day)
        if begin >= UNTIL:
            continue
        minute = timedelta(minutes=1)
        assert pc.max(samples(plant, "DA001.NOX", begin, begin + minute)["value_number"]).as_py() < 1
        span = samples(plant, "DA001.NOX", begin + 10 * minute, begin + 11 * minute)["value_number"]
        assert pc.mean(span).as_py() == pytest.approx(160, rel=0.02)
        state = samples(plant, "DA001.STATE", begin, begin + 25 * minute)["value_number"]
        assert set(state.to_pylist()) == {3.0}


def test_the_exceedance_is_well_over_every_limit_and_ordinary_days_are_not(plant: Plant) -> None:
    assert pc.min(samples(plant, "DA001.NOX", local(14, 10), local(16, 50))["value_number"]).as_py() > 200
    assert pc.max(samples(plant, "DA001.NOX", local(10), local(13))["value_number"]).as_py() < 42


def test_a_day_without_scenarios_keeps_the_limits_that_the_register_holds() -> None:
    """Except while calibrating: then the analysers show their standards, and are marked so."""
    quiet = Plant(20261116, ZONE, (), make_plant().systems)
    day = (START, START + timedelta(days=1))
    highest = {tag: pc.max(samples(quiet, tag, *day)["value_number"]).as_py() for tag in MEASURED_LIMITS}
    assert {tag: value for tag, value in highest.items() if value >= MEASURED_LIMITS[tag]} == {}


def test_changed_unit_shifts_values_and_keeps_them_good(plant: Plant) -> None:
    before = samples(plant, "T102.TEMP", LIVE - timedelta(minutes=5), LIVE)["value_number"]
    after = samples(plant, "T102.TEMP", LIVE, LIVE + timedelta(minutes=5))
    assert pc.mean(after["value_number"]).as_py() - pc.mean(before).as_py() == pytest.approx(273.15, abs=0.3)
    assert pc.max(after["status_code"]).as_py() == 0


def test_alarms_of_a_window_do_not_depend_on_how_it_is_split(plant: Plant) -> None:
    for system_id in plant.systems:
        whole = alarm_events(plant, system_id, START, UNTIL)
        assert whole
        hours = [START + timedelta(minutes=7 * n) for n in range(234)] + [UNTIL]
        split = [e for a, b in pairwise(hours) for e in alarm_events(plant, system_id, a, b)]
        assert split == whole
        assert len({event.event_id for event in whole}) == len(whole)


def test_a_gas_release_alarms_is_acknowledged_and_ends(plant: Plant) -> None:
    events = [e for e in alarm_events(plant, "opcua_production", LIVE, UNTIL) if e.rule.tag_id == "GD101.NH3"]
    assert [(e.level, e.is_acknowledged, e.is_confirmed, e.act) for e in events] == [
        (1, False, False, ""),
        (1, True, False, "acknowledge"),
        (0, True, False, ""),
        (0, True, True, "confirm"),
    ]
    assert [e.is_retained for e in events] == [True, True, True, False]
    during = LIVE + timedelta(minutes=44)
    assert [e.rule.tag_id for e in active_events(plant, "opcua_production", during, START)] == ["GD101.NH3"]
    rows = alarm_rows(plant, "opcua_production", events)
    assert rows["condition_id"][0].as_py() == "nsu=urn:chemlink:reference:production;s=GD101.NH3.Alarm"
    assert rows["is_active"].to_pylist() == [True, True, False, False]
    assert rows["limit_state"].to_pylist() == ["High", "High", None, None]
    assert rows["client_user_id"].to_pylist() == [None, "operator-1", None, "operator-1"]


def test_an_instrument_out_of_operation_is_shelved_for_a_time(plant: Plant) -> None:
    found = [e for e in alarm_events(plant, "opcua_environment", START, UNTIL) if e.rule.is_shelved]
    lasts = 600 * TICKS_PER_SECOND
    shelvings = [e for e in found if e.act == "shelve" and e.ticks + lasts < to_ticks(UNTIL)]
    assert shelvings
    for shelving in shelvings:
        until = shelving.ticks + lasts
        (over,) = [e for e in found if e.ticks == until and e.rule == shelving.rule]
        assert (shelving.is_shelved, over.is_shelved) == (True, False)
