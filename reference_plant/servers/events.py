"""Alarm events of the plant as OPC UA condition events (Part 9)."""

from __future__ import annotations

from asyncua import ua
from asyncua.common import event_objects

from protocols.opcua_time import from_ticks
from reference_plant.plant.alarms import LEVELS_EN, AlarmEvent, condition_name

_TYPES = {
    "ExclusiveLevelAlarmType": event_objects.ExclusiveLevelAlarm,
    "ExclusiveLimitAlarmType": event_objects.ExclusiveLimitAlarm,
    "OffNormalAlarmType": event_objects.OffNormalAlarm,
}
EVENT_TYPE_IDS = tuple(getattr(ua.ObjectIds, name) for name in _TYPES)


def condition_event(event: AlarmEvent, namespace: int) -> event_objects.AlarmCondition:
    """The event object that asyncua selects fields from, for subscribers and for event history."""
    made = _TYPES[event.rule.event_type]()
    variable = ua.NodeId(event.rule.tag_id, namespace)
    at = from_ticks(event.ticks)
    made.EventId = event.event_id
    made.data_types["EventId"] = ua.VariantType.ByteString
    made.emitting_node = ua.NodeId(ua.ObjectIds.Server)
    made.SourceNode = variable
    made.SourceName = event.rule.tag_id
    made.Time = at
    made.ReceiveTime = at
    made.Message = ua.LocalizedText(event.message)
    made.Severity = event.severity
    made.ConditionName = condition_name(event.rule)
    made.BranchId = ua.NodeId()
    made.Retain = event.is_active or not event.is_acknowledged
    made.InputNode = variable
    made.ConditionClassId = ua.NodeId(ua.ObjectIds.ProcessConditionClassType)
    made.ConditionClassName = ua.LocalizedText("ProcessConditionClass")
    made.add_property("NodeId", ua.NodeId(condition_name(event.rule), namespace), ua.VariantType.NodeId)
    _set_state(made, "EnabledState", True, "Enabled")
    _set_state(made, "ActiveState", event.is_active, "Active" if event.is_active else "Inactive")
    _set_state(
        made,
        "AckedState",
        event.is_acknowledged,
        "Acknowledged" if event.is_acknowledged else "Unacknowledged",
    )
    made.add_property(
        "ActiveState/EffectiveDisplayName",
        ua.LocalizedText(LEVELS_EN[event.level]),
        ua.VariantType.LocalizedText,
    )
    return made


def _set_state(made: event_objects.AlarmCondition, name: str, value: bool, text: str) -> None:
    made.add_property(f"{name}/Id", value, ua.VariantType.Boolean)
    made.add_variable(name, ua.LocalizedText(text), ua.VariantType.LocalizedText)
