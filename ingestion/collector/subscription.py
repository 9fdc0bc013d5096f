"""The live side: subscriptions for all tags, by publishing group, and as many as the server's limits need.

They outlive a connection: a session that is resumed, or one that takes them over, goes on with them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.limits import chunks
from ingestion.collector.monitored_items import FILTER_REFUSED, NO_ROOM, event_item, value_item
from ingestion.collector.notifications import join_live
from ingestion.collector.subscription_calls import (
    create_items,
    create_subscription,
    delete_alone,
    status_name,
)
from ingestion.collector.subscription_flow import SubscriptionFlow
from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ingestion.collector.notifications import LivePoints, NotificationMessage
    from ingestion.collector.publishing import Publishing
    from ingestion.collector.session import Session
    from ingestion.collector.tag_table import Tag
    from protocols.clock import Clock

KEEP_ALIVE_S = 5.0
# Silence of this many keep-alives means the subscription is dead though the socket lives.
SILENCE_FACTOR = 4
# A server keeps a subscription that nobody asks for this many keep-alives.
LIFETIME_FACTOR = 24
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receivers:
    """Where what arrives goes.

    Attributes:
        points: live points in order, and their arrival in µs since 1970.
        events: the field lists of events.
        lost: tags of which notifications were lost before the next one, and how that is known.
        published: the server's time of a message, ticks.
    """

    points: Callable[[LivePoints, int], None]
    events: Callable[[list[Any]], None]
    lost: Callable[[list[int], str], None]
    published: Callable[[int], None] = lambda _ticks: None


@dataclass
class _Live:
    """One subscription on the server, and the tags in it."""

    owner: LiveSubscriptions
    clock: Clock
    publishing_ms: float
    tags: list[int] = field(default_factory=list)
    flow: SubscriptionFlow | None = None
    is_full: bool = False

    @property
    def subscription_id(self) -> int:
        """The server's id of it."""
        assert self.flow is not None
        return self.flow.subscription_id

    def take(self, messages: Sequence[NotificationMessage]) -> None:
        now = to_ticks(self.clock.now())
        receivers = self.owner.receivers
        for message in messages:
            receivers.published(message.published_ticks)
        points = [points for message in messages for points in message.points]
        if points:
            receivers.points(join_live(points), (now - UNIX_EPOCH_TICKS) // 10)
        for message in messages:
            for events in message.events:
                receivers.events(events)

    def lose(self, reason: str) -> None:
        self.owner.receivers.lost(list(self.tags), reason)


class LiveSubscriptions:
    """All subscriptions of one system on one server.

    Args:
        clock: plant time, for arrival and for sampling at the plant's speed.
        receivers: where what arrives goes.
        publish_every_ms: publishing interval of tags without a group of their own.
    """

    def __init__(self, clock: Clock, receivers: Receivers, publish_every_ms: float) -> None:
        self._clock = clock
        self.receivers = receivers
        self._publish_every_ms = publish_every_ms
        self._lives: list[_Live] = []
        self.notes: dict[int, str] = {}

    @property
    def subscription_ids(self) -> list[int]:
        """The server's ids of them."""
        return [live.flow.subscription_id for live in self._lives if live.flow]

    async def add(
        self, session: Session, publishing: Publishing, items: Mapping[int, ua.NodeId], tags: Sequence[Tag]
    ) -> dict[int, str]:
        """Monitor tags' values.

        Args:
            session: where.
            publishing: carries their messages.
            items: node ids by tag position.
            tags: the tag table.

        Returns:
            The tags that could not be monitored, with the status' name.
        """
        groups: dict[float, list[int]] = {}
        for position in items:
            interval = tags[position].publishing_ms or self._publish_every_ms
            groups.setdefault(interval, []).append(position)
        failed: dict[int, str] = {}
        for interval, positions in groups.items():
            failed |= await self._add_group(session, publishing, interval, positions, items, tags)
        return failed

    async def add_events(self, session: Session, publishing: Publishing, event_filter: ua.EventFilter) -> int:
        """Monitor the events of the Server object; the subscription's id.

        Raises:
            ua.UaStatusCodeError: the server offers none.
        """
        live = await self._live_with_room(session, publishing, self._publish_every_ms)
        (result,) = await create_items(session, live.subscription_id, [event_item(event_filter)])
        result.StatusCode.check()
        assert live.flow is not None
        return live.flow.subscription_id

    def resume(self, publishing: Publishing) -> None:
        """Go on with the subscriptions: the session is the same, only its connection is new."""
        for live in self._lives:
            if live.flow is not None:
                publishing.add(live.flow)

    async def transfer(self, session: Session, publishing: Publishing) -> bool:
        """Take the subscriptions over into a new session (Part 4 §5.14.7); whether all of them came along."""
        parameters = ua.TransferSubscriptionsParameters()
        parameters.SubscriptionIds = self.subscription_ids
        parameters.SendInitialValues = True
        try:
            results = await session.client.uaclient.session.transfer_subscriptions(parameters)
        except ua.UaStatusCodeError as error:
            _log.info("subscriptions cannot be taken over: %s", type(error).__name__)
            return False
        if len(results) != len(self._lives) or not all(found.StatusCode.is_good() for found in results):
            came = [
                number
                for number, found in zip(self.subscription_ids, results, strict=False)
                if found.StatusCode.is_good()
            ]
            await delete_alone(session, came)
            return False
        self.resume(publishing)
        for live, found in zip(self._lives, results, strict=True):
            if live.flow is not None:
                publishing.catch_up(live.flow, tuple(found.AvailableSequenceNumbers or ()))
        return True

    async def _add_group(
        self,
        session: Session,
        publishing: Publishing,
        interval: float,
        positions: Sequence[int],
        items: Mapping[int, ua.NodeId],
        tags: Sequence[Tag],
    ) -> dict[int, str]:
        failed: dict[int, str] = {}
        waiting = list(positions)
        while waiting:
            live = await self._live_or_another(session, publishing, interval)
            if live is None:
                return failed | dict.fromkeys(waiting, status_name(ua.StatusCodes.BadTooManySubscriptions))
            if live.publishing_ms != interval:
                shared = f"BadTooManySubscriptions: published every {live.publishing_ms:g} ms, with others"
                self.notes |= dict.fromkeys(waiting, shared)
            refused = await self._fill(session, live, waiting, items, tags)
            no_room = [position for position in refused if refused[position] in NO_ROOM]
            failed |= {
                position: status_name(refused[position]) for position in refused if position not in no_room
            }
            if no_room and not live.tags:
                # Not even an empty subscription takes them: the server itself is full.
                return failed | {position: status_name(refused[position]) for position in no_room}
            live.is_full = bool(no_room)
            waiting = no_room
        return failed

    async def _live_or_another(
        self, session: Session, publishing: Publishing, interval: float
    ) -> _Live | None:
        """A subscription with room; where the server gives no more, one of another publishing interval.

        Raises:
            ua.UaStatusCodeError: the server gives none at all.
        """
        try:
            return await self._live_with_room(session, publishing, interval)
        except ua.UaStatusCodeError as error:
            if error.code != ua.StatusCodes.BadTooManySubscriptions or not self._lives:
                raise
            return next((live for live in self._lives if not live.is_full), None)

    async def _fill(
        self,
        session: Session,
        live: _Live,
        positions: Sequence[int],
        items: Mapping[int, ua.NodeId],
        tags: Sequence[Tag],
    ) -> dict[int, int]:
        """Create items in one subscription; the status of each that was refused."""
        refused = await self._fill_with(session, live, positions, items, tags, has_filter=True)
        again = [position for position in refused if refused[position] in FILTER_REFUSED]
        if again:
            for position in again:
                self.notes[position] = (
                    f"{status_name(refused[position])}: monitored without deadband or trigger"
                )
            second = await self._fill_with(session, live, again, items, tags, has_filter=False)
            refused = {p: code for p, code in refused.items() if p not in again} | second
        return refused

    async def _fill_with(
        self,
        session: Session,
        live: _Live,
        positions: Sequence[int],
        items: Mapping[int, ua.NodeId],
        tags: Sequence[Tag],
        *,
        has_filter: bool,
    ) -> dict[int, int]:
        refused: dict[int, int] = {}
        for part in chunks(positions, session.limits.items_per_call):
            requests = [
                value_item(position, items[position], tags[position], self._clock, has_filter=has_filter)
                for position in part
            ]
            results = await create_items(session, live.subscription_id, requests)
            for position, result in zip(part, results, strict=True):
                if result.StatusCode.is_good():
                    live.tags.append(position)
                else:
                    refused[position] = result.StatusCode.value
        return refused

    async def _live_with_room(self, session: Session, publishing: Publishing, interval: float) -> _Live:
        for live in self._lives:
            if live.publishing_ms == interval and not live.is_full:
                return live
        live = _Live(self, self._clock, interval)
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = interval
        parameters.RequestedMaxKeepAliveCount = max(1, round(KEEP_ALIVE_S * 1000 / interval))
        parameters.RequestedLifetimeCount = parameters.RequestedMaxKeepAliveCount * LIFETIME_FACTOR
        parameters.MaxNotificationsPerPublish = 0
        parameters.PublishingEnabled = True
        result = await create_subscription(session, parameters)
        keep_alive_s = result.RevisedPublishingInterval * result.RevisedMaxKeepAliveCount / 1000
        silence_s = SILENCE_FACTOR * max(keep_alive_s, KEEP_ALIVE_S)
        live.flow = SubscriptionFlow(result.SubscriptionId, live, silence_s)
        self._lives.append(live)
        session.own.remember(self.subscription_ids)
        publishing.add(live.flow)
        return live
