"""OPC UA event fields as alarm rows: which fields are asked for, and what each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from asyncua import ua

from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks
from protocols.points import ALARMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SELECTED: tuple[tuple[int, tuple[str, ...]], ...] = (
    (ua.ObjectIds.BaseEventType, ("EventId",)),
    (ua.ObjectIds.BaseEventType, ("EventType",)),
    (ua.ObjectIds.BaseEventType, ("SourceNode",)),
    (ua.ObjectIds.BaseEventType, ("SourceName",)),
    (ua.ObjectIds.BaseEventType, ("Time",)),
    (ua.ObjectIds.BaseEventType, ("Message",)),
    (ua.ObjectIds.BaseEventType, ("Severity",)),
    (ua.ObjectIds.ConditionType, ()),  # the condition's own node id
    (ua.ObjectIds.AlarmConditionType, ("ActiveState", "Id")),
    (ua.ObjectIds.AcknowledgeableConditionType, ("AckedState", "Id")),
)
# The brackets around a refresh are no alarms.
_BRACKETS = frozenset(
    (
        ua.ObjectIds.RefreshStartEventType,
        ua.ObjectIds.RefreshEndEventType,
        ua.ObjectIds.RefreshRequiredEventType,
    )
)


# Conditions must be asked for again (Part 9 §5.11.4), or the server dropped events (Part 4 §7.22.3).
_INCOMPLETE = frozenset((ua.ObjectIds.RefreshRequiredEventType, ua.ObjectIds.EventQueueOverflowEventType))


@dataclass(frozen=True)
class AlarmEvent:
    """One event; `key` says whose it is (the condition, else the source), `ticks` when."""

    key: str
    ticks: int
    row: dict[str, Any]


def event_filter() -> ua.EventFilter:
    """The filter that selects the fields `read_event` expects, of every event."""
    clauses = []
    for type_id, path in _SELECTED:
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
) -> AlarmEvent | None:
    """An event from its fields, None for the brackets of a refresh and for an event without id or time."""
    if len(fields) != len(_SELECTED):
        return None
    event_id, type_id, source, name, at, message, severity, condition, active, acknowledged = (
        field.Value for field in fields
    )
    if event_id is None or at is None or _is_bracket(type_id):
        return None
    condition_id = None if condition is None else node_text(condition, namespaces)
    ticks = to_ticks(at)
    return AlarmEvent(
        key=condition_id or str(name),
        ticks=ticks,
        row={
            "event_id": bytes(event_id).hex(),
            "condition_id": condition_id,
            "event_type": _type_text(type_id, namespaces),
            "source_name": str(name or ""),
            "tag_id": tag_of_node.get(source),
            "severity": int(severity or 0),
            "message": message.Text if isinstance(message, ua.LocalizedText) else message,
            "is_active": active,
            "is_acknowledged": acknowledged,
            "event_at_utc": (ticks - UNIX_EPOCH_TICKS) // 10,
            "event_at_100ns": (ticks - UNIX_EPOCH_TICKS) % 10,
            "arrived_at_utc": (arrived_ticks - UNIX_EPOCH_TICKS) // 10,
        },
    )


def alarm_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of `read_event` in the wire schema."""
    arrays = []
    for field in ALARMS:
        values = [row[field.name] for row in rows]
        plain = pa.int64() if pa.types.is_timestamp(field.type) else field.type
        arrays.append(pa.array(values, plain).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=ALARMS)


def node_text(node_id: ua.NodeId, namespaces: Sequence[str]) -> str:
    """A node id with its namespace's URI in place of the index, which a restart may change."""
    index = node_id.NamespaceIndex
    plain = node_id.to_string().rpartition("ns=")[2]
    rest = plain.partition(";")[2] if index else plain
    return f"nsu={namespaces[index]};{rest}" if 0 < index < len(namespaces) else plain


def is_incomplete(fields: Sequence[ua.Variant]) -> bool:
    """Whether an event says that events are missing."""
    type_id = fields[1].Value if len(fields) > 1 else None
    return (
        isinstance(type_id, ua.NodeId) and type_id.NamespaceIndex == 0 and type_id.Identifier in _INCOMPLETE
    )


def _is_bracket(type_id: Any) -> bool:
    return isinstance(type_id, ua.NodeId) and type_id.NamespaceIndex == 0 and type_id.Identifier in _BRACKETS


def _type_text(type_id: Any, namespaces: Sequence[str]) -> str:
    if not isinstance(type_id, ua.NodeId):
        return "BaseEventType"
    if type_id.NamespaceIndex == 0:
        return str(ua.ObjectIdNames.get(type_id.Identifier, type_id.to_string()))
    return node_text(type_id, namespaces)
