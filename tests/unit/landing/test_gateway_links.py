"""What landing makes of heartbeats: the end of a stream missed, a backlog awaited, silence told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from ingestion import landing_commit, landing_state
from ingestion.gateway import links, receiver
from ingestion.gateway.file_drop import FileDrop
from ingestion.gateway.link_state import LinkState
from ingestion.gateway.sender import Beats, Sender
from ingestion.landing import Landing, LandingSpec, land_once
from lake import tables
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import open_state
from lake.state_tables import gateway_links
from protocols.heartbeat import Heartbeat, StreamSent, write_heartbeat
from protocols.number_ranges import NumberRanges
from tests.fakes.landing_segments import KEY, START, minute_points, seal
from tests.unit.landing.test_landing import FixedClock

POINTS = "opcua_a.points"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LandingSpec]:
    monkeypatch.setattr(receiver, "ANNOUNCED_WAIT_S", 0.0)
    lake = LakePaths(tmp_path / "var")
    migrate(lake.state_url)
    clock = FixedClock()
    state = open_state(lake.state_url, clock.now)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    yield LandingSpec(inbox, KEY.public_key(), lake, state, clock, ZoneInfo("Asia/Shanghai"), gap_wait_s=0.0)
    state.close()


def beat(
    spec: LandingSpec,
    last: int,
    *waiting: tuple[int, int],
    number: int = 1,
    at: datetime | None = None,
    key: Ed25519PrivateKey = KEY,
    name: str = "c1",
) -> None:
    sent_at = at or datetime.now(UTC)
    streams = {POINTS: StreamSent(1, last, waiting)}
    found = Heartbeat("c1", "file_drop", number, sent_at.isoformat(), 5.0, 0, streams)
    (spec.inbox / f"heartbeat.{name}.json").write_bytes(write_heartbeat(found, key))


def open_gaps(spec: LandingSpec) -> dict[str, set[int]]:
    with spec.state.read() as connection:
        return landing_state.open_gaps(connection)


def link_row(spec: LandingSpec) -> dict[str, object]:
    with spec.state.read() as connection:
        return dict(connection.execute(select(gateway_links)).mappings().one())


def landed(spec: LandingSpec) -> list[int]:
    path = landing_commit.raw_table(spec.lake, POINTS)
    return sorted(tables.read(path, columns=["_sequence"]).column(0).to_pylist())


def test_the_last_segments_are_missed_when_the_heartbeat_says_they_were_sent(spec: LandingSpec) -> None:
    seal(spec.inbox, POINTS, 1, minute_points(1))
    beat(spec, 3)
    land_once(spec)
    land_once(spec)
    assert open_gaps(spec) == {POINTS: {2, 3}}
    seal(spec.inbox, POINTS, 3, minute_points(3))
    seal(spec.inbox, POINTS, 4, minute_points(4))
    land_once(spec)
    assert open_gaps(spec) == {POINTS: {2}}
    assert landed(spec) == [1] * 3 + [3] * 3 + [4] * 3


def test_a_stream_of_which_nothing_ever_came_is_missed_too(spec: LandingSpec) -> None:
    beat(spec, 2)
    land_once(spec)
    assert open_gaps(spec) == {POINTS: {1, 2}}


def test_what_is_still_to_be_sent_holds_nothing_up_and_comes_in_batches(spec: LandingSpec) -> None:
    patient = Landing(LandingSpec(**{**vars(spec), "gap_wait_s": 3600.0}))
    seal(spec.inbox, POINTS, 1, minute_points(1))
    seal(spec.inbox, POINTS, 40, minute_points(40))
    beat(spec, 40, (2, 39))
    patient.look(commit_all=True)
    assert landed(spec) == [1] * 3 + [40] * 3
    assert len(open_gaps(spec)[POINTS]) == 38
    for number in range(2, 40):
        seal(spec.inbox, POINTS, number, minute_points(number))
    report = patient.look(commit_all=True)
    assert [(one.first_sequence, one.last_sequence, one.is_refill) for one in report.landed] == [
        (2, 39, True)
    ]
    assert landed(spec) == sorted(list(range(1, 41)) * 3)
    assert open_gaps(spec) == {}


def test_refills_killed_between_commit_and_note_are_not_stored_twice(
    spec: LandingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 6):
        seal(spec.inbox, POINTS, number, minute_points(number))
    land_once(spec)
    for number in (2, 3):
        seal(spec.inbox, POINTS, number, minute_points(number))
    with monkeypatch.context() as patch:
        patch.setattr(landing_commit, "_note", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            land_once(spec)
    seal(spec.inbox, POINTS, 4, minute_points(4))  # the next try has one more
    land_once(spec)
    assert landed(spec) == sorted([1, 2, 3, 4, 6] * 3)
    assert open_gaps(spec) == {POINTS: {5}}


def test_a_heartbeat_is_a_row_and_one_played_again_changes_nothing(spec: LandingSpec) -> None:
    beat(spec, 0, number=5, at=datetime.now(UTC) - timedelta(seconds=7))
    land_once(spec)
    row = link_row(spec)
    assert (row["link_id"], row["transport"], row["heartbeat_number"]) == ("c1", "file_drop", 5)
    assert 6.0 < float(str(row["lag_s"])) < 60.0
    beat(spec, 9, number=4)
    land_once(spec)
    assert link_row(spec) == row


@pytest.mark.parametrize("hostile", ["forged", "other place", "junk", "link"])
def test_a_hostile_heartbeat_is_quarantined(spec: LandingSpec, hostile: str) -> None:
    path = spec.inbox / "heartbeat.c1.json"
    if hostile == "forged":
        beat(spec, 1, key=Ed25519PrivateKey.generate())
    elif hostile == "other place":
        beat(spec, 1, name="c2")
    elif hostile == "junk":
        path.write_bytes(b"[" * 300_000)
    else:
        path.symlink_to("/etc/passwd")
    report = land_once(spec)
    assert report.quarantined == 1
    assert list(spec.inbox.glob("heartbeat*")) == []
    with spec.state.read() as connection:
        assert connection.execute(select(gateway_links)).all() == []
        assert len(open_findings(connection, landing_state.QUARANTINED)) == 1


def test_a_silent_link_is_a_finding_in_both_languages_until_it_is_heard(spec: LandingSpec) -> None:
    beat(spec, 0)
    land_once(spec)
    soon, late = datetime.now(UTC) + timedelta(seconds=29), datetime.now(UTC) + timedelta(minutes=5)
    with spec.state.begin() as connection:
        links.refresh_silence(connection, now=START, real_now=soon)
        assert open_findings(connection, links.SILENT) == []
        links.refresh_silence(connection, now=START, real_now=late)
        (finding,) = open_findings(connection, links.SILENT)
        assert "5.0 分钟没有心跳" in finding["cause_zh"]
        assert "for 5.0 min" in finding["cause_en"]
    beat(spec, 0, number=2)
    land_once(spec)
    with spec.state.begin() as connection:
        links.refresh_silence(connection, now=START, real_now=datetime.now(UTC))
        assert open_findings(connection, links.SILENT) == []


def test_the_receiver_counts_into_the_same_row(spec: LandingSpec) -> None:
    beat(spec, 0)
    land_once(spec)
    state = LinkState("c1", streams={POINTS: NumberRanges([(1, 2), (5, 5)])})
    state.heartbeat = Heartbeat(
        "c1", "udp", 1, START.isoformat(), 1.0, 0, {POINTS: StreamSent(1, 6, ((6, 6),))}
    )
    state.counts.symbols_sent, state.counts.symbols_received = 200, 190
    with spec.state.begin() as connection:
        links.note_counts(connection, state, datagrams_refused=3)
    row = link_row(spec)
    assert (row["loss_rate"], row["segments_missing"], row["datagrams_refused"]) == (0.05, 2, 3)
    assert json.loads(str(row["missing_json"])) == {POINTS: [[3, 4]]}
    assert row["heartbeat_number"] == 1


def test_the_file_drop_beats_in_place(tmp_path: Path) -> None:
    seal(tmp_path / "state" / "opcua_a", POINTS, 1, minute_points(1))
    sender = Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), 1.0, beats=Beats("c1", KEY, 0.0))
    assert [sender.send_once(), sender.send_once()] == [1, 0]
    assert [path.name for path in (tmp_path / "drop").glob("*.json")] == ["heartbeat.c1.json"]
