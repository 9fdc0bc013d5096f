"""Landing: segments become raw rows exactly once, whatever the gateway and the machine do."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from ingestion import landing_commit, landing_state
from ingestion.landing import Landing, LandingSpec, land_once, run_landing
from lake import tables
from lake.findings import open_findings
from lake.heartbeats import heartbeats
from lake.layout import LakePaths
from lake.leases import hold_lease
from lake.migrations import migrate
from lake.state import open_state, utc_text
from lake.state_tables import gaps, latest_values, streams
from protocols.points import ALARMS_1
from tests.fakes.landing_segments import (
    KEY,
    START,
    alarm,
    minute_points,
    points,
    seal,
    seal_older,
    tag_table,
)

POINTS = "opcua_a.points"


@dataclass(frozen=True)
class FixedClock:
    """Plant time stands, so that what is recent is known."""

    at: datetime = START + timedelta(minutes=30)
    speed: float = 1.0

    def now(self) -> datetime:
        return self.at

    def real_seconds(self, plant_seconds: float) -> float:
        return plant_seconds


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[LandingSpec]:
    lake = LakePaths(tmp_path / "var")
    migrate(lake.state_url)
    clock = FixedClock()
    state = open_state(lake.state_url, clock.now)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    yield LandingSpec(inbox, KEY.public_key(), lake, state, clock, ZoneInfo("Asia/Shanghai"), gap_wait_s=0.0)
    state.close()


def landed_sequences(spec: LandingSpec, stream: str = POINTS) -> list[int]:
    """The segment number of each raw row, sorted, so that a doubled or lost row shows."""
    path = landing_commit.raw_table(spec.lake, stream)
    return sorted(tables.read(path, columns=["_sequence"]).column(0).to_pylist())


def stream_row(spec: LandingSpec) -> tuple[int, int]:
    """Position and counted rows of the points stream."""
    with spec.state.read() as connection:
        row = connection.execute(select(streams).where(streams.c.stream == POINTS)).one()
    return row.last_sequence, row.rows_total


def test_ready_segments_of_a_stream_become_one_commit_and_leave_the_inbox(spec: LandingSpec) -> None:
    for number in (1, 2, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    report = land_once(spec)
    assert [(landed.first_sequence, landed.last_sequence, landed.rows) for landed in report.landed] == [
        (1, 3, 9)
    ]
    assert landed_sequences(spec) == [1] * 3 + [2] * 3 + [3] * 3
    assert tables.transaction_version(landing_commit.raw_table(spec.lake, POINTS), POINTS) == 3
    assert stream_row(spec) == (3, 9)
    assert list(spec.inbox.rglob("*.json")) == []


def test_raw_rows_are_the_wire_rows_dated_in_the_plant_zone(spec: LandingSpec) -> None:
    sent = points([("T1", START, 1.5, 0), ("T1", START + timedelta(hours=2), None, 0x808C0000)])
    seal(spec.inbox, POINTS, 1, sent)
    land_once(spec)
    stored = tables.read(landing_commit.raw_table(spec.lake, POINTS)).sort_by("source_at_utc")
    assert stored.select(sent.column_names).to_pylist() == sent.to_pylist()
    assert stored.column("source_date").to_pylist() == [date(2026, 11, 16), date(2026, 11, 17)]
    assert set(stored.column("_ingested_at_utc").to_pylist()) == {spec.clock.now()}


@pytest.mark.parametrize("moved", [timedelta(0), timedelta(hours=-1), timedelta(microseconds=1)])
def test_rows_landed_later_are_newer_though_the_clock_stands_or_goes_back(
    spec: LandingSpec, moved: timedelta
) -> None:
    at = START + timedelta(minutes=30, microseconds=123_999)  # statistics know no microseconds
    for number, now in enumerate((at, at + moved, at + 2 * moved), start=1):
        seal(spec.inbox, POINTS, number, minute_points(number))
        land_once(replace(spec, clock=FixedClock(now)))
    rows = tables.read(spec.lake.table("raw", "raw_opcua_a__points")).to_pylist()
    stamps = {(row["_sequence"], row["_ingested_at_utc"]) for row in rows}
    first, second, third = (stamp for _, stamp in sorted(stamps))
    assert at == first < second < third
    assert third - at <= timedelta(milliseconds=3)


def test_alarms_and_tags_have_tables_of_their_own(spec: LandingSpec) -> None:
    seal(spec.inbox, "opcua_a.alarms", 1, alarm(1))
    seal(spec.inbox, "opcua_a.tags", 1, tag_table({"T1": ("kPa", "kPa", 0, 1)}))
    land_once(spec)
    assert spec.lake.tables("raw") == ["raw_opcua_a__alarms", "raw_opcua_a__tags"]
    assert landed_sequences(spec, "opcua_a.alarms") == [1]


def test_alarms_of_an_older_collector_land_beside_those_of_a_newer_one(spec: LandingSpec) -> None:
    seal_older(spec.inbox, "opcua_a.alarms", 1, alarm(1).select(ALARMS_1.names))
    land_once(spec)
    told = alarm(2).set_column(alarm(2).column_names.index("is_confirmed"), "is_confirmed", pa.array([False]))
    seal(spec.inbox, "opcua_a.alarms", 2, told)
    report = land_once(spec)
    assert report.quarantined == 0
    rows = tables.read(landing_commit.raw_table(spec.lake, "opcua_a.alarms"))
    found = {row["event_id"]: row["is_confirmed"] for row in rows.to_pylist()}
    assert found == {"00000001": None, "00000002": False}


def test_a_segment_the_gateway_repeats_is_landed_once(spec: LandingSpec) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(1))
    land_once(spec)
    seal(spec.inbox, POINTS, 1, minute_points(1))
    assert land_once(spec).landed == []
    assert landed_sequences(spec) == [1] * 3


def test_a_missing_number_is_a_gap_until_its_refill_lands(spec: LandingSpec) -> None:
    for number in (1, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    assert land_once(spec).gaps == 1
    with spec.state.read() as connection:
        assert landing_state.open_gaps(connection) == {POINTS: {2}}
    assert stream_row(spec) == (3, 6)
    seal(spec.inbox, POINTS, 2, minute_points(2))
    (landed,) = land_once(spec).landed
    assert (landed.is_refill, landed.was_repeat) == (True, False)
    assert landed_sequences(spec) == [1] * 3 + [2] * 3 + [3] * 3
    assert stream_row(spec) == (3, 9)
    with spec.state.read() as connection:
        assert landing_state.open_gaps(connection) == {}
        assert connection.execute(select(gaps.c.refilled_at_utc)).scalar_one() is not None
    seal(spec.inbox, POINTS, 2, minute_points(2))
    land_once(spec)
    assert landed_sequences(spec) == [1] * 3 + [2] * 3 + [3] * 3


@pytest.mark.parametrize("step", ["_append", "_note"])
def test_a_crash_before_or_after_the_delta_commit_is_made_good(
    spec: LandingSpec, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for number in (1, 2):
        seal(spec.inbox, POINTS, number, minute_points(number))
    with monkeypatch.context() as patch:
        patch.setattr(landing_commit, step, lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            land_once(spec)
    seal(spec.inbox, POINTS, 3, minute_points(3))
    land_once(spec)
    assert landed_sequences(spec) == [1] * 3 + [2] * 3 + [3] * 3
    assert stream_row(spec) == (3, 9)


def test_a_late_number_is_not_lost_when_later_ones_were_committed_and_the_position_not_moved(
    spec: LandingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    with monkeypatch.context() as patch:
        patch.setattr(landing_commit, "_note", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            land_once(spec)
    seal(spec.inbox, POINTS, 2, minute_points(2))
    land_once(spec)
    assert landed_sequences(spec) == [1] * 3 + [2] * 3 + [3] * 3
    assert stream_row(spec) == (3, 9)


def test_a_refill_landed_before_later_numbers_and_repeated_is_not_doubled(
    spec: LandingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    with monkeypatch.context() as patch:  # killed after the gap was recorded, before any commit
        patch.setattr(landing_commit, "_append", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            land_once(spec)
    third = spec.inbox / POINTS / "000000000003.json"
    held_back = [shutil.move(file, spec.inbox.parent) for file in (third, third.with_suffix(".parquet"))]
    for _ in range(2):
        seal(spec.inbox, POINTS, 2, minute_points(2))
        land_once(spec)
    for file in held_back:
        shutil.move(file, spec.inbox / POINTS)
    land_once(spec)
    assert landed_sequences(spec) == [1] * 3 + [2] * 3 + [3] * 3
    assert stream_row(spec) == (3, 9)


def test_a_lost_state_store_takes_its_position_from_the_table(spec: LandingSpec) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(1))
    land_once(spec)
    with spec.state.begin() as connection:
        connection.execute(streams.delete())
    for number in (1, 2):
        seal(spec.inbox, POINTS, number, minute_points(number))
    assert land_once(spec).gaps == 0
    assert landed_sequences(spec) == [1] * 3 + [2] * 3


def test_a_restored_state_store_takes_what_landed_since_for_no_gap(spec: LandingSpec) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(1))
    land_once(spec)
    with spec.state.read() as connection:
        backup = connection.execute(select(streams)).mappings().one()
    for number in (2, 3, 5):
        seal(spec.inbox, POINTS, number, minute_points(number))
    assert land_once(spec).gaps == 1
    with spec.state.begin() as connection:
        connection.execute(gaps.delete())
        connection.execute(streams.update().values(**backup))
    seal(spec.inbox, POINTS, 6, minute_points(6))
    assert land_once(spec).gaps == 1
    with spec.state.read() as connection:
        assert landing_state.open_gaps(connection) == {POINTS: {4}}
    for number in range(1, 7):  # an operator has everything sent again
        seal(spec.inbox, POINTS, number, minute_points(number))
    land_once(spec)
    assert landed_sequences(spec) == [number for number in range(1, 7) for _ in range(3)]


def test_a_collector_that_lost_its_numbers_is_one_finding_until_the_stream_goes_on(spec: LandingSpec) -> None:
    for number in (1, 2, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    land_once(spec)
    with spec.state.begin() as connection:
        landed_long_ago = utc_text(START - timedelta(days=1))
        connection.execute(streams.update().values(last_arrived_at_utc=landed_long_ago))
    for number in (1, 2):
        seal(spec.inbox, POINTS, number, minute_points(number + 9))
    assert land_once(spec).quarantined == 2
    with spec.state.read() as connection:
        (finding,) = open_findings(connection)
    assert finding["subject"] == POINTS
    assert "begins anew" in finding["cause_en"]
    seal(spec.inbox, POINTS, 4, minute_points(4))
    land_once(spec)
    with spec.state.read() as connection:
        assert open_findings(connection) == []


def test_a_changed_file_is_quarantined_with_a_finding_that_closes_when_it_comes_whole(
    spec: LandingSpec,
) -> None:
    manifest = seal(spec.inbox, POINTS, 1, minute_points(1))
    manifest.with_suffix(".parquet").write_bytes(b"something else")
    seal(spec.inbox, POINTS, 2, minute_points(2))
    report = land_once(spec)
    assert (report.quarantined, report.gaps) == (1, 1)
    with spec.state.read() as connection:
        (finding,) = open_findings(connection)
    assert finding["subject"] == f"{POINTS}/000000000001.json"
    assert "SHA-256" in finding["cause_en"]
    seal(spec.inbox, POINTS, 1, minute_points(1))
    land_once(spec)
    with spec.state.read() as connection:
        assert open_findings(connection) == []
    assert landed_sequences(spec) == [1] * 3 + [2] * 3


def test_a_signed_segment_of_another_schema_is_quarantined_and_the_stream_goes_on(
    spec: LandingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode_otherwise(table: object, _kind: str) -> bytes:
        file = spec.inbox.parent / "odd.parquet"
        pq.write_table(minute_points(1).drop_columns(["status_code"]), file)
        return file.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr("protocols.segments._encode", encode_otherwise)
        seal(spec.inbox, POINTS, 1, minute_points(1))
    seal(spec.inbox, POINTS, 2, minute_points(2))
    land_once(spec)
    land_once(spec)
    assert landed_sequences(spec) == [2] * 3
    with spec.state.read() as connection:
        (finding,) = open_findings(connection)
        assert landing_state.open_gaps(connection) == {POINTS: {1}}
    assert "columns" in finding["cause_en"]


def test_latest_values_only_move_forward(spec: LandingSpec) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(5, tags=2))
    land_once(spec)
    seal(spec.inbox, POINTS, 2, minute_points(4, tags=3))  # history that comes after the live values
    land_once(spec)
    with spec.state.read() as connection:
        found = connection.execute(select(latest_values).order_by(latest_values.c.tag_id)).all()
    assert [(row.tag_id, row.value_number) for row in found] == [("T0", 500.0), ("T1", 501.0), ("T2", 402.0)]


def test_points_are_gathered_before_a_commit_and_alarms_are_not(spec: LandingSpec) -> None:
    landing = Landing(replace(spec, commit_every_s=0.2))
    seal(spec.inbox, POINTS, 1, minute_points(1))
    seal(spec.inbox, "opcua_a.alarms", 1, alarm(1))
    assert [landed.stream for landed in landing.look().landed] == ["opcua_a.alarms"]
    seal(spec.inbox, POINTS, 2, minute_points(2))
    time.sleep(0.25)
    (landed,) = landing.look().landed
    assert (landed.first_sequence, landed.last_sequence) == (1, 2)


def test_a_full_batch_does_not_wait_and_the_rest_follows(spec: LandingSpec) -> None:
    landing = Landing(replace(spec, commit_every_s=3600, commit_rows=7))
    for number in (1, 2, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    assert [landed.last_sequence for landed in landing.look().landed] == [2]
    assert landing.look().landed == []
    assert [landed.last_sequence for landed in landing.look(commit_all=True).landed] == [3]


def test_a_stream_held_by_another_process_is_left_to_it(spec: LandingSpec) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(1))
    with hold_lease(spec.lake.leases, f"land.{POINTS}"):
        report = Landing(spec).look(commit_all=True)
    assert (report.landed, report.held_elsewhere) == ([], [POINTS])
    land_once(spec)
    assert landed_sequences(spec) == [1] * 3


def test_a_segment_another_process_landed_meanwhile_is_left_alone(
    spec: LandingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(1))
    landing = Landing(spec)
    arrivals = landing._arrivals()
    land_once(spec)
    monkeypatch.setattr(landing, "_arrivals", lambda: arrivals)
    report = landing.look(commit_all=True)
    assert (report.landed, report.quarantined) == ([], 0)
    assert landed_sequences(spec) == [1] * 3


def test_the_loop_lands_beats_and_commits_what_is_gathered_when_told_to_stop(spec: LandingSpec) -> None:
    stop = threading.Event()
    loop = threading.Thread(target=run_landing, args=(replace(spec, commit_every_s=3600, poll_s=0.02), stop))
    loop.start()
    seal(spec.inbox, POINTS, 1, minute_points(1))
    time.sleep(0.3)
    assert not tables.exists(landing_commit.raw_table(spec.lake, POINTS))
    stop.set()
    loop.join(timeout=10)
    assert landed_sequences(spec) == [1] * 3
    with spec.state.read() as connection:
        assert [heartbeat.process for heartbeat in heartbeats(connection)] == ["land"]
