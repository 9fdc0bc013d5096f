"""The live side: one subscription for all tags, its notifications handed on as columns in the order received.

asyncua's own Subscription starts a task a value, or drops values when its queue is full; here the session's
publish callback is used directly, which does neither.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.notifications import live_points_of
from ingestion.collector.session import SessionLostError
from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asyncua import Client

    from ingestion.collector.notifications import LivePoints
    from ingestion.collector.tag_table import Tag
    from protocols.clock import Clock

ITEMS_PER_REQUEST = 500
EVENTS_HANDLE = 2**31
KEEP_ALIVE_S = 5.0
# Silence of this many keep-alives means the subscription is dead though the socket lives.
SILENCE_FACTOR = 4
_log = logging.getLogger(__name__)


class LiveSubscription:
    """One subscription: values become columns for `take`, event fields go to `take_events`.

    Args:
        client: a connected client.
        clock: plant time, for arrival and for sampling at the plant's speed.
        take: called with live points, in order, and their arrival in µs since 1970.
        take_events: called with the field lists of events.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        take: Callable[[LivePoints, int], None],
        take_events: Callable[[list[Any]], None],
    ) -> None:
        self._client = client
        self._clock = clock
        self._take = take
        self._take_events = take_events
        self._expected_sequence: int | None = None
        self._last_heard = time.monotonic()
        self._fault: str | None = None
        self.subscription_id = 0

    async def open(self, publish_every_ms: float) -> None:
        """Create the subscription on the server."""
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = publish_every_ms
        parameters.RequestedMaxKeepAliveCount = max(1, round(KEEP_ALIVE_S * 1000 / publish_every_ms))
        parameters.RequestedLifetimeCount = parameters.RequestedMaxKeepAliveCount * 10
        parameters.MaxNotificationsPerPublish = 0
        parameters.PublishingEnabled = True
        result = await self._client.uaclient.session.create_subscription(parameters, self._on_publish)
        self.subscription_id = result.SubscriptionId

    async def add(self, items: Mapping[int, ua.NodeId], tags: Sequence[Tag]) -> dict[int, str]:
        """Monitor tags' values, each new instant of them.

        Args:
            items: node ids by tag position.
            tags: the tag table.

        Returns:
            The tags that could not be monitored, with the status' name.
        """
        failed: dict[int, str] = {}
        positions = list(items)
        for begin in range(0, len(positions), ITEMS_PER_REQUEST):
            part = positions[begin : begin + ITEMS_PER_REQUEST]
            results = await self._create([self._value_item(tag, items[tag], tags[tag]) for tag in part])
            for tag, result in zip(part, results, strict=True):
                if not result.StatusCode.is_good():
                    failed[tag] = result.StatusCode.name
        return failed

    async def add_events(self, event_filter: ua.EventFilter) -> None:
        """Monitor the events of the Server object.

        Raises:
            ua.UaStatusCodeError: the server offers none.
        """
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = ua.NodeId(ua.ObjectIds.Server)
        item.ItemToMonitor.AttributeId = ua.AttributeIds.EventNotifier
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = EVENTS_HANDLE
        item.RequestedParameters.QueueSize = 10_000
        item.RequestedParameters.DiscardOldest = True
        item.RequestedParameters.Filter = event_filter
        (result,) = await self._create([item])
        result.StatusCode.check()

    async def watch(self) -> None:
        """Return never; raise when the subscription is dead.

        Raises:
            SessionLostError: the server is silent, ended the subscription, or notifications went missing.
        """
        limit_s = KEEP_ALIVE_S * SILENCE_FACTOR
        while True:
            await asyncio.sleep(0.5)
            if self._fault:
                raise SessionLostError(self._fault)
            silent_s = time.monotonic() - self._last_heard
            if silent_s > limit_s:
                msg = f"the server has published nothing for {silent_s:.0f} s, not even a sign of life"
                raise SessionLostError(msg)

    def _value_item(self, position: int, node_id: ua.NodeId, tag: Tag) -> ua.MonitoredItemCreateRequest:
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = node_id
        item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = position
        item.RequestedParameters.SamplingInterval = self._clock.real_seconds(float(tag.sampling_ms))
        item.RequestedParameters.QueueSize = tag.queue_size
        item.RequestedParameters.DiscardOldest = True
        # Without the timestamp in the trigger an unchanged value is not reported: it would look like a gap.
        item.RequestedParameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValueTimestamp,
            DeadbandType=ua.DeadbandType.None_,
            DeadbandValue=0.0,
        )
        return item

    async def _create(self, items: list[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = self.subscription_id
        parameters.ItemsToCreate = items
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        return list(await self._client.uaclient.session.create_monitored_items(parameters))

    def _on_publish(self, result: ua.PublishResult) -> None:
        self._last_heard = time.monotonic()
        notifications = result.NotificationMessage.NotificationData
        if not notifications:
            return  # a keep-alive carries the number that the next message will use
        self._check_sequence(result.NotificationMessage.SequenceNumber)
        arrived_us = (to_ticks(self._clock.now()) - UNIX_EPOCH_TICKS) // 10
        for notification in notifications:
            if isinstance(notification, ua.DataChangeNotification):
                self._take(live_points_of(notification), arrived_us)
            elif isinstance(notification, ua.EventNotificationList):
                self._take_events([event.EventFields for event in notification.Events])
            elif isinstance(notification, ua.StatusChangeNotification):
                self._fault = f"the server ended the subscription: {notification.Status}"

    def _check_sequence(self, number: int) -> None:
        if self._expected_sequence is not None and number != self._expected_sequence:
            self._fault = (
                f"notification {number} came where {self._expected_sequence} was expected: values were lost "
                "on the way; history will close the hole"
            )
        self._expected_sequence = number + 1 if number < 2**32 - 1 else 1
