"""HistoryRead: time slices, limits, continuation points, and no trust that a server ends.

HistoryError
├── HistoryRefusedError   the server keeps no history of this node; asking again is no use
├── HistoryStatusError    another bad status, a fault of the service, or no answer to be read; it may pass
└── HistoryStalledError   the server goes on without giving newer values
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.history_page import read_answers
from ingestion.collector.requests import ask
from protocols.opcua_time import TICKS_PER_SECOND, from_ticks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from asyncua import Client

    from ingestion.collector.history_page import HistoryAnswer
    from ingestion.collector.points import Page
    from ingestion.collector.settings import HistorySettings

# Answers that bring nothing newer before a server counts as repeating itself.
STALL_LIMIT = 3
NO_DATA = (ua.StatusCodes.GoodNoData, ua.StatusCodes.BadNoData)
# Fewer nodes in a call may help.
_TOO_MUCH = (
    ua.StatusCodes.BadTooManyOperations,
    ua.StatusCodes.BadResponseTooLarge,
    ua.StatusCodes.BadEncodingLimitsExceeded,
    ua.StatusCodes.BadTcpMessageTooLarge,
    ua.StatusCodes.BadNoContinuationPoints,
)
# The way on is lost, what came before is good.
_CUT = (ua.StatusCodes.BadContinuationPointInvalid, ua.StatusCodes.BadNoContinuationPoints)
_REFUSED = (
    ua.StatusCodes.BadHistoryOperationUnsupported,
    ua.StatusCodes.BadHistoryOperationInvalid,
    ua.StatusCodes.BadServiceUnsupported,
    ua.StatusCodes.BadUserAccessDenied,
    ua.StatusCodes.BadNotReadable,
)


class HistoryError(Exception):
    """History could not be read to its end."""


class HistoryRefusedError(HistoryError):
    """The server keeps no history of this node; asking again is no use."""


class HistoryStatusError(HistoryError):
    """Another bad status, a fault of the service, or no answer to be read; it may pass."""


class HistoryStalledError(HistoryError):
    """The server goes on without giving newer values."""


@dataclass
class HistoryRange:
    """One node's history from an instant on, and how its reading goes.

    Attributes:
        start: ticks; its own value included.
        error: why reading ended early; what was given until then is good.
    """

    node_id: ua.NodeId
    start: int
    error: HistoryError | None = None
    newest: int = 0
    stalls: int = 0
    continuation_point: bytes = b""


class HistoryReader:
    """Reads raw history over one session, of several nodes in a call.

    asyncua's own reader gathers everything in one list and trusts continuation points; this one gives page
    by page.

    Args:
        client: a connected client.
        settings: how much is asked for at once.
        nodes_per_call: the server's own limit.
    """

    def __init__(self, client: Client, settings: HistorySettings, nodes_per_call: int = 1) -> None:
        self._client = client
        self._slice_ticks = int(settings.slice_hours * 3600 * TICKS_PER_SECOND)
        self._values_per_read = settings.values_per_read
        self._nodes_per_call = max(1, min(nodes_per_call, settings.nodes_per_read))

    async def read(self, node_id: ua.NodeId, start: int, end: int) -> AsyncIterator[Page]:
        """Pages of the values of one node from `start` to `end` (ticks), oldest first.

        Raises:
            HistoryError: the leaf class says why it ended early; what was given until then is good.
            OSError: the session failed.
        """
        wanted = HistoryRange(node_id, start)
        async for _, page in self.read_many([wanted], end):
            yield page
        if wanted.error is not None:
            raise wanted.error

    async def read_many(self, ranges: Sequence[HistoryRange], end: int) -> AsyncIterator[tuple[int, Page]]:
        """Pages of several nodes up to `end` (ticks), each node's oldest first, by position in `ranges`.

        All are asked for from the earliest start on, so that starts should lie close together. A node that
        fails has its error in its range and stops no other.

        Raises:
            OSError: the session failed.
        """
        begin = min(wanted.start for wanted in ranges)
        while begin < end:
            until = min(begin + self._slice_ticks, end)
            active = [position for position, wanted in enumerate(ranges) if wanted.error is None]
            for position in active:
                ranges[position].newest, ranges[position].stalls = begin - 1, 0
                ranges[position].continuation_point = b""
            while active:
                part, active = active[: self._nodes_per_call], active[self._nodes_per_call :]
                for position, page, goes_on in await self._read_part(ranges, part, begin, until):
                    if goes_on:
                        active.append(position)
                    if len(page):
                        yield position, page
            begin = until

    async def _read_part(
        self, ranges: Sequence[HistoryRange], part: list[int], start: int, end: int
    ) -> list[tuple[int, Page, bool]]:
        """One call: by position the values, and whether there are more. A call that fails is split."""
        try:
            answers = await self._ask([ranges[position] for position in part], start, end)
        except (TimeoutError, ua.UaError) as error:
            if len(part) > 1:
                half = len(part) // 2
                if isinstance(error, ua.UaStatusCodeError) and error.code in _TOO_MUCH:
                    self._nodes_per_call = max(1, half)
                return [
                    *await self._read_part(ranges, part[:half], start, end),
                    *await self._read_part(ranges, part[half:], start, end),
                ]
            self._fail(ranges[part[0]], error)
            return []
        return [
            (position, answer.page, await self._goes_on(ranges[position], answer, start, end))
            for position, answer in zip(part, answers, strict=True)
        ]

    async def _goes_on(self, wanted: HistoryRange, answer: HistoryAnswer, start: int, end: int) -> bool:
        """Whether to ask on; notes what is wrong with an answer."""
        page_newest = int(answer.page.ticks.max()) if len(answer.page) else wanted.newest
        is_newer = page_newest > wanted.newest
        wanted.newest = max(wanted.newest, page_newest)
        if answer.status in _CUT and wanted.newest >= start:
            # The server has no room for continuation points: what came is good, the rest is asked for anew.
            self._nodes_per_call = max(1, self._nodes_per_call // 2)
            return False
        if answer.status not in NO_DATA and answer.status & 0x8000_0000:
            wanted.error = failure_of(answer.status, wanted.node_id)
            return False
        if not answer.continuation_point:
            return False
        wanted.stalls = 0 if is_newer else wanted.stalls + 1
        wanted.continuation_point = answer.continuation_point
        if wanted.stalls < STALL_LIMIT:
            return True
        await self._release(wanted, start, end)
        msg = (
            f"history of {wanted.node_id.to_string()}: {wanted.stalls} answers after "
            f"{from_ticks(wanted.newest).isoformat()} brought nothing newer, and yet there "
            "is a continuation point; the server repeats itself"
        )
        wanted.error = HistoryStalledError(msg)
        return False

    def _fail(self, wanted: HistoryRange, error: Exception) -> None:
        if isinstance(error, ua.UaStatusCodeError):
            wanted.error = failure_of(error.code, wanted.node_id)
            return
        # One node's: whether the session as a whole is dead is for those to say who watch it.
        msg = f"history of {wanted.node_id.to_string()}: no answer to be read: {error!r}"
        wanted.error = HistoryStatusError(msg)

    async def _release(self, wanted: HistoryRange, start: int, end: int) -> None:
        try:
            await self._ask([wanted], start, end, release=True)
        except (TimeoutError, ua.UaError):
            return  # the server forgets it by itself in time

    async def _ask(
        self, ranges: Sequence[HistoryRange], start: int, end: int, *, release: bool = False
    ) -> list[HistoryAnswer]:
        request = ua.HistoryReadRequest()
        request.Parameters.HistoryReadDetails = ua.ReadRawModifiedDetails(
            IsReadModified=False,
            StartTime=from_ticks(start),
            EndTime=from_ticks(end),
            NumValuesPerNode=self._values_per_read,
            ReturnBounds=False,
        )
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ReleaseContinuationPoints = release
        request.Parameters.NodesToRead = [
            ua.HistoryReadValueId(NodeId=wanted.node_id, ContinuationPoint=wanted.continuation_point or None)
            for wanted in ranges
        ]
        return read_answers(await ask(self._client, request, "HistoryRead"), len(ranges))


def failure_of(status: int, node_id: ua.NodeId) -> HistoryError:
    """The error that a bad status of a node's history stands for."""
    name = ua.status_codes.get_name_and_doc(status)[0]
    msg = f"history of {node_id.to_string()}: {name}"
    return HistoryRefusedError(msg) if status in _REFUSED else HistoryStatusError(msg)
