"""Reading history until it has nothing newer, then letting the held live points through.

Every tag is caught up by itself; one that fails is listed and tried again, and never keeps another waiting.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ingestion.collector.history import HistoryError, HistoryReader, HistoryRefusedError, HistoryStalledError
from ingestion.collector.intake import AHEAD_TICKS
from ingestion.collector.marks import mark_of
from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncua import ua

    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.intake import Intake
    from ingestion.collector.points_sealing import PointsSealing
    from ingestion.collector.settings import CollectorSettings, ServerSettings
    from ingestion.collector.status import Status
    from protocols.clock import Clock

_SETTLE_STEP_S = 0.2
_log = logging.getLogger(__name__)


class CatchUp:
    """Works through the tags that want their history, over one session.

    Args:
        reader: reads history.
        node_ids: by tag position, the nodes that could be resolved.
        tag_ids: by tag position.
        buffer: takes the points.
        intake: holds and releases the live ones.
        sealing: seals what history brings, and makes reading wait while it cannot.
        status: is told of failures.
        settings: how much, how often.
        server: where history begins.
        clock: plant time.
    """

    def __init__(
        self,
        reader: HistoryReader,
        *,
        node_ids: Mapping[int, ua.NodeId],
        tag_ids: list[str],
        buffer: PointBuffer,
        intake: Intake,
        sealing: PointsSealing,
        status: Status,
        settings: CollectorSettings,
        server: ServerSettings,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._node_ids = node_ids
        self._tag_ids = tag_ids
        self._buffer = buffer
        self._intake = intake
        self._sealing = sealing
        self._status = status
        self._settings = settings
        self._start = mark_of(server.history_start_utc) if server.history_start_utc else None
        self._clock = clock

    async def work(self, wanted: asyncio.Queue[int]) -> None:
        """Catch up the queue's tags one after another, for ever. Run several for several at once."""
        while True:
            tag = await wanted.get()
            if not self._intake.is_held(tag):
                continue  # it could not be subscribed; once it can it is wanted again
            try:
                await self._catch_up(tag)
            except HistoryRefusedError as error:
                self._fail(tag, f"{error}; only live values from now on")
                self._intake.release(tag)
            except HistoryError as error:
                self._fail(tag, f"{error}; tried again in {self._settings.retry_every_s:g} s")
                asyncio.get_running_loop().call_later(self._settings.retry_every_s, wanted.put_nowait, tag)
            else:
                self._status.recover(self._tag_ids[tag], "history")
                self._intake.release(tag)

    async def _catch_up(self, tag: int) -> None:
        """Read rounds until one brings nothing newer and history has met the first held point."""
        if self._buffer.mark(tag) == 0 and self._start is None:
            return
        waited_s = 0.0
        while True:
            if await self._read_round(tag):
                continue
            if self._intake.has_reached(tag) or waited_s >= self._settings.history.settle_s:
                return
            await asyncio.sleep(_SETTLE_STEP_S)
            waited_s += _SETTLE_STEP_S

    async def _read_round(self, tag: int) -> int:
        """Read once from the mark to now; how many points were new."""
        start = self._buffer.mark(tag) or (self._start or 0)
        end = to_ticks(self._clock.now()) + AHEAD_TICKS  # the server's clock may run ahead
        admitted = 0
        try:
            async for page in self._reader.read(self._node_ids[tag], start, end):
                arrived_us = (to_ticks(self._clock.now()) - UNIX_EPOCH_TICKS) // 10
                admitted += self._buffer.admit_page(tag, page, arrived_us)
                await self._sealing.wait_for_room()
        except HistoryStalledError:
            # Ended by repetition: a new read goes on from the new mark, unless a gain was due and none came.
            if not admitted and not self._intake.has_reached(tag):
                raise
        return admitted

    def _fail(self, tag: int, reason: str) -> None:
        _log.warning("%s: %s", self._tag_ids[tag], reason)
        self._status.fail(self._tag_ids[tag], "history", reason)
