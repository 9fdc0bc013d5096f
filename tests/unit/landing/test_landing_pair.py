"""What both collectors of a pair collected is landed once; what only one collected is landed all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestion.gateway.links import refresh_silence
from ingestion.landing import LandingSpec, land_once
from lake import tables
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import open_state
from protocols.heartbeat import Heartbeat, PairBeat, StreamSent, write_heartbeat
from tests.fakes.landing_segments import KEY, START, alarm, points, seal
from tests.unit.landing.test_landing import FixedClock

MAIN, SPARE = "opcua_a.points", "opcua_a.points_spare"


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[LandingSpec]:
    lake = LakePaths(tmp_path / "var")
    migrate(lake.state_url)
    clock = FixedClock()
    state = open_state(lake.state_url, clock.now)
    yield LandingSpec(
        tmp_path / "inbox", KEY.public_key(), lake, state, clock, ZoneInfo("Asia/Shanghai"), gap_wait_s=0.0
    )
    state.close()


def sealed(spec: LandingSpec, stream: str, number: int, seconds: range, value: float | None = 1.5) -> None:
    rows = [(tag, START + timedelta(seconds=each), value, 0) for each in seconds for tag in ("T1", "T2")]
    seal(spec.inbox, stream, number, points(rows))


def landed(spec: LandingSpec, kind: str = "points") -> list[tuple[str, int, str]]:
    path = spec.lake.table("raw", f"raw_opcua_a__{kind}")
    return [
        (row["tag_id"], int((row["source_at_utc"] - START).total_seconds()), row["_stream"])
        for row in tables.read(path).to_pylist()
    ]


@pytest.mark.parametrize("value", [1.5, None, float("nan")])
def test_what_both_collected_is_landed_once(spec: LandingSpec, value: float | None) -> None:
    sealed(spec, MAIN, 1, range(10), value)
    land_once(spec)
    sealed(spec, SPARE, 1, range(6, 14), value)
    land_once(spec)
    assert sorted(second for tag, second, _ in landed(spec) if tag == "T1") == list(range(14))
    assert {stream for _, second, stream in landed(spec) if second >= 10} == {SPARE}


def test_another_value_at_the_same_instant_is_no_double(spec: LandingSpec) -> None:
    sealed(spec, MAIN, 1, range(3), 1.0)
    land_once(spec)
    sealed(spec, SPARE, 1, range(3), 2.0)
    land_once(spec)
    assert len(landed(spec)) == 12


def test_a_segment_that_holds_nothing_new_is_landed_and_its_stream_goes_on(spec: LandingSpec) -> None:
    sealed(spec, MAIN, 1, range(5))
    land_once(spec)
    sealed(spec, SPARE, 1, range(5))
    land_once(spec)
    sealed(spec, SPARE, 2, range(5, 6))
    report = land_once(spec)
    assert (report.gaps, len(landed(spec))) == (0, 12)
    assert not list(spec.inbox.rglob("*.parquet"))


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_pieces_and_order_both_streams_come(spec: LandingSpec, seed: int) -> None:
    chance = random.Random(seed)
    numbers = {MAIN: 0, SPARE: 0}
    reached = {MAIN: 0, SPARE: 0}
    while min(reached.values()) < 40:
        stream = chance.choice([MAIN, SPARE])
        size, numbers[stream] = chance.randrange(1, 9), numbers[stream] + 1
        sealed(spec, stream, numbers[stream], range(reached[stream], reached[stream] + size))
        reached[stream] += size
        if chance.random() < 0.5:
            land_once(spec)
    land_once(spec)
    for tag in ("T1", "T2"):
        assert sorted(second for name, second, _ in landed(spec) if name == tag) == list(
            range(max(reached.values()))
        )


def test_a_number_that_comes_late_brings_nothing_twice(spec: LandingSpec) -> None:
    sealed(spec, MAIN, 1, range(3))
    sealed(spec, MAIN, 3, range(6, 9))
    sealed(spec, SPARE, 1, range(2, 8))
    land_once(spec)
    land_once(spec)
    sealed(spec, MAIN, 2, range(3, 6))
    land_once(spec)
    land_once(spec)
    assert sorted(second for tag, second, _ in landed(spec) if tag == "T2") == list(range(9))


def test_an_alarm_that_both_heard_is_landed_once(spec: LandingSpec) -> None:
    for stream in ("opcua_a.alarms", "opcua_a.alarms_spare"):
        seal(spec.inbox, stream, 1, alarm(1))
        land_once(spec)
    assert tables.read(spec.lake.table("raw", "raw_opcua_a__alarms")).num_rows == 1


def test_a_pair_without_redundancy_and_one_where_both_collect_are_findings(spec: LandingSpec) -> None:
    spec.inbox.mkdir()

    def beat(name: str, stream: str, number: int, **pair: bool) -> None:
        told = PairBeat(is_main=name == "c1", epoch=1, **pair)
        now = spec.clock.now().isoformat()
        found = Heartbeat(name, "file_drop", number, now, 5.0, 0, {stream: StreamSent(1, 1)}, told)
        (spec.inbox / f"heartbeat.{name}.json").write_bytes(write_heartbeat(found, KEY))

    def findings() -> set[tuple[str, str]]:
        land_once(spec)
        with spec.state.begin() as connection:
            refresh_silence(connection, now=spec.clock.now(), real_now=datetime.now(UTC))
            return {(row["kind"], row["subject"]) for row in open_findings(connection)}

    beat("c1", MAIN, 1, is_active=True, peer_is_heard=True)
    beat("c2", SPARE, 1, is_active=False, peer_is_heard=True)
    assert findings() == set()
    beat("c1", MAIN, 2, is_active=True, peer_is_heard=False)
    assert findings() == {("collector_no_redundancy", "c1")}
    beat("c2", SPARE, 2, is_active=True, peer_is_heard=False)
    assert ("collectors_both_active", "c1 + c2") in findings()
    beat("c1", MAIN, 3, is_active=True, peer_is_heard=True)
    beat("c2", SPARE, 3, is_active=False, peer_is_heard=True)
    assert findings() == set()
