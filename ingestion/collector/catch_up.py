"""Reading history until it has nothing newer, then letting the held live points through.

Tags are read several in a call, and each is judged by itself: one that fails is listed and tried again, and
never keeps another waiting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from ingestion.collector.clock_back import fill_behind, release_unread
from ingestion.collector.history import (
    HistoryError,
    HistoryRange,
    HistoryReader,
    HistoryRefusedError,
    HistoryStalledError,
)
from ingestion.collector.hole_filling import HoleFilling, tell_hole
from ingestion.collector.live_times import AHEAD_TICKS
from ingestion.collector.open_holes import HISTORY_FAILED
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asyncua import ua

    from ingestion.collector.collection_parts import CollectionParts
    from ingestion.collector.intake import Intake

# Tags are asked for together when their marks lie this close: all are read from the earliest one on.
TOGETHER_TICKS = 120 * TICKS_PER_SECOND
# A tag that waits for its history to meet the live values is read again this often.
LOOK_AGAIN_S = 0.5
_log = logging.getLogger(__name__)


class CatchUp:
    """Works through the tags that want their history, over one session.

    Args:
        reader: reads history.
        node_ids: by tag position, the nodes that could be resolved.
        parts: the system's collection.
        intake: holds and releases the live points.
        wanted: the tags that want their history.
        may_read: is clear while reading stands still.
        is_lost: whether the connection is lost.
    """

    def __init__(
        self,
        reader: HistoryReader,
        node_ids: Mapping[int, ua.NodeId],
        parts: CollectionParts,
        intake: Intake,
        wanted: asyncio.Queue[int],
        may_read: asyncio.Event,
        is_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_lost = is_lost
        self._holes = HoleFilling(reader, node_ids, parts, may_read, is_lost)
        self._reader = reader
        self._node_ids = node_ids
        self._parts = parts
        self._intake = intake
        self._wanted = wanted
        self._may_read = may_read
        # Tags whose history has nothing newer and has not met their first live point yet.
        self._waiting: dict[int, float] = {}
        self._put_off: set[int] = set()
        self._filling = asyncio.Lock()

    async def work(self) -> None:
        """Catch up the tags wanted, for ever. Run several for several calls at once."""
        while True:
            batch = await self._next_batch()
            await self._may_read.wait()
            if batch:
                await self._catch_up(batch)

    async def look_again(self) -> None:
        """Release waiting tags that have met their live values, or have them read again; for ever."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            for tag, read_at in list(self._waiting.items()):
                if not self._intake.is_held(tag):
                    self._waiting.pop(tag)
                elif self._has_met(tag) and not self._intake.went_back(tag):
                    self._waiting.pop(tag)
                    self._release(tag)
                elif self._is_worth_reading(tag, read_at):
                    self._waiting.pop(tag)
                    self._wanted.put_nowait(tag)

    async def fill_holes(self) -> None:
        """Try given-up holes again, one at a time, for ever."""
        await self._holes.work()

    async def _next_batch(self) -> list[int]:
        """Some wanted tags that are still held and whose marks lie close together."""
        first = await self._wanted.get()
        if self._is_put_off(first):
            return []
        batch = [first] if self._is_readable(first) else []
        start = self._mark(first)
        others = []
        limit = self._parts.settings.history.nodes_per_read
        if self._parts.troubles.is_troubled(first):
            return batch
        for _ in range(min(self._wanted.qsize(), 2 * limit)):
            if len(batch) >= limit:
                break
            tag = self._wanted.get_nowait()
            is_alone = self._parts.troubles.is_troubled(tag)
            if is_alone or abs(self._mark(tag) - start) > TOGETHER_TICKS:
                others.append(tag)
            elif self._is_readable(tag) and tag not in batch:
                batch.append(tag)
        for tag in others:
            self._wanted.put_nowait(tag)
        return batch

    def _is_put_off(self, tag: int) -> bool:
        """Whether a tag at whose reading the connection was lost waits, once a session, for live values."""
        if tag in self._put_off or not self._parts.troubles.has_cut(tag) or not self._intake.is_held(tag):
            return False
        self._put_off.add(tag)
        self._waiting[tag] = time.monotonic()
        return True

    def _is_readable(self, tag: int) -> bool:
        """Whether a tag is still to be read; one of which nothing was ever to be read is released."""
        if not self._intake.is_held(tag):
            return False  # it could not be subscribed; once it can it is wanted again
        if self._mark(tag) == 0:
            self._release(tag)
            return False
        return True

    def _mark(self, tag: int) -> int:
        """From where a tag is read; 0 when nothing is to be read."""
        found = self._parts.buffer.mark(tag) or self._parts.start or 0
        if not found and self._intake.has_lost(tag):
            return self._intake.begun  # the first of what it was subscribed for was lost
        return found

    async def _catch_up(self, batch: list[int]) -> None:
        """Read once from the marks to now, and judge each tag; those without history are let through."""
        unread = [tag for tag in batch if not self._intake.keeps_history(tag)]
        await release_unread(unread, self._parts, self._intake)
        if not (batch := [tag for tag in batch if tag not in unread]):
            return
        began = time.monotonic()
        generations = {tag: self._intake.generation(tag) for tag in batch}
        ranges = [HistoryRange(self._node_ids[tag], self._mark(tag)) for tag in batch]
        admitted = dict.fromkeys(batch, 0)
        end = to_ticks(self._parts.clock.now()) + AHEAD_TICKS  # the server's clock may run ahead
        try:
            async for position, page in self._reader.read_many(ranges, end):
                tag = batch[position]
                admitted[tag] += self._parts.buffer.admit_page(tag, page, self._now_us())
                await self._parts.sealing.wait_for_room()
                await self._may_read.wait()
        except BaseException as error:
            if isinstance(error, ConnectionError) or self._is_lost():
                self._note_cut(batch)
            raise
        behind: list[int] = []
        for tag, read in zip(batch, ranges, strict=True):
            if not self._intake.is_held(tag):
                continue
            is_same = self._intake.generation(tag) == generations[tag]
            is_over, went_back = is_same and not admitted[tag], self._intake.went_back(tag)
            if is_over and read.error is None and went_back:
                behind.append(tag)
            elif is_same and read.error is None and not went_back and self._has_met(tag):
                self._release(tag)  # what changes faster than it is read always has something newer
            else:
                self._judge(tag, read.error, began, is_over=is_over)
        await self._fill_behind(behind, began)

    async def _fill_behind(self, behind: list[int], began: float) -> None:
        """The tags whose server's clock went back, once the historian has had its time."""
        settled = [tag for tag in behind if self._is_settled(tag, began)]
        self._waiting.update({tag: began for tag in behind if tag not in settled})
        async with self._filling:  # one after another: each must see what the last one admitted
            due = [tag for tag in settled if self._intake.went_back(tag)]
            errors = await fill_behind(due, self._reader, self._node_ids, self._parts, self._intake)
        for tag, error in errors.items():
            if self._intake.is_held(tag):
                self._judge(tag, error, began, is_over=False)

    def _judge(self, tag: int, error: HistoryError | None, began: float, *, is_over: bool) -> None:
        if isinstance(error, HistoryStalledError) and (not is_over or self._has_met(tag)):
            # Ended by repetition: a new read goes on from the new mark, unless a gain was due and none came.
            error = None
        if isinstance(error, HistoryRefusedError):
            self._fail(tag, f"{error}; only live values from now on")
            self._intake.release_with_gap(tag, HISTORY_FAILED)
        elif error is not None:
            self._fail_for_now(tag, error)
        elif not is_over:
            self._wanted.put_nowait(tag)
        elif self._has_met(tag) or self._is_settled(tag, began):
            self._release(tag)
        else:
            self._waiting[tag] = began

    def _has_met(self, tag: int) -> bool:
        """Whether history reaches up to the first live point."""
        return self._intake.first_held(tag) is not None and self._intake.has_reached(tag)

    def _is_worth_reading(self, tag: int, read_at: float) -> bool:
        """Whether history may have come closer to the live values since it was read."""
        now = time.monotonic()
        is_due = self._intake.first_held(tag) is not None or self._is_settled(tag, now)
        return is_due and now - read_at >= LOOK_AGAIN_S

    def _is_settled(self, tag: int, at: float) -> bool:
        """Whether the historian has had time to write what was published before the tag was held."""
        return at >= self._intake.held_at(tag) + self._parts.settings.history.settle_s

    def _release(self, tag: int) -> None:
        self._parts.status.recover(self._parts.tag_ids[tag], "history")
        self._parts.troubles.recovered(tag)
        self._intake.release(tag)

    def _fail_for_now(self, tag: int, error: Exception) -> None:
        retry_s = self._parts.settings.retry_every_s
        is_enough = self._parts.troubles.failed(tag)
        try:
            if is_enough and self._give_up(tag, str(error)):
                return
        except OSError as refused:  # nothing may go past a hole that is not kept
            error = refused
        self._fail(tag, f"{error}; tried again in {retry_s:g} s")
        asyncio.get_running_loop().call_later(retry_s, self._wanted.put_nowait, tag)

    def _give_up(self, tag: int, reason: str) -> bool:
        """Let live values through and keep the hole before them; false while there are none to let through.

        Raises:
            OSError: the hole cannot be kept.
        """
        start, end = self._mark(tag), self._intake.first_held(tag)
        if end is None:
            end = self._parts.now_ticks()
            if self._parts.troubles.tell(tag, start, end):
                tell_hole(self._parts, tag, start, end, detail=reason)
            return False
        if end > start:
            hole = self._parts.troubles.give_up(tag, start, end)
            tell_hole(self._parts, tag, hole.start, end, detail=reason)
        self._fail(tag, f"{reason}; live values go through, what is missing is a gap and tried again slowly")
        self._intake.release(tag)
        return True

    def _note_cut(self, tags: Sequence[int]) -> None:
        """The connection was lost while tags were read: what a server cannot stand is not asked for ever."""
        for tag in tags:
            if self._intake.is_held(tag) and self._parts.troubles.failed(tag, has_cut=True):
                try:
                    self._give_up(tag, "the connection is lost whenever this history is read")
                except OSError as error:
                    self._fail(tag, f"{error}; its hole cannot be kept, tried again")

    def _now_us(self) -> int:
        return (to_ticks(self._parts.clock.now()) - UNIX_EPOCH_TICKS) // 10

    def _fail(self, tag: int, reason: str) -> None:
        _log.warning("%s: %s", self._parts.tag_ids[tag], reason)
        self._parts.status.fail(self._parts.tag_ids[tag], "history", reason)
