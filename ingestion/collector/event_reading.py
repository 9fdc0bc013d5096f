"""What is asked of a server about events: its event history, and the present state of all conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua

from protocols.opcua_time import from_ticks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ingestion.collector.session import Session

EVENTS_PER_READ = 1000
READ_LIMIT = 10_000


async def event_history(
    session: Session, start_ticks: int, end_ticks: int, wanted: ua.EventFilter
) -> AsyncIterator[list[list[ua.Variant]]]:
    """The field lists of past events, page by page (Part 11 §6.4.2).

    Raises:
        ua.UaStatusCodeError: the server keeps none.
    """
    details = ua.ReadEventDetails(
        NumValuesPerNode=EVENTS_PER_READ,
        StartTime=from_ticks(start_ticks),
        EndTime=from_ticks(end_ticks),
        Filter=wanted,
    )
    node = ua.HistoryReadValueId(NodeId=ua.NodeId(ua.ObjectIds.Server))
    parameters = ua.HistoryReadParameters(
        HistoryReadDetails=details,
        TimestampsToReturn=ua.TimestampsToReturn.Both,
        ReleaseContinuationPoints=False,  # asyncua defaults it to True
        NodesToRead=[node],
    )
    for _ in range(READ_LIMIT):
        (result,) = await session.client.uaclient.session.history_read(parameters)
        result.StatusCode.check()
        events = result.HistoryData.Events if isinstance(result.HistoryData, ua.HistoryEvent) else []
        yield [event.EventFields for event in events]
        if not result.ContinuationPoint or result.ContinuationPoint == node.ContinuationPoint:
            return
        node.ContinuationPoint = result.ContinuationPoint


async def refresh_conditions(session: Session, subscription_id: int) -> None:
    """Ask for the present state of all conditions (Part 9 §5.5.7).

    ConditionRefresh2 would spare a subscription's other event items, of which ours has none.

    Raises:
        ua.UaStatusCodeError: the server has no conditions, or refuses.
    """
    condition_type = session.client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
    method = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
    try:
        await condition_type.call_method(method, ua.Variant(subscription_id, ua.VariantType.UInt32))
    except ua.uaerrors.BadRefreshInProgress:
        return  # what another call asked for comes to us as well
