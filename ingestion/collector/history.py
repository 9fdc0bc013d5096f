"""HistoryRead of one tag: time slices, limits, continuation points, and no trust that a server ends.

HistoryError
├── HistoryRefusedError   the server keeps no history of this node; asking again is no use
├── HistoryStatusError    another bad status, a fault of the service, or no answer to be read; it may pass
└── HistoryStalledError   the server goes on without giving newer values
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.history_page import read_answer
from protocols.opcua_time import TICKS_PER_SECOND, from_ticks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncua import Client

    from ingestion.collector.history_page import HistoryAnswer
    from ingestion.collector.points import Page
    from ingestion.collector.settings import HistorySettings

# Answers that bring nothing newer before a server counts as repeating itself.
STALL_LIMIT = 3
_NO_DATA = (ua.StatusCodes.GoodNoData, ua.StatusCodes.BadNoData)
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


class HistoryReader:
    """Reads raw history over one session.

    asyncua's own reader gathers everything in one list and trusts continuation points; this one gives page
    by page.
    """

    def __init__(self, client: Client, settings: HistorySettings) -> None:
        self._client = client
        self._slice_ticks = int(settings.slice_hours * 3600 * TICKS_PER_SECOND)
        self._values_per_read = settings.values_per_read

    async def read(self, node_id: ua.NodeId, start: int, end: int) -> AsyncIterator[Page]:
        """Pages of the values from `start` to `end` (ticks), oldest first; the start's own value included.

        Raises:
            HistoryError: the leaf class says why it ended early; what was given until then is good.
            OSError: the session failed.
        """
        begin = start
        while begin < end:
            until = min(begin + self._slice_ticks, end)
            async for page in self._read_slice(node_id, begin, until):
                yield page
            begin = until

    async def _read_slice(self, node_id: ua.NodeId, start: int, end: int) -> AsyncIterator[Page]:
        continuation_point, newest, stalls = b"", start - 1, 0
        while True:
            answer = await self._ask(node_id, start, end, continuation_point)
            _require_usable(answer.status, node_id)
            page_newest = int(answer.page.ticks.max()) if len(answer.page) else newest
            if len(answer.page):
                yield answer.page
            if not answer.continuation_point:
                return
            stalls = 0 if page_newest > newest else stalls + 1
            if stalls >= STALL_LIMIT:
                await self._ask(node_id, start, end, answer.continuation_point, release=True)
                msg = (
                    f"history of {node_id.to_string()}: {stalls} answers after "
                    f"{from_ticks(newest).isoformat()} brought nothing newer, and yet there "
                    "is a continuation point; the server repeats itself"
                )
                raise HistoryStalledError(msg)
            newest = max(newest, page_newest)
            continuation_point = answer.continuation_point

    async def _ask(
        self, node_id: ua.NodeId, start: int, end: int, continuation_point: bytes, *, release: bool = False
    ) -> HistoryAnswer:
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
        node = ua.HistoryReadValueId(NodeId=node_id, ContinuationPoint=continuation_point or None)
        request.Parameters.NodesToRead = [node]
        protocol = self._client.uaclient.protocol
        if protocol is None:
            msg = "history: the connection is closed"
            raise ConnectionError(msg)
        try:
            return read_answer(await protocol.send_request(request))
        except ua.UaStatusCodeError as error:
            raise _failure(error.code, node_id) from error
        except (TimeoutError, ua.UaError) as error:
            # One node's: whether the session as a whole is dead is for those to say who watch it.
            msg = f"history of {node_id.to_string()}: no answer to be read: {error!r}"
            raise HistoryStatusError(msg) from error


def _require_usable(status: int, node_id: ua.NodeId) -> None:
    if status not in _NO_DATA and status & 0x8000_0000:
        raise _failure(status, node_id)


def _failure(status: int, node_id: ua.NodeId) -> HistoryError:
    name = ua.status_codes.get_name_and_doc(status)[0]
    msg = f"history of {node_id.to_string()}: {name}"
    return HistoryRefusedError(msg) if status in _REFUSED else HistoryStatusError(msg)
