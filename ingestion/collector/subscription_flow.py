"""One subscription's messages between two connections: their order, and what may be acknowledged of them."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from ingestion.collector.sequences import SequenceOrder

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from ingestion.collector.notifications import NotificationMessage


class Subscriber(Protocol):
    """Whom a subscription's messages are for."""

    def take(self, messages: Sequence[NotificationMessage]) -> None:
        """Messages that hold something, in order."""

    def lose(self, reason: str) -> None:
        """Messages before the next one that is taken are gone for good."""


class Taken(Protocol):
    """How far points and events have come: taken in, and safe on the disk."""

    def taken(self) -> tuple[int, ...]:
        """How many points and events were ever taken in."""

    def sealed(self) -> tuple[int, ...]:
        """How many of them are sealed."""


class SubscriptionFlow:
    """One subscription's messages: their order, and which of them may be acknowledged.

    It outlives a connection: on the next one the server may still have the subscription.
    """

    def __init__(self, subscription_id: int, subscriber: Subscriber, silence_s: float) -> None:
        self.subscription_id = subscription_id
        self.subscriber = subscriber
        self.order: SequenceOrder[NotificationMessage] = SequenceOrder()
        self.silence_s = silence_s
        self.heard_at = time.monotonic()
        self.available: tuple[int, ...] = ()
        self.unsealed: deque[tuple[int, tuple[int, ...]]] = (
            deque()
        )  # sequence number, what must be sealed for it
        self.ready: list[NotificationMessage] = []  # in order, and not handed on yet
        self.repair: asyncio.Task[None] | None = None
        self.ended: str | None = None
        self.given_up: list[int] = []  # lost for good, and not told yet


class Counts:
    """What happened to messages since the start, for the status."""

    def __init__(self) -> None:
        self.messages = self.reordered = self.republished = self.lost = self.malformed = 0
