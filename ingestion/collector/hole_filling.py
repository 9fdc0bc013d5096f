"""Filling holes of history that were given up, and telling them as closed once what was missing is sealed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ingestion.collector.history import HistoryRange
from ingestion.collector.open_holes import HISTORY_FAILED
from protocols.opcua_time import UNIX_EPOCH_TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asyncua import ua

    from ingestion.collector.collection_parts import CollectionParts
    from ingestion.collector.history import HistoryReader
    from ingestion.collector.history_troubles import Hole

HOLES_EVERY_S = 1.0
_log = logging.getLogger(__name__)


class HoleFilling:
    """Reads what holes are missing, over one session.

    Args:
        reader: reads history.
        node_ids: by tag position, the nodes that could be resolved.
        parts: the system's collection.
        may_read: is clear while reading stands still.
        is_lost: whether the connection is lost.
    """

    def __init__(
        self,
        reader: HistoryReader,
        node_ids: Mapping[int, ua.NodeId],
        parts: CollectionParts,
        may_read: asyncio.Event,
        is_lost: Callable[[], bool],
    ) -> None:
        self._reader, self._node_ids, self._parts = reader, node_ids, parts
        self._may_read, self._is_lost = may_read, is_lost

    async def work(self) -> None:
        """Try the holes that are due, one at a time, for ever."""
        while True:
            await asyncio.sleep(HOLES_EVERY_S)
            await self._may_read.wait()
            hole = self._parts.troubles.due()
            try:
                if hole is not None:
                    await self._fill(hole)
                await self._close()
            except OSError as error:
                if isinstance(error, ConnectionError) or self._is_lost():
                    raise
                _log.warning("filling holes of history: %s; tried again", error)

    async def _fill(self, hole: Hole) -> None:
        tag, tag_id = hole.tag, self._parts.tag_ids[hole.tag]
        if tag not in self._node_ids:
            self._parts.troubles.again_later(hole)
            return
        known = await self._known(hole)
        read, newest = HistoryRange(self._node_ids[tag], hole.after), hole.after
        async for _, page in self._reader.read_many([read], hole.end):
            arrived_us = (self._parts.now_ticks() - UNIX_EPOCH_TICKS) // 10
            inside = page.newer_than(hole.after)
            admitted = self._parts.buffer.admit_unknown(tag, inside, known, hole.end, arrived_us)
            newest = max([newest, *admitted])
            known.update(admitted)
            await self._parts.sealing.wait_for_room()
        if read.error is None:
            self._parts.troubles.filled(hole)
            self._parts.status.recover(tag_id, "history")
            return
        reason = f"{read.error}; a gap since {hole.start} stays open, tried again slowly"
        _log.warning("%s: %s", tag_id, reason)
        self._parts.status.fail(tag_id, "history", reason)
        self._parts.troubles.again_later(hole)
        await self._parts.sealing.seal()
        self._parts.troubles.move_on(hole, newest)

    async def _known(self, hole: Hole) -> set[int]:
        """What of a hole is sealed already, where another process may have begun to fill it."""
        if not hole.is_of_before:
            return set()
        await self._parts.sealing.seal()
        tag_id = self._parts.tag_ids[hole.tag]
        found = await asyncio.to_thread(self._parts.sealed.read, [tag_id], hole.after, hole.end)
        return found[tag_id]

    async def _close(self) -> None:
        closing = list(self._parts.troubles.closing)
        if not closing:
            return
        await self._parts.sealing.seal()
        for hole in closing:
            tell_hole(
                self._parts, hole.tag, hole.start, hole.end, is_open=False, detail="read later after all"
            )
            await self._parts.gaps.seal()
        self._parts.troubles.closed(closing)


def tell_hole(
    parts: CollectionParts, tag: int, start: int, end: int, *, is_open: bool = True, detail: str
) -> None:
    """Tell a hole of a tag's history, or that it is closed; instants in ticks."""
    parts.gaps.tell(parts.tag_ids[tag], start, end, HISTORY_FAILED, is_open=is_open, detail=detail)
