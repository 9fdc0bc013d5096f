"""Alarm events: rows from fields, each once over restarts and refreshes, and kept when the disk refuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector import sealing
from ingestion.collector.alarm_events import alarm_table, read_event
from ingestion.collector.alarms import Alarms
from ingestion.collector.sealing import Sealer
from ingestion.collector.status import Status
from protocols.clock import ScaledClock, SystemClock
from protocols.opcua_time import to_ticks, with_hundred_ns
from protocols.points import ALARMS
from protocols.segments import manifest_path, read_table, sequences

AT = datetime(2026, 11, 16, 8, 0, 0, 123456, tzinfo=UTC)
NAMESPACES = ("http://opcfoundation.org/UA/", "urn:server", "urn:plant")
TAG_NODE = ua.NodeId("T101.LEVEL", 2)
KEY = Ed25519PrivateKey.generate()


def fields(
    number: int, *, second: int, type_id: int = ua.ObjectIds.ExclusiveLevelAlarmType, **other: Any
) -> list[ua.Variant]:
    values = [
        number.to_bytes(4, "big"),
        ua.NodeId(type_id),
        other.get("source", TAG_NODE),
        "T101.LEVEL",
        with_hundred_ns(AT + timedelta(seconds=second), 7),
        ua.LocalizedText("高 / high"),
        500,
        other.get("condition", ua.NodeId("T101.LEVEL.Alarm", 2)),
        True,
        False,
    ]
    return [ua.Variant(value) for value in values]


def alarms_in(folder: Path) -> Alarms:
    return Alarms(
        Sealer(folder, "plant", KEY, SystemClock()), SystemClock(), Status("plant", "opc.tcp://x"), None
    )


def sealed_ids(folder: Path) -> list[str]:
    stream = "plant.alarms"
    tables = [read_table(manifest_path(folder, stream, number)) for number in sequences(folder, stream)]
    return [event_id for table in tables for event_id in table["event_id"].to_pylist()]


def test_an_event_becomes_a_row_with_uris_and_its_tag() -> None:
    event = read_event(fields(1, second=0), NAMESPACES, {TAG_NODE: "T101.LEVEL"}, to_ticks(AT))
    assert event is not None
    (row,) = alarm_table([event.row]).to_pylist()
    assert alarm_table([event.row]).schema.equals(ALARMS)
    assert row["condition_id"] == "nsu=urn:plant;s=T101.LEVEL.Alarm"
    assert row["event_type"] == "ExclusiveLevelAlarmType"
    assert row["event_id"] == "00000001"
    assert (row["tag_id"], row["severity"], row["is_active"], row["is_acknowledged"]) == (
        "T101.LEVEL",
        500,
        True,
        False,
    )
    assert (row["event_at_utc"], row["event_at_100ns"]) == (AT, 7)


@pytest.mark.parametrize("type_id", [2787, 2788, 2789])
def test_the_brackets_of_a_refresh_are_no_alarms(type_id: int) -> None:
    assert read_event(fields(1, second=0, type_id=type_id), NAMESPACES, {}, 0) is None


def test_a_refresh_or_history_after_a_restart_doubles_no_event(tmp_path: Path) -> None:
    async def session(*events: list[ua.Variant]) -> None:
        alarms = alarms_in(tmp_path)
        alarms.take(list(events))
        await alarms.seal()

    first, second = fields(1, second=0), fields(2, second=5)
    other = fields(3, second=1, condition=ua.NodeId("other", 2))
    asyncio.run(session(first, second, second))
    asyncio.run(session(first, second, other))
    assert sealed_ids(tmp_path) == ["00000001", "00000002", "00000003"]


def test_two_events_of_one_source_and_instant_are_both_kept(tmp_path: Path) -> None:
    async def session(*events: list[ua.Variant]) -> None:
        alarms = alarms_in(tmp_path)
        alarms.take(list(events))
        await alarms.seal()
        alarms.take(list(events))  # a refresh, or history
        await alarms.seal()

    raised, acknowledged = fields(1, second=0), fields(2, second=0)
    asyncio.run(session(raised, acknowledged))
    asyncio.run(session(raised, acknowledged, fields(3, second=1)))
    assert sealed_ids(tmp_path) == ["00000001", "00000002", "00000003"]


def test_an_event_dated_far_ahead_shuts_out_no_later_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        status = Status("plant", "opc.tcp://x")
        sealer = Sealer(tmp_path, "plant", KEY, SystemClock())
        alarms = Alarms(sealer, ScaledClock(AT, AT, speed=1.0), status, None)
        ahead = fields(1, second=0)
        ahead[4] = ua.Variant(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        alarms.take([ahead])
        assert "9999" in status.failed_tags["(events)"]["clock"]
        alarms.take([fields(2, second=5)])
        assert status.failed_tags == {}
        await alarms.seal()

    asyncio.run(scenario())
    assert sealed_ids(tmp_path) == ["00000002"]


def test_events_the_disk_refused_are_sealed_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise OSError(28, "No space left on device")

    async def scenario() -> None:
        alarms = alarms_in(tmp_path)
        alarms.take([fields(1, second=0)])
        with monkeypatch.context() as patch:
            patch.setattr(sealing, "write_segment", refuse)
            with pytest.raises(OSError, match="No space"):
                await alarms.seal()
        alarms.take([fields(2, second=1)])
        await alarms.seal()

    asyncio.run(scenario())
    assert sealed_ids(tmp_path) == ["00000001", "00000002"]


@pytest.mark.parametrize(
    "type_id", [ua.ObjectIds.RefreshRequiredEventType, ua.ObjectIds.EventQueueOverflowEventType]
)
def test_a_server_that_says_events_are_missing_is_asked_for_them(tmp_path: Path, type_id: int) -> None:
    alarms = alarms_in(tmp_path)
    told: list[bool] = []
    alarms.when_incomplete = lambda: told.append(True)
    alarms.take([fields(1, second=1)])
    assert told == []
    alarms.take([fields(2, second=2, type_id=type_id)])
    assert told == [True]


def test_an_event_counts_as_settled_once_it_is_sealed_or_not_wanted(tmp_path: Path) -> None:
    alarms = alarms_in(tmp_path)
    alarms.take([fields(1, second=1), fields(1, second=1), fields(2, second=2)])
    assert (alarms.taken_events, alarms.sealed_events) == (3, 1)
    asyncio.run(alarms.seal())
    assert (alarms.taken_events, alarms.sealed_events) == (3, 3)
