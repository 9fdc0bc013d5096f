"""Notifications become rows with every bit and digit; a lost one ends the session, so history fills it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import ua

from ingestion.collector.notifications import LivePoints
from ingestion.collector.points import NO_TICKS, Points, Row, rows_of_points
from ingestion.collector.session import SessionLostError
from ingestion.collector.subscription import LiveSubscription
from protocols.clock import SystemClock
from protocols.opcua_time import to_ticks, with_hundred_ns

AT = with_hundred_ns(datetime(2026, 11, 16, 8, 0, 0, 123456, tzinfo=UTC), 9)


def subscription(rows: list[Row]) -> LiveSubscription:
    client: Any = None  # nothing is asked of a server here

    def take(points: LivePoints, arrived_us: int) -> None:
        arrived = np.full(len(points), arrived_us)
        rows.extend(rows_of_points(Points(points.handles.astype(np.int32), points.page, arrived)))

    return LiveSubscription(client, SystemClock(), take, lambda _: None)


def message(sequence: int, *values: ua.DataValue, status: int | None = None) -> ua.PublishResult:
    data: list[Any] = []
    if values:
        items = [ua.MonitoredItemNotification(ClientHandle=n, Value=value) for n, value in enumerate(values)]
        data.append(ua.DataChangeNotification(MonitoredItems=items))
    if status is not None:
        data.append(ua.StatusChangeNotification(Status=ua.StatusCode(status)))
    result = ua.PublishResult()
    result.NotificationMessage = ua.NotificationMessage(SequenceNumber=sequence, NotificationData=data)
    return result


async def watch_briefly(live: LiveSubscription) -> None:
    async with asyncio.timeout(1.2):
        await live.watch()


def test_values_keep_order_status_bits_and_the_100_ns_digit() -> None:
    rows: list[Row] = []
    values = [
        ua.DataValue(ua.Variant(1.5), ua.StatusCode(0xFFFF_FFFF), AT, AT),
        ua.DataValue(ua.Variant("text"), ua.StatusCode(0), AT, None),
        ua.DataValue(ua.Variant(None), ua.StatusCode(0x808C0000), None, AT),
    ]
    subscription(rows)._on_publish(message(1, *values))
    ticks = to_ticks(AT)
    assert [row[:6] for row in rows] == [
        (0, ticks, 1.5, None, 0xFFFF_FFFF, ticks),
        (1, ticks, None, "text", 0, NO_TICKS),
        (2, ticks, None, None, 0x808C0000, ticks),
    ]


def test_a_keep_alive_between_messages_is_no_gap() -> None:
    live = subscription([])
    value = ua.DataValue(ua.Variant(1.0), ua.StatusCode(0), AT, AT)
    for result in (message(1, value), message(2), message(2, value)):
        live._on_publish(result)
    with pytest.raises(TimeoutError):
        asyncio.run(watch_briefly(live))


def test_a_lost_notification_ends_the_session() -> None:
    live = subscription([])
    value = ua.DataValue(ua.Variant(1.0), ua.StatusCode(0), AT, AT)
    live._on_publish(message(1, value))
    live._on_publish(message(3, value))
    with pytest.raises(SessionLostError, match="3 came where 2 was expected"):
        asyncio.run(watch_briefly(live))


def test_a_subscription_the_server_ended_ends_the_session() -> None:
    live = subscription([])
    live._on_publish(message(1, status=ua.StatusCodes.BadTimeout))
    with pytest.raises(SessionLostError, match="ended the subscription"):
        asyncio.run(watch_briefly(live))
