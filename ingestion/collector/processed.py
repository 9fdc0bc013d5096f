"""Processed history: aggregates that the server computes over intervals (OPC UA Part 11 §6.5.4.2, Part 13).

For tags whose table names a function and an interval; they are not subscribed. A point is an interval, dated
by its start, and is read once the interval has lain in the past for as long as a historian needs to settle.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.history import NO_DATA, HistoryError, HistoryStalledError, failure_of
from ingestion.collector.history_page import read_answers
from ingestion.collector.requests import ask
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, from_ticks, to_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingestion.collector.collection_parts import CollectionParts
    from ingestion.collector.history_page import HistoryAnswer
    from ingestion.collector.session import Session
    from ingestion.collector.tag_table import Aggregate, Tag

LOOK_EVERY_S = 1.0
# Intervals asked for at once.
INTERVALS_PER_READ = 1000
# Answers to one question; more of them is a server that never ends.
ANSWERS_LIMIT = 10_000


class ProcessedReading:
    """Reads the aggregates of a system's tags over one session, as their intervals end.

    Args:
        session: a connected one.
        node_ids: by tag position.
        tags: the tag table.
        parts: the system's collection.
        may_read: is clear while reading stands still.
    """

    def __init__(
        self,
        session: Session,
        node_ids: Mapping[int, ua.NodeId],
        tags: Sequence[Tag],
        parts: CollectionParts,
        may_read: asyncio.Event,
    ) -> None:
        self._session = session
        self._node_ids = node_ids
        self._tags = tags
        self._parts = parts
        self._may_read = may_read
        self._wanted = {tag: found for tag in node_ids if (found := tags[tag].aggregate) is not None}
        self._begun = to_ticks(parts.clock.now())
        self._not_before: dict[int, float] = {}

    async def work(self) -> None:
        """Read what is due, for ever; a tag that fails waits and stops no other."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for tag, aggregate in self._wanted.items():
                await self._may_read.wait()
                if loop.time() < self._not_before.get(tag, 0.0):
                    continue
                try:
                    await self._read(tag, aggregate)
                except HistoryError as error:
                    self._not_before[tag] = loop.time() + self._parts.settings.retry_every_s
                    self._parts.status.fail(self._parts.tag_ids[tag], "history", f"{error}; tried again")
                else:
                    self._parts.status.recover(self._parts.tag_ids[tag], "history")

    async def _read(self, tag: int, aggregate: Aggregate) -> None:
        step = int(aggregate.interval_s * TICKS_PER_SECOND)
        mark = self._parts.buffer.mark(tag)
        start = mark + step if mark else _floor(self._parts.start or self._begun, step)
        settled = to_ticks(self._parts.clock.now()) - int(
            self._parts.settings.history.settle_s * TICKS_PER_SECOND
        )
        end = _floor(settled, step)
        while start < end:
            until = min(end, start + INTERVALS_PER_READ * step)
            await self._read_part(tag, aggregate, start, until)
            start = until

    async def _read_part(self, tag: int, aggregate: Aggregate, start: int, end: int) -> None:
        continuation_point = b""
        for _ in range(ANSWERS_LIMIT):
            answer = await self._ask(self._node_ids[tag], aggregate, start, end, continuation_point)
            if answer.status not in NO_DATA and answer.status & 0x8000_0000:
                raise failure_of(answer.status, self._node_ids[tag])
            arrived_us = (to_ticks(self._parts.clock.now()) - UNIX_EPOCH_TICKS) // 10
            self._parts.buffer.admit_page(tag, answer.page, arrived_us)
            await self._parts.sealing.wait_for_room()
            if not answer.continuation_point:
                return
            continuation_point = answer.continuation_point
        msg = f"processed history of {self._node_ids[tag].to_string()}: the server never ends"
        raise HistoryStalledError(msg)

    async def _ask(
        self, node_id: ua.NodeId, aggregate: Aggregate, start: int, end: int, continuation_point: bytes
    ) -> HistoryAnswer:
        function = getattr(ua.ObjectIds, f"AggregateFunction_{aggregate.name}", None)
        if function is None:
            msg = f"{aggregate.name} is no aggregate function of OPC UA Part 13; correct the tag table"
            raise HistoryError(msg)
        request = ua.HistoryReadRequest()
        request.Parameters.HistoryReadDetails = ua.ReadProcessedDetails(
            StartTime=from_ticks(start),
            EndTime=from_ticks(end),
            ProcessingInterval=aggregate.interval_s * 1000,
            AggregateType=[ua.NodeId(function)],
            AggregateConfiguration=ua.AggregateConfiguration(UseServerCapabilitiesDefaults=True),
        )
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ReleaseContinuationPoints = False
        request.Parameters.NodesToRead = [
            ua.HistoryReadValueId(NodeId=node_id, ContinuationPoint=continuation_point or None)
        ]
        try:
            (answer,) = read_answers(await ask(self._session.client, request, "HistoryRead"), 1)
        except ua.UaStatusCodeError as error:
            raise failure_of(error.code, node_id) from error
        except (TimeoutError, ua.UaError) as error:
            msg = f"processed history of {node_id.to_string()}: no answer to be read: {error!r}"
            raise HistoryError(msg) from error
        return answer


def _floor(ticks: int, step: int) -> int:
    """The start of the interval that holds an instant; intervals are counted from 1970."""
    return UNIX_EPOCH_TICKS + (ticks - UNIX_EPOCH_TICKS) // step * step
