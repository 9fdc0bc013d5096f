"""OPC UA event fields as alarm rows: which fields are asked for, and what each becomes.

The states are those of Part 9 (§5.5 ConditionType, §5.7 AcknowledgeableConditionType, §5.8 AlarmConditionType
and its limit alarms). A server may lack any of them: it then sends nothing, or a status code in their place,
and the row says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from asyncua import ua

from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks
from protocols.points import ALARMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_BASE, _CONDITION = ua.ObjectIds.BaseEventType, ua.ObjectIds.ConditionType
_ACKNOWLEDGEABLE, _ALARM = ua.ObjectIds.AcknowledgeableConditionType, ua.ObjectIds.AlarmConditionType
_EXCLUSIVE, _NON_EXCLUSIVE = ua.ObjectIds.ExclusiveLimitAlarmType, ua.ObjectIds.NonExclusiveLimitAlarmType

# What every server of events knows; one that refuses the rest is asked for these alone.
_CORE: tuple[tuple[int, tuple[str, ...]], ...] = (
    (_BASE, ("EventId",)),
    (_BASE, ("EventType",)),
    (_BASE, ("SourceNode",)),
    (_BASE, ("SourceName",)),
    (_BASE, ("Time",)),
    (_BASE, ("Message",)),
    (_BASE, ("Severity",)),
    (_CONDITION, ()),  # the condition's own node id
    (_ALARM, ("ActiveState", "Id")),
    (_ACKNOWLEDGEABLE, ("AckedState", "Id")),
)
_STATES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (_CONDITION, ("ConditionName",)),
    (_CONDITION, ("BranchId",)),
    (_CONDITION, ("Retain",)),
    (_CONDITION, ("EnabledState", "Id")),
    (_ACKNOWLEDGEABLE, ("ConfirmedState", "Id")),
    (_ALARM, ("SuppressedState", "Id")),
    (_ALARM, ("OutOfServiceState", "Id")),
    (_ALARM, ("LatchedState", "Id")),
    (_ALARM, ("SuppressedOrShelved",)),
    (_ALARM, ("ShelvingState", "CurrentState", "Id")),
    (_ALARM, ("ShelvingState", "CurrentState")),
    (_EXCLUSIVE, ("LimitState", "CurrentState", "Id")),
    (_EXCLUSIVE, ("LimitState", "CurrentState")),
    (_NON_EXCLUSIVE, ("HighHighState", "Id")),
    (_NON_EXCLUSIVE, ("HighState", "Id")),
    (_NON_EXCLUSIVE, ("LowLowState", "Id")),
    (_NON_EXCLUSIVE, ("LowState", "Id")),
    (_ALARM, ("ActiveState", "EffectiveDisplayName")),
    (_ALARM, ("ActiveState",)),
    (_ALARM, ("ActiveState", "TransitionTime")),
    (_CONDITION, ("Quality",)),
    (_CONDITION, ("Comment",)),
    (_CONDITION, ("ClientUserId",)),
)
_SELECTED = (*_CORE, *_STATES)
_NAMES = tuple("/".join(path) for _, path in _SELECTED)
_SHELVING = {
    ua.ObjectIds.ShelvedStateMachineType_Unshelved: "Unshelved",
    ua.ObjectIds.ShelvedStateMachineType_TimedShelved: "TimedShelved",
    ua.ObjectIds.ShelvedStateMachineType_OneShotShelved: "OneShotShelved",
}
_LIMITS = {
    ua.ObjectIds.ExclusiveLimitStateMachineType_HighHigh: "HighHigh",
    ua.ObjectIds.ExclusiveLimitStateMachineType_High: "High",
    ua.ObjectIds.ExclusiveLimitStateMachineType_LowLow: "LowLow",
    ua.ObjectIds.ExclusiveLimitStateMachineType_Low: "Low",
}
REFRESH_START, REFRESH_END = ua.ObjectIds.RefreshStartEventType, ua.ObjectIds.RefreshEndEventType
# The brackets around a refresh are no alarms.
_BRACKETS = frozenset((REFRESH_START, REFRESH_END, ua.ObjectIds.RefreshRequiredEventType))
# Conditions must be asked for again (Part 9 §5.11.4), or the server dropped events (Part 4 §7.22.3).
_INCOMPLETE = frozenset((ua.ObjectIds.RefreshRequiredEventType, ua.ObjectIds.EventQueueOverflowEventType))
# Between a condition and its branch in a key; no node id has it.
_BRANCH_OF = "\x1f"


@dataclass(frozen=True)
class AlarmEvent:
    """One event; `key` says whose it is (condition and branch, else the source), `ticks` when."""

    key: str
    ticks: int
    row: dict[str, Any]


def event_filter(*, is_core: bool = False) -> ua.EventFilter:
    """The filter that selects the fields `read_event` expects, of every event.

    Args:
        is_core: leave the states out, for a server that refuses a filter with fields it does not know.
    """
    clauses = []
    for type_id, path in _CORE if is_core else _SELECTED:
        clause = ua.SimpleAttributeOperand()
        clause.TypeDefinitionId = ua.NodeId(type_id)
        clause.BrowsePath = [ua.QualifiedName(name) for name in path]
        clause.AttributeId = ua.AttributeIds.Value if path else ua.AttributeIds.NodeId
        clauses.append(clause)
    return ua.EventFilter(SelectClauses=clauses)


def read_event(
    fields: Sequence[ua.Variant],
    namespaces: Sequence[str],
    tag_of_node: Mapping[ua.NodeId, str],
    arrived_ticks: int,
    told_by: str = "notification",
) -> AlarmEvent | None:
    """An event from its fields, None for the brackets of a refresh and for an event without id or time."""
    if len(fields) not in (len(_CORE), len(_SELECTED)):
        return None
    found = dict(zip(_NAMES, (field.Value for field in fields), strict=False))
    event_id, at = found["EventId"], found["Time"]
    if not isinstance(event_id, bytes) or at is None or bracket_of(fields) is not None:
        return None
    condition_id = _node(found[""], namespaces)
    branch_id = _node(found.get("BranchId"), namespaces)
    name = found["SourceName"]
    ticks = to_ticks(at)
    row = {
        "event_id": event_id.hex(),
        "condition_id": condition_id,
        "event_type": _type_text(found["EventType"], namespaces),
        "source_name": str(name or ""),
        "tag_id": _tag(found["SourceNode"], tag_of_node),
        "severity": int(found["Severity"] or 0),
        "message": _text(found["Message"]),
        "is_active": _flag(found["ActiveState/Id"]),
        "is_acknowledged": _flag(found["AckedState/Id"]),
        "event_at_utc": (ticks - UNIX_EPOCH_TICKS) // 10,
        "event_at_100ns": (ticks - UNIX_EPOCH_TICKS) % 10,
        "arrived_at_utc": (arrived_ticks - UNIX_EPOCH_TICKS) // 10,
        "branch_id": branch_id,
        **_states(found),
        "told_by": told_by,
    }
    return AlarmEvent(key_of(row), ticks, row)


def _states(found: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the condition's states."""
    at = found.get("ActiveState/TransitionTime")
    quality = found.get("Quality")
    return {
        "condition_name": _text(found.get("ConditionName")),
        "is_retained": _flag(found.get("Retain")),
        "is_enabled": _flag(found.get("EnabledState/Id")),
        "is_confirmed": _flag(found.get("ConfirmedState/Id")),
        "is_suppressed": _flag(found.get("SuppressedState/Id")),
        "is_out_of_service": _flag(found.get("OutOfServiceState/Id")),
        "is_latched": _flag(found.get("LatchedState/Id")),
        "is_suppressed_or_shelved": _flag(found.get("SuppressedOrShelved")),
        "shelving_state": _state_of(found, "ShelvingState/CurrentState", _SHELVING),
        "limit_state": _limit_state(found),
        "active_state": _text(found.get("ActiveState/EffectiveDisplayName"))
        or _text(found.get("ActiveState")),
        "active_changed_at_utc": _microseconds(at),
        "quality_code": quality.value if isinstance(quality, ua.StatusCode) else None,
        "comment": _text(found.get("Comment")),
        "client_user_id": _text(found.get("ClientUserId")),
    }


def key_of(row: Mapping[str, Any]) -> str:
    """Whose state a row tells: the condition and its branch, else the source."""
    condition = row["condition_id"] or row["source_name"] or "None"
    return f"{condition}{_BRANCH_OF}{row['branch_id']}" if row["branch_id"] else condition


def is_branch(key: str) -> bool:
    """Whether a key is of a condition's branch, which lives only until it is acknowledged."""
    return _BRANCH_OF in key


def alarm_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of `read_event` in the wire schema."""
    arrays = []
    for field in ALARMS:
        values = [row[field.name] for row in rows]
        plain = pa.int64() if pa.types.is_timestamp(field.type) else field.type
        arrays.append(pa.array(values, plain).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=ALARMS)


def alarm_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows that `alarm_table` made a table of."""
    plain = [pa.int64() if pa.types.is_timestamp(field.type) else field.type for field in table.schema]
    columns = [column.cast(kind) for column, kind in zip(table.columns, plain, strict=True)]
    rows: list[dict[str, Any]] = pa.Table.from_arrays(columns, names=table.column_names).to_pylist()
    return rows


def node_text(node_id: ua.NodeId, namespaces: Sequence[str]) -> str:
    """A node id with its namespace's URI in place of the index, which a restart may change."""
    index = node_id.NamespaceIndex
    plain = node_id.to_string().rpartition("ns=")[2]
    rest = plain.partition(";")[2] if index else plain
    return f"nsu={namespaces[index]};{rest}" if 0 < index < len(namespaces) else plain


def bracket_of(fields: Sequence[ua.Variant]) -> int | None:
    """Which bracket of a refresh an event is, None for any other event."""
    number = _standard_type(fields)
    return number if number in _BRACKETS else None


def is_incomplete(fields: Sequence[ua.Variant]) -> bool:
    """Whether an event says that events are missing."""
    return _standard_type(fields) in _INCOMPLETE


def _standard_type(fields: Sequence[ua.Variant]) -> int | None:
    """The number of an event's type where the standard defines it."""
    type_id = fields[1].Value if len(fields) > 1 else None
    if not isinstance(type_id, ua.NodeId) or type_id.NamespaceIndex != 0:
        return None
    return type_id.Identifier if isinstance(type_id.Identifier, int) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    if isinstance(value, ua.LocalizedText):
        value = value.Text
    return value if isinstance(value, str) and value else None


def _node(value: Any, namespaces: Sequence[str]) -> str | None:
    return node_text(value, namespaces) if isinstance(value, ua.NodeId) and not value.is_null() else None


def _tag(value: Any, tag_of_node: Mapping[ua.NodeId, str]) -> str | None:
    return tag_of_node.get(value) if isinstance(value, ua.NodeId) else None


def _microseconds(at: datetime | Any) -> int | None:
    """An instant in microseconds of the Unix era; servers send the year 1601 for never."""
    try:
        ticks = to_ticks(at)
    except (AttributeError, TypeError):
        return None
    return (ticks - UNIX_EPOCH_TICKS) // 10 if ticks > UNIX_EPOCH_TICKS else None


def _state_of(found: Mapping[str, Any], path: str, names: Mapping[int, str]) -> str | None:
    """The state of a state machine by its id, else by its English name."""
    node = found.get(f"{path}/Id")
    if isinstance(node, ua.NodeId) and node.NamespaceIndex == 0 and node.Identifier in names:
        return names[node.Identifier]
    plain = (_text(found.get(path)) or "").replace(" ", "").lower()
    return next((name for name in names.values() if name.lower() == plain), None)


def _limit_state(found: Mapping[str, Any]) -> str | None:
    """The limits passed, the outermost first; a non-exclusive alarm may have passed several."""
    exclusive = _state_of(found, "LimitState/CurrentState", _LIMITS)
    passed = [name for name in _LIMITS.values() if found.get(f"{name}State/Id") is True]
    return exclusive or "+".join(passed) or None


def _type_text(type_id: Any, namespaces: Sequence[str]) -> str:
    if not isinstance(type_id, ua.NodeId):
        return "BaseEventType"
    if type_id.NamespaceIndex == 0:
        return str(ua.ObjectIdNames.get(type_id.Identifier, type_id.to_string()))
    return node_text(type_id, namespaces)
