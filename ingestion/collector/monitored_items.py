"""What is asked of a server for each monitored item, and what is asked instead when it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua

if TYPE_CHECKING:
    from ingestion.collector.tag_table import Deadband, Tag
    from protocols.clock import Clock

EVENTS_HANDLE = 2**31
EVENTS_QUEUE = 10_000
# The server cannot filter as asked; it may without.
FILTER_REFUSED = frozenset(
    (
        ua.StatusCodes.BadMonitoredItemFilterInvalid,
        ua.StatusCodes.BadMonitoredItemFilterUnsupported,
        ua.StatusCodes.BadFilterNotAllowed,
        ua.StatusCodes.BadDeadbandFilterInvalid,
    )
)
# This subscription, or the server, has no room for one more.
NO_ROOM = frozenset(
    (
        ua.StatusCodes.BadTooManyMonitoredItems,
        ua.StatusCodes.BadTooManyOperations,
        ua.StatusCodes.BadResourceUnavailable,
    )
)
_DEADBANDS = {False: ua.DeadbandType.Absolute, True: ua.DeadbandType.Percent}


def value_item(
    position: int, node_id: ua.NodeId, tag: Tag, clock: Clock, *, has_filter: bool = True
) -> ua.MonitoredItemCreateRequest:
    """The request to monitor a tag's value; its client handle is the tag's position."""
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId = node_id
    item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
    item.MonitoringMode = ua.MonitoringMode.Reporting
    item.RequestedParameters.ClientHandle = position
    item.RequestedParameters.SamplingInterval = clock.real_seconds(float(tag.sampling_ms))
    item.RequestedParameters.QueueSize = tag.queue_size
    item.RequestedParameters.DiscardOldest = True
    item.RequestedParameters.Filter = _filter(tag.deadband) if has_filter else None
    return item


def event_item(event_filter: ua.EventFilter) -> ua.MonitoredItemCreateRequest:
    """The request to monitor the events of the Server object."""
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId = ua.NodeId(ua.ObjectIds.Server)
    item.ItemToMonitor.AttributeId = ua.AttributeIds.EventNotifier
    item.MonitoringMode = ua.MonitoringMode.Reporting
    item.RequestedParameters.ClientHandle = EVENTS_HANDLE
    item.RequestedParameters.QueueSize = EVENTS_QUEUE
    item.RequestedParameters.DiscardOldest = True
    item.RequestedParameters.Filter = event_filter
    return item


def _filter(deadband: Deadband | None) -> ua.DataChangeFilter:
    if deadband is None:
        # Without the timestamp in the trigger an unchanged value is not reported: it would look like a gap.
        return ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValueTimestamp,
            DeadbandType=ua.DeadbandType.None_,
            DeadbandValue=0.0,
        )
    return ua.DataChangeFilter(
        Trigger=ua.DataChangeTrigger.StatusValue,
        DeadbandType=_DEADBANDS[deadband.is_percent],
        DeadbandValue=deadband.value,
    )
