"""History as a historian serves it: bounded pages, exact source times, computed when asked for.

Nothing is stored: a page is the plant's pure function over the window. Continuation points hold the source
time of the next value and nothing else, so that they outlive a restart and cost the server no memory.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.server.history import HistoryManager

from protocols.opcua_time import from_ticks, to_ticks
from reference_plant.plant.alarms import alarm_events
from reference_plant.plant.simulation import BLOCK_TICKS, Plant, Series
from reference_plant.servers.events import condition_event
from reference_plant.servers.values import history_data

MAX_VALUES_PER_NODE = 10_000
MAX_VALUES_PER_READ = 60_000
MAX_EVENTS_PER_READ = 1_000


class PlantHistory(HistoryManager):
    """Answers HistoryRead for the tags and alarms of one system.

    Not supported: processed, at-time and modified reads, index ranges, and bounding values.
    """

    def __init__(
        self,
        iserver: Any,
        plant: Plant,
        system_id: str,
        *,
        namespace: int,
        first_ticks: int,
        now: Callable[[], int],
    ) -> None:
        super().__init__(iserver)
        self._plant = plant
        self._system_id = system_id
        self._namespace = namespace
        self._first_ticks = first_ticks
        self._now = now
        self._tags = {tag.tag_id: tag for tag in plant.systems[system_id] if tag.has_history}

    async def read_history(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """One result a node. The values of one call are bounded, and shared out among its nodes."""
        if params.ReleaseContinuationPoints:
            return [ua.HistoryReadResult() for _ in params.NodesToRead]
        limit = max(1, min(MAX_VALUES_PER_NODE, MAX_VALUES_PER_READ // max(1, len(params.NodesToRead))))
        results = []
        for node in params.NodesToRead:
            results.append(self._read_node(params, node, limit))
            await asyncio.sleep(0)  # let the live values through between two nodes
        return results

    def _read_node(
        self, params: ua.HistoryReadParameters, node: ua.HistoryReadValueId, limit: int
    ) -> ua.HistoryReadResult:
        details = params.HistoryReadDetails
        try:
            if isinstance(details, ua.ReadEventDetails):
                return self._read_events(details, node)
            if isinstance(details, ua.ReadRawModifiedDetails) and not details.IsReadModified:
                return self._read_values(details, node, limit, params.TimestampsToReturn)
        except struct.error:
            return _refused(ua.StatusCodes.BadContinuationPointInvalid)
        return _refused(ua.StatusCodes.BadHistoryOperationUnsupported)

    def _read_values(
        self, details: ua.ReadRawModifiedDetails, node: ua.HistoryReadValueId, limit: int, timestamps: Any
    ) -> ua.HistoryReadResult:
        tag = (
            self._tags.get(node.NodeId.Identifier) if node.NodeId.NamespaceIndex == self._namespace else None
        )
        if tag is None:
            return _refused(ua.StatusCodes.BadNodeIdUnknown)
        low, high, is_reverse = self._bounds(details, node)
        if details.NumValuesPerNode:
            limit = min(limit, details.NumValuesPerNode)
        series, following = read_page(self._plant, tag.tag_id, low, high, limit=limit, is_reverse=is_reverse)
        result = ua.HistoryReadResult()
        result.HistoryData = history_data(tag.data_type, series, timestamps)
        result.ContinuationPoint = None if following is None else struct.pack("<q", following)
        if len(series) == 0:
            result.StatusCode = ua.StatusCode(ua.StatusCodes.GoodNoData)
        return result

    def _read_events(self, details: ua.ReadEventDetails, node: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        if node.NodeId != ua.NodeId(ua.ObjectIds.Server):
            return _refused(ua.StatusCodes.BadNodeIdUnknown)
        low, high, is_reverse = self._bounds(details, node)
        limit = min(MAX_EVENTS_PER_READ, details.NumValuesPerNode or MAX_EVENTS_PER_READ)
        events = (
            alarm_events(self._plant, self._system_id, from_ticks(low), from_ticks(high))
            if low < high
            else []
        )
        if is_reverse:
            events.reverse()
        result = ua.HistoryReadResult()
        clauses = details.Filter.SelectClauses
        fields = [
            condition_event(event, self._namespace).to_event_fields(clauses) for event in events[:limit]
        ]
        result.HistoryData = ua.HistoryEvent([ua.HistoryEventFieldList(row) for row in fields])
        result.ContinuationPoint = struct.pack("<q", events[limit].ticks) if len(events) > limit else None
        return result

    def _bounds(self, details: Any, node: ua.HistoryReadValueId) -> tuple[int, int, bool]:
        """The half-open window in ticks still to be read, and whether newest comes first (Part 11, 6.4.3)."""
        start, end = _ticks(details.StartTime), _ticks(details.EndTime)
        is_reverse = start == 0 or (end != 0 and start > end)
        if is_reverse:
            low, high = (end if start else 0) + 1, (start or end) + 1
        else:
            low, high = start, end or self._now()
            high += low == high
        if node.ContinuationPoint:
            (following,) = struct.unpack("<q", node.ContinuationPoint)
            low, high = (low, following + 1) if is_reverse else (following, high)
        return max(low, self._first_ticks), min(high, self._now()), is_reverse


def read_page(
    plant: Plant, tag_id: str, low: int, high: int, *, limit: int, is_reverse: bool
) -> tuple[Series, int | None]:
    """At most `limit` samples of a half-open window, and the source time of the next one if there is one."""
    parts: list[Series] = []
    count = 0
    while low < high and count <= limit:
        if is_reverse:
            begin = max(low, high - BLOCK_TICKS)
            part = plant.series(tag_id, begin, high).part(slice(None, None, -1))
            high = begin
        else:
            end = min(high, low + BLOCK_TICKS)
            part = plant.series(tag_id, low, end)
            low = end
        parts.append(part)
        count += len(part)
    if not parts:
        return plant.series(tag_id, low, low), None
    found = Series(
        np.concatenate([part.ticks for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.status for part in parts]),
    )
    return found.part(slice(limit)), int(found.ticks[limit]) if count > limit else None


def _ticks(at: Any) -> int:
    return 0 if at is None else to_ticks(at)


def _refused(code: int) -> ua.HistoryReadResult:
    result = ua.HistoryReadResult()
    result.StatusCode = ua.StatusCode(code)
    return result
