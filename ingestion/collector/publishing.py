"""Publish requests, several at a time, and what their answers mean: order, loss, what is acknowledged.

asyncua keeps the session, its security and its services; of its Publish loop nothing is used, because that
has a single request outstanding, does not look at sequence numbers and acknowledges what nobody has kept yet.
Here a message is acknowledged once it is sealed: until then the server keeps it and can send it again.

A message that is missing is waited for a little, for answers may overtake each other; then it is asked for
again (Republish). What the server no longer has is told to the subscriber before anything after it is handed
on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.notifications import read_publish_answers, read_republish_answer
from ingestion.collector.publish_requests import PublishRequests
from ingestion.collector.requests import ask
from ingestion.collector.sequences import EARLY_LIMIT, distance, following
from ingestion.collector.session import SessionLostError, raise_if_gone
from ingestion.collector.strangers import Strangers

if TYPE_CHECKING:
    from asyncua import Client

    from ingestion.collector.notifications import NotificationMessage, PublishAnswer
    from ingestion.collector.publish_requests import Answered
    from ingestion.collector.subscription_flow import Counts, SubscriptionFlow, Taken

# A request that fails at once is not repeated at once.
FAULT_PAUSE_S = 0.2
MALFORMED_PAUSE_S = 0.01
# Missing messages that are asked for one by one; a longer hole is left to history.
REPUBLISH_LIMIT = 500
_log = logging.getLogger(__name__)


class Publishing:
    """Keeps Publish requests at the server and hands messages on in order.

    Args:
        client: a connected client.
        taken: says when a message is safe.
        requests: how many requests wait at the server.
        reorder_wait_s: how long an early message waits for those before it.
        counts: kept over connections.
    """

    def __init__(
        self, client: Client, taken: Taken, *, requests: int, reorder_wait_s: float, counts: Counts
    ) -> None:
        self._client = client
        self._taken = taken
        self._requests = PublishRequests(client, requests)
        self._reorder_wait_s = reorder_wait_s
        self._counts = counts
        self._flows: dict[int, SubscriptionFlow] = {}
        self._strangers = Strangers(client)
        self._acknowledge: deque[tuple[int, int]] = deque()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._begun = asyncio.Event()  # without a subscription there is nothing to ask for
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, flow: SubscriptionFlow) -> None:
        """Hand the messages of a subscription to its subscriber from now on."""
        flow.heard_at = time.monotonic()
        self._flows[flow.subscription_id] = flow
        self._begun.set()
        self._repair_if_due(flow)

    def catch_up(self, flow: SubscriptionFlow, available: tuple[int, ...]) -> None:
        """The server says which messages it holds for a subscription taken over: ask for those not had."""
        flow.available = available
        newer = [number for number in available if distance(flow.order.expected, number) >= 0]
        if newer:
            last = max(newer, key=lambda number: distance(flow.order.expected, number))
            self._know_before(flow, following(last))

    def pause(self, is_paused: bool) -> None:
        """Ask for nothing more, or go on asking."""
        if is_paused:
            self._may_read.clear()
            return
        for flow in self._flows.values():
            flow.heard_at = time.monotonic()
        self._may_read.set()
        self._requests.wake()

    async def run(self) -> None:
        """Publish until something ends it.

        Raises:
            SessionLostError: session, subscription or connection is gone, or the server is silent.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publish())
                group.create_task(self._watch())
                group.create_task(self._raise_failure())
        finally:
            for flow in self._flows.values():
                if flow.repair is not None:
                    flow.repair.cancel()
                    flow.repair = None

    async def _publish(self) -> None:
        await self._begun.wait()
        while True:
            if self._may_read.is_set():
                self._requests.ask(self._acknowledgements)
            self._take(await self._requests.answers())

    def _take(self, answered: list[Answered]) -> None:
        """Hand on what came, then look at what failed: that may end the session."""
        arrived = [
            (answer.content, answer) for answer in answered if not isinstance(answer.content, BaseException)
        ]
        failed = [
            (answer.content, answer) for answer in answered if isinstance(answer.content, BaseException)
        ]
        read = read_publish_answers([content for content, _ in arrived])
        for found, (_, answer) in zip(read, arrived, strict=True):
            if isinstance(found, ua.UaError):
                failed.append((found, answer))
            else:
                self._handle(found)
        for flow in self._flows.values():
            self._flush(flow)
        for error, answer in failed:
            self._bear(error, answer)

    def _bear(self, error: BaseException, answer: Answered) -> None:
        """A request that failed: ask again, after a while."""
        if isinstance(error, ua.UaStatusCodeError):
            self._acknowledge.extendleft(reversed(answer.acknowledgements))
            if error.code == ua.StatusCodes.BadTooManyPublishRequests and self._requests.most > 1:
                self._requests.most -= 1  # the server takes fewer at a time
                return
            raise_if_gone(error)
            self._requests.rest(FAULT_PAUSE_S)
        elif isinstance(error, ua.UaError):
            # Its number is unknown, so the next message or keep-alive shows that it is missing.
            self._counts.malformed += 1
            _log.info("answer to Publish: %s", error)
            self._requests.rest(MALFORMED_PAUSE_S)
        else:
            msg = "Publish: the connection is closed"
            raise ConnectionError(msg) from error

    def _acknowledgements(self) -> list[tuple[int, int]]:
        sealed = self._taken.sealed()
        for flow in self._flows.values():
            while flow.unsealed and _is_within(flow.unsealed[0][1], sealed):
                self._acknowledge.append((flow.subscription_id, flow.unsealed.popleft()[0]))
        due = list(self._acknowledge)
        self._acknowledge.clear()
        return due

    def _handle(self, answer: PublishAnswer) -> None:
        flow = self._flows.get(answer.subscription_id)
        if flow is None:
            self._strangers.note(answer.subscription_id)
            return
        flow.heard_at = time.monotonic()
        flow.available = answer.available_sequences
        message = answer.message
        if message.is_keep_alive:
            self._know_before(flow, message.sequence)
        else:
            self._counts.messages += 1
            self._offer(flow, message)

    def _offer(self, flow: SubscriptionFlow, message: NotificationMessage) -> None:
        early = flow.order.early
        step = flow.order.offer(message.sequence, message, message.published_ticks)
        self._counts.reordered += flow.order.early > early
        if step.is_break:
            self._tell_loss(flow, f"numbers broke off before {message.sequence}")
        self._hand_on(flow, step.ready)
        self._repair_if_due(flow)

    def _know_before(self, flow: SubscriptionFlow, number: int) -> None:
        step = flow.order.know_before(number)
        if step.is_break:
            self._tell_loss(flow, f"numbers broke off before {number}")
            self._hand_on(flow, step.ready)
        self._repair_if_due(flow)

    def _hand_on(self, flow: SubscriptionFlow, messages: list[NotificationMessage]) -> None:
        if messages:
            self._tell_given_up(flow)
        flow.ready += messages

    def _flush(self, flow: SubscriptionFlow) -> None:
        """Give the subscriber what is in order, all at once."""
        messages, flow.ready = flow.ready, []
        if not messages:
            return
        flow.subscriber.take(messages)
        taken = self._taken.taken()
        for message in messages:
            flow.unsealed.append((message.sequence, taken))
            if message.status_change is not None and message.status_change & 0x8000_0000:
                flow.ended = f"the server ended the subscription: 0x{message.status_change:08X}"

    def _tell_loss(self, flow: SubscriptionFlow, reason: str) -> None:
        self._flush(flow)
        self._counts.lost += 1
        _log.warning("subscription %d: %s", flow.subscription_id, reason)
        flow.subscriber.lose(f"subscription {flow.subscription_id}: {reason}")

    def _repair_if_due(self, flow: SubscriptionFlow) -> None:
        if flow.order.is_whole or (flow.repair is not None and not flow.repair.done()):
            return
        flow.repair = asyncio.create_task(self._repair(flow))
        flow.repair.add_done_callback(self._note_failure)

    async def _repair(self, flow: SubscriptionFlow) -> None:
        """Wait for what may be on its way; fetch what is missing, and give up what cannot be fetched."""
        await asyncio.sleep(self._reorder_wait_s)
        asked = 0
        while numbers := flow.order.missing(1):
            number = numbers[0]
            is_there = not flow.available or number in flow.available
            may_ask = is_there and asked < REPUBLISH_LIMIT and flow.order.early < EARLY_LIMIT
            asked += 1
            message = await self._republish(flow, number) if may_ask else None
            if message is not None:
                self._counts.republished += 1
                self._offer(flow, message)
            elif number == flow.order.expected:  # it may have come while it was asked for
                flow.given_up.append(number)
                self._hand_on(flow, flow.order.skip(number))
            self._flush(flow)
        self._tell_given_up(flow)

    def _tell_given_up(self, flow: SubscriptionFlow) -> None:
        numbers, flow.given_up = flow.given_up, []
        if numbers:
            self._counts.lost += len(numbers) - 1
            self._tell_loss(flow, f"notifications {numbers[0]} to {numbers[-1]} were lost on the way")

    async def _republish(self, flow: SubscriptionFlow, number: int) -> NotificationMessage | None:
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = flow.subscription_id
        request.Parameters.RetransmitSequenceNumber = number
        try:
            message = read_republish_answer(await ask(self._client, request, "Republish"))
        except ua.UaStatusCodeError as error:
            raise_if_gone(error)
            return None
        except ua.UaError:
            self._counts.malformed += 1
            return None
        return message if message.sequence == number and not message.is_keep_alive else None

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _raise_failure(self) -> None:
        await self._failed

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            await self._strangers.delete(self._flows)
            for flow in self._flows.values():
                if flow.ended:
                    raise SessionLostError(flow.ended)
                silent_s = time.monotonic() - flow.heard_at
                if self._may_read.is_set() and silent_s > flow.silence_s:
                    msg = f"the server has published nothing for {silent_s:.0f} s, not even a sign of life"
                    raise SessionLostError(msg)


def _is_within(needed: tuple[int, ...], sealed: tuple[int, ...]) -> bool:
    return all(need <= have for need, have in zip(needed, sealed, strict=True))
