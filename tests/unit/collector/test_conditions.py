"""Conditions over outages: every state kept; a refresh opens and ends life cycles and doubles nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector import alarms as alarms_module
from ingestion.collector.alarm_events import alarm_rows, alarm_table, event_filter, read_event
from ingestion.collector.alarms import Alarms
from ingestion.collector.conditions import FILE_NAME
from ingestion.collector.event_marks import forget_old_branches
from ingestion.collector.sealing import Sealer
from ingestion.collector.status import Status
from protocols.clock import ScaledClock
from protocols.opcua_time import to_ticks
from protocols.segments import manifest_path, read_table, sequences

AT = datetime(2026, 11, 16, 8, tzinfo=UTC)
NOW = AT + timedelta(hours=1)
KEY = Ed25519PrivateKey.generate()
PATHS = ["/".join(name.Name for name in clause.BrowsePath) for clause in event_filter().SelectClauses]
NAMESPACES = ("http://opcfoundation.org/UA/", "urn:server", "urn:plant")
STANDING = {"ActiveState/Id": True, "AckedState/Id": False, "Retain": True}
OVER = {"ActiveState/Id": False, "AckedState/Id": True, "Retain": False}
Fields = list[ua.Variant]


def event(number: int, second: int, condition: str = "A", **states: Any) -> Fields:
    """An event with every field that is asked for; states by their browse path."""
    values = {
        "EventId": number.to_bytes(4, "big"),
        "EventType": ua.NodeId(ua.ObjectIds.ExclusiveLevelAlarmType),
        "SourceNode": ua.NodeId("T101.LEVEL", 2),
        "SourceName": "T101.LEVEL",
        "Time": AT + timedelta(seconds=second),
        "Message": ua.LocalizedText("高 / high"),
        "Severity": 500,
        "": ua.NodeId(condition, 2),
        **STANDING,
        **states,
    }
    return [ua.Variant(values.get(path)) for path in PATHS]


def bracket(type_id: int) -> Fields:
    return event(9999, 0, EventType=ua.NodeId(type_id))


BEGIN, END = bracket(ua.ObjectIds.RefreshStartEventType), bracket(ua.ObjectIds.RefreshEndEventType)
OVERFLOW = bracket(ua.ObjectIds.EventQueueOverflowEventType)


def collector(folder: Path) -> Alarms:
    clock = ScaledClock(NOW, NOW, speed=1.0)
    made = Alarms(Sealer(folder, "plant", KEY, clock), clock, Status("plant", "opc.tcp://x"), None)
    made._namespaces = NAMESPACES
    return made


def told(folder: Path, *events: Fields) -> None:
    """A collector that starts, is told these, seals and ends."""

    async def run() -> None:
        alarms = collector(folder)
        alarms.take(list(events))
        await alarms.seal()
        assert alarms.taken_events == alarms.sealed_events

    asyncio.run(run())


def rows(folder: Path) -> list[dict[str, Any]]:
    stream = "plant.alarms"
    paths = [manifest_path(folder, stream, number) for number in sequences(folder, stream)]
    return [row for path in paths for row in read_table(path).to_pylist()]


def lives(folder: Path) -> list[tuple[str, str | None, bool | None, str]]:
    return [
        (row["condition_id"][-1], row["branch_id"], row["is_active"], row["told_by"]) for row in rows(folder)
    ]


def test_every_state_of_a_condition_is_kept() -> None:
    states = {
        "ConditionName": "T101.LEVEL.Alarm",
        "BranchId": ua.NodeId("b1", 2),
        "EnabledState/Id": True,
        "ConfirmedState/Id": False,
        "SuppressedState/Id": True,
        "OutOfServiceState/Id": False,
        "LatchedState/Id": True,
        "SuppressedOrShelved": True,
        "ShelvingState/CurrentState/Id": ua.NodeId(ua.ObjectIds.ShelvedStateMachineType_TimedShelved),
        "LimitState/CurrentState/Id": ua.NodeId(ua.ObjectIds.ExclusiveLimitStateMachineType_HighHigh),
        "ActiveState/EffectiveDisplayName": ua.LocalizedText("高高 / high-high"),
        "ActiveState": ua.LocalizedText("Active"),
        "ActiveState/TransitionTime": AT,
        "Quality": ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue),
        "Comment": ua.LocalizedText("去看 / looking"),
        "ClientUserId": "li",
    }
    found = read_event(event(1, 0, **states), NAMESPACES, {}, to_ticks(NOW))
    assert found is not None
    table = alarm_table([found.row])
    assert alarm_rows(table) == [found.row]
    (row,) = table.to_pylist()
    expected = {
        "condition_name": "T101.LEVEL.Alarm",
        "branch_id": "nsu=urn:plant;s=b1",
        "is_retained": True,
        "is_enabled": True,
        "is_confirmed": False,
        "is_suppressed": True,
        "is_out_of_service": False,
        "is_latched": True,
        "is_suppressed_or_shelved": True,
        "shelving_state": "TimedShelved",
        "limit_state": "HighHigh",
        "active_state": "高高 / high-high",
        "active_changed_at_utc": AT,
        "quality_code": ua.StatusCodes.UncertainLastUsableValue,
        "comment": "去看 / looking",
        "client_user_id": "li",
        "told_by": "notification",
    }
    assert {name: row[name] for name in expected} == expected


def test_states_of_a_state_machine_are_known_by_name_and_limits_that_are_not_exclusive_stay_together() -> (
    None
):
    states = {
        "ShelvingState/CurrentState": ua.LocalizedText("One Shot Shelved"),
        "HighHighState/Id": True,
        "HighState/Id": True,
        "LowState/Id": False,
    }
    found = read_event(event(1, 0, **states), NAMESPACES, {}, 0)
    assert found is not None
    assert (found.row["shelving_state"], found.row["limit_state"]) == ("OneShotShelved", "HighHigh+High")


def test_a_server_that_answers_a_state_with_an_error_or_nothing_leaves_it_empty() -> None:
    error = ua.StatusCode(ua.StatusCodes.BadAttributeIdInvalid)
    core = {"EventId", "EventType", "SourceNode", "SourceName", "Time", "Severity", "", "Quality"}
    missing = {path: error for path in PATHS if path not in core}
    found = read_event(event(1, 0, **missing), NAMESPACES, {}, 0)
    assert found is not None
    filled = {name for name, value in found.row.items() if value is not None}
    assert filled == {
        *("event_id", "condition_id", "event_type", "source_name", "severity"),
        *("event_at_utc", "event_at_100ns", "arrived_at_utc", "told_by"),
    }


def test_an_alarm_that_went_away_unseen_is_ended_once_and_says_so(tmp_path: Path) -> None:
    told(tmp_path, event(1, 0, "A"), event(2, 1, "B"))
    for _ in range(2):  # the second refresh has nothing to add
        told(tmp_path, BEGIN, event(2, 1, "B"), END)
    assert lives(tmp_path) == [
        ("A", None, True, "notification"),
        ("B", None, True, "notification"),
        ("A", None, False, "absence"),
    ]
    end = rows(tmp_path)[-1]
    assert (end["is_acknowledged"], end["is_retained"], end["event_at_utc"] >= NOW) == (None, False, True)
    assert "condition refresh" in end["message"]


def test_an_alarm_that_comes_back_after_its_end_was_seen_by_absence_is_kept(tmp_path: Path) -> None:
    told(tmp_path, event(1, 0, "A"))
    told(tmp_path, BEGIN, END)
    told(tmp_path, event(2, 60, "A"))  # the server's clock is behind ours
    told(tmp_path, BEGIN, END)
    assert [life[2:] for life in lives(tmp_path)] == [
        (True, "notification"),
        (False, "absence"),
        (True, "notification"),
        (False, "absence"),
    ]
    assert len({row["event_id"] for row in rows(tmp_path)}) == 4


def test_an_alarm_that_was_raised_unseen_is_opened_by_the_refresh(tmp_path: Path) -> None:
    told(tmp_path, event(1, 0, "A"))
    told(tmp_path, BEGIN, event(1, 0, "A"), event(7, 5, "B"), END)
    assert lives(tmp_path) == [("A", None, True, "notification"), ("B", None, True, "refresh")]


def test_a_branch_lives_and_ends_apart_from_its_condition(tmp_path: Path) -> None:
    branch = {"BranchId": ua.NodeId(7, 2), "ActiveState/Id": False}
    told(tmp_path, event(1, 0), event(2, 60), event(3, 50, **branch))  # its time is before the condition's
    told(tmp_path, BEGIN, event(2, 60), END)
    told(tmp_path, BEGIN, event(2, 60), END)
    assert [life[1:] for life in lives(tmp_path)] == [
        (None, True, "notification"),
        ("nsu=urn:plant;i=7", False, "notification"),
        (None, True, "notification"),
        ("nsu=urn:plant;i=7", False, "absence"),
    ]


@pytest.mark.parametrize("states", [{"Retain": None}, {"Retain": True}], ids=["not_told", "retained"])
def test_what_waits_for_the_operator_is_open_though_it_is_not_active(
    tmp_path: Path, states: dict[str, Any]
) -> None:
    told(tmp_path, event(1, 0), event(2, 5, **{"ActiveState/Id": False}, **states))
    told(tmp_path, BEGIN, END)
    assert [life[3] for life in lives(tmp_path)] == ["notification", "notification", "absence"]


@pytest.mark.parametrize(
    "loss",
    [lambda alarms: alarms.lose(), lambda alarms: alarms.take([OVERFLOW])],
    ids=["message_lost", "queue_overflow"],
)
def test_nothing_is_judged_by_a_refresh_of_which_events_were_lost(
    tmp_path: Path, loss: Callable[[Alarms], None]
) -> None:
    async def run() -> None:
        alarms = collector(tmp_path)
        alarms.take([BEGIN])
        loss(alarms)
        alarms.take([END])
        await alarms.seal()

    told(tmp_path, event(1, 0))
    asyncio.run(run())
    assert [life[3] for life in lives(tmp_path) if life[0] == "A"] == ["notification"]


@pytest.mark.parametrize("content", [None, "{", '{"format_version": 99}'], ids=["lost", "cut", "newer"])
def test_open_conditions_are_read_from_the_segments_where_their_file_is_no_use(
    tmp_path: Path, content: str | None
) -> None:
    told(tmp_path, event(1, 0, "A"), event(2, 0, "B"))
    told(tmp_path, event(3, 5, "B", **OVER))
    file = tmp_path / FILE_NAME
    file.unlink() if content is None else file.write_text(content)
    told(tmp_path, BEGIN, END)
    assert lives(tmp_path)[-1] == ("A", None, False, "absence")
    assert len(lives(tmp_path)) == 4


def test_what_was_told_and_not_sealed_changes_nothing_that_is_kept(tmp_path: Path) -> None:
    told(tmp_path, event(1, 0, "A"))

    async def killed() -> None:
        collector(tmp_path).take([event(2, 5, "A", **OVER), event(3, 5, "B")])

    asyncio.run(killed())
    told(tmp_path, BEGIN, END)
    assert lives(tmp_path) == [("A", None, True, "notification"), ("A", None, False, "absence")]


def test_marks_of_branches_long_over_are_forgotten(tmp_path: Path) -> None:
    old = {"BranchId": ua.NodeId(7, 2)}
    open_one = {"BranchId": ua.NodeId(8, 2)}
    told(
        tmp_path, event(1, -700_000, **old), event(2, -690_000, **old, **OVER), event(3, -700_000, **open_one)
    )
    told(tmp_path, event(4, 0))
    alarms = collector(tmp_path)
    marks = alarms._sealer.marks("alarms")
    forget_old_branches(alarms._sealer, alarms._conditions)
    assert sorted(key.rpartition("i=")[2] for key in marks if "i=" in key) == ["8"]


class Server:
    """Answers subscribe, event history and refresh as told; `None` is good."""

    def __init__(self, *, history: list[Fields] | None, refresh: type[Exception] | None) -> None:
        self.history, self.refresh = history, refresh
        self.namespaces = NAMESPACES
        self.asked: list[int] = []

    async def event_history(self, *_: Any) -> Any:
        if self.history is None:
            raise ua.uaerrors.BadHistoryOperationUnsupported
        yield self.history

    async def refresh_conditions(self, *_: Any) -> None:
        if self.refresh is not None:
            raise self.refresh

    async def subscribe(self, wanted: ua.EventFilter) -> int:
        self.asked.append(len(wanted.SelectClauses))
        if len(wanted.SelectClauses) == len(PATHS):
            raise ua.uaerrors.BadEventFilterInvalid
        return 1


def connect(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, *then: Fields) -> Alarms:
    monkeypatch.setattr(alarms_module, "event_history", server.event_history)
    monkeypatch.setattr(alarms_module, "refresh_conditions", server.refresh_conditions)

    async def run() -> Alarms:
        alarms = collector(folder)
        await alarms.start(server, server.subscribe, {})  # type: ignore[arg-type]
        alarms.take(list(then))
        await alarms.seal()
        return alarms

    return asyncio.run(run())


def test_a_server_that_refuses_the_states_is_asked_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(history=[], refresh=None)
    core = event(1, 0)[:10]
    connect(tmp_path, server, monkeypatch, core)
    assert server.asked == [len(PATHS), 10]
    assert lives(tmp_path) == [("A", None, True, "notification")]


def test_history_that_is_ahead_of_what_the_server_shows_is_not_ended_by_a_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(tmp_path, event(1, 0, "A"), event(2, 0, "B"))
    server = Server(history=[event(3, 3000, "A", **OVER), event(4, 3000, "C")], refresh=None)
    connect(tmp_path, server, monkeypatch, BEGIN, event(1, 0, "A"), END)
    assert lives(tmp_path)[2:] == [
        ("A", None, False, "history"),
        ("C", None, True, "history"),
        ("B", None, False, "absence"),
    ]


@pytest.mark.parametrize(
    ("history", "refresh", "failed"),
    [
        ([], None, False),
        (None, None, False),
        ([], ua.uaerrors.BadMethodInvalid, False),
        (None, ua.uaerrors.BadMethodInvalid, True),
    ],
    ids=["both", "refresh", "history", "neither"],
)
def test_a_server_needs_event_history_or_a_refresh(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    history: list[Fields] | None,
    refresh: type[Exception] | None,
    failed: bool,
) -> None:
    told(tmp_path, event(1, 0, "A"))
    server = Server(history=history, refresh=refresh)
    alarms = connect(tmp_path, server, monkeypatch)
    assert ("(events)" in alarms._status.failed_tags) is failed
