"""Doctor and the findings' look on gateway links, and the receiver's key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion import landing_state
from ingestion.gateway.links import note_heartbeat
from ingestion.gateway.receiver import Gap
from lake.migrations import migrate
from lake.state import StateStore, open_state
from orchestration.doctor.flow import _links
from orchestration.findings import open_gaps, silent_links
from protocols.heartbeat import Heartbeat, StreamSent


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    opened = open_state(url, lambda: datetime.now(UTC))
    yield opened
    opened.close()


def hear(state: StateStore, collector_id: str, ago: timedelta) -> None:
    at = datetime.now(UTC) - ago
    streams = {"opcua_a.points": StreamSent(1, 9, ((4, 6),))}
    beat = Heartbeat(collector_id, "udp", 1, at.isoformat(), 5.0, 3, streams)
    with state.begin() as connection:
        note_heartbeat(connection, beat, arrived_at=at)


def test_doctor_tells_a_link_that_is_heard_from_a_silent_one(state: StateStore) -> None:
    hear(state, "heard", timedelta(seconds=2))
    hear(state, "silent", timedelta(minutes=10))
    found = {each.subject: each for each in _links(state)}
    assert (found["gateway heard"].level, found["gateway silent"].level) == ("ok", "error")
    assert "待补传 3 段" in found["gateway heard"].found_zh
    assert "10 min" in found["gateway silent"].found_en
    assert found["gateway silent"].remedy_zh
    (finding,) = silent_links(None, state)  # type: ignore[arg-type]
    assert (finding.subject, finding.severity) == ("silent", "error")


def test_a_number_still_to_be_sent_is_no_lost_one(state: StateStore) -> None:
    hear(state, "heard", timedelta())
    missing = [Gap("opcua_a.points", number) for number in (4, 5, 6, 8)]
    with state.begin() as connection:
        landing_state.record_gaps(connection, missing, now=datetime.now(UTC))
    (finding,) = open_gaps(None, state)  # type: ignore[arg-type]
    assert "misses 1 segments: 8" in finding.cause_en
