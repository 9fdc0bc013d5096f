"""Alarm events of the plant as OPC UA condition events (Part 9)."""

from __future__ import annotations

from asyncua import ua
from asyncua.common import event_objects

from protocols.opcua_time import from_ticks
from reference_plant.plant.alarms import (
    LEVELS_EN,
    OPERATOR,
    AlarmEvent,
    condition_name,
    limit_state,
    shelving_state,
)

_TYPES = {
    "ExclusiveLevelAlarmType": event_objects.ExclusiveLevelAlarm,
    "ExclusiveLimitAlarmType": event_objects.ExclusiveLimitAlarm,
    "OffNormalAlarmType": event_objects.OffNormalAlarm,
}
_SHELVING = {
    name: getattr(ua.ObjectIds, f"ShelvedStateMachineType_{name}") for name in ("Unshelved", "TimedShelved")
}
_LIMITS = {
    name: getattr(ua.ObjectIds, f"ExclusiveLimitStateMachineType_{name}")
    for name in ("HighHigh", "High", "LowLow", "Low")
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
    made.Retain = event.is_retained
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
    _add_operator_states(made, event)
    return made


def _add_operator_states(made: event_objects.AlarmCondition, event: AlarmEvent) -> None:
    """What operators and the plant's logic did about it."""
    if event.is_confirmed is not None:
        _set_state(
            made, "ConfirmedState", event.is_confirmed, "Confirmed" if event.is_confirmed else "Unconfirmed"
        )
    _set_state(made, "SuppressedState", False, "Unsuppressed")
    _set_state(made, "OutOfServiceState", False, "In Service")
    made.add_property("SuppressedOrShelved", event.is_shelved is True, ua.VariantType.Boolean)
    _set_machine(made, "ShelvingState", shelving_state(event), _SHELVING)
    _set_machine(made, "LimitState", limit_state(event), _LIMITS)
    made.add_property("Quality", ua.StatusCode(ua.StatusCodes.Good), ua.VariantType.StatusCode)
    if event.act:
        made.add_property("Comment", ua.LocalizedText(event.comment), ua.VariantType.LocalizedText)
        made.add_property("ClientUserId", OPERATOR, ua.VariantType.String)


def _set_machine(
    made: event_objects.AlarmCondition, name: str, state: str | None, numbers: dict[str, int]
) -> None:
    """The present state of a state machine; without one the alarm has no such machine."""
    if state is not None:
        made.add_property(f"{name}/CurrentState/Id", ua.NodeId(numbers[state]), ua.VariantType.NodeId)
        made.add_property(f"{name}/CurrentState", ua.LocalizedText(state), ua.VariantType.LocalizedText)


def _set_state(made: event_objects.AlarmCondition, name: str, value: bool, text: str) -> None:
    made.add_property(f"{name}/Id", value, ua.VariantType.Boolean)
    made.add_variable(name, ua.LocalizedText(text), ua.VariantType.LocalizedText)
