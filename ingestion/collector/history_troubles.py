"""Tags whose history fails: how often and since when, and the holes that were given up for now.

It outlives sessions, because a tag that fails in each of them fails for ever; and its holes outlive the
process, see `open_holes`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingestion.collector.open_holes import KeptHole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.open_holes import HoleStore
    from ingestion.collector.settings import HistorySettings


@dataclass
class Hole:
    """What a tag is missing, both instants known and neither of them missing; tried again ever more slowly.

    Attributes:
        after: reading goes on behind it, ticks; it moves as the hole is filled.
        due: when to try again, by the monotonic clock.
        is_of_before: whether another process may have filled some of it already.
    """

    tag: int
    start: int
    end: int
    after: int
    delay_s: float
    due: float
    is_of_before: bool = False


@dataclass
class _Trouble:
    tries: int = 0
    has_cut: bool = False
    since: float = field(default_factory=time.monotonic)


class HistoryTroubles:
    """Counts failures in a row, and says when enough is enough.

    Args:
        settings: when to give up.
        retry_every_s: how long to wait before a hole is tried for the first time.
        store: keeps holes on the disk.
        tag_ids: by tag position.
        buffer: knows the committed marks.

    Attributes:
        holes: live values went past them.
        told: by tag, a hole that is told already though its tag is still held: nothing live came after it, or
            the last process ended before live values were sealed.
        closing: what was missing is admitted; once that is sealed it is told as closed.

    Raises:
        MarksError: a newer version kept the holes.
    """

    def __init__(
        self,
        settings: HistorySettings,
        retry_every_s: float,
        store: HoleStore,
        tag_ids: Sequence[str],
        buffer: PointBuffer,
    ) -> None:
        self._settings, self._first_delay_s = settings, retry_every_s
        self._store, self._tag_ids = store, tag_ids
        self._troubles: dict[int, _Trouble] = {}
        self.holes: list[Hole] = []
        self.told: dict[int, Hole] = {}
        self.closing: list[Hole] = []
        # Of tags that the table no longer has; it may have them again.
        self._strangers: list[KeptHole] = []
        self._load(buffer)

    def failed(self, tag: int, *, has_cut: bool = False) -> bool:
        """Note a failure; whether the tag has failed so often and so long that it is given up.

        Args:
            tag: its position.
            has_cut: the connection was lost with it.
        """
        trouble = self._troubles.setdefault(tag, _Trouble())
        trouble.tries += 1
        trouble.has_cut = has_cut
        lasted_s = time.monotonic() - trouble.since
        return trouble.tries >= self._settings.give_up_tries and lasted_s >= self._settings.give_up_s

    def is_troubled(self, tag: int) -> bool:
        """Whether a tag's last reading failed: it is read alone, so that no other call fails with it."""
        return tag in self._troubles

    def has_cut(self, tag: int) -> bool:
        """Whether the connection was lost when a tag was read last."""
        return tag in self._troubles and self._troubles[tag].has_cut

    def recovered(self, tag: int) -> None:
        """Its history was read."""
        self._troubles.pop(tag, None)
        hole = self.told.pop(tag, None)
        if hole is not None:
            self.closing.append(hole)

    def tell(self, tag: int, start: int, end: int) -> bool:
        """Keep a hole of a tag that stays held; whether it was not known before.

        Raises:
            OSError: the disk refuses.
        """
        if tag in self.told:
            return False
        self.told[tag] = self._hole(tag, start, start, end)
        try:
            self._write()
        except OSError:
            self.told.pop(tag)
            raise
        return True

    def give_up(self, tag: int, after: int, end: int) -> Hole:
        """Keep a hole to be tried again; on return live values may go past it.

        Raises:
            OSError: the disk refuses; nothing may go past it.
        """
        told = self.told.pop(tag, None)
        hole = self._hole(tag, after if told is None else told.start, after, end)
        self.holes.append(hole)
        try:
            self._write()
        except OSError:
            self.holes.remove(hole)
            if told is not None:
                self.told[tag] = told
            raise
        self._troubles.pop(tag, None)
        return hole

    def due(self) -> Hole | None:
        """A hole whose time has come."""
        now = time.monotonic()
        return next((hole for hole in self.holes if hole.due <= now), None)

    def again_later(self, hole: Hole) -> None:
        """It failed once more."""
        hole.delay_s = min(hole.delay_s * 2, self._settings.retry_within_s)
        hole.due = time.monotonic() + hole.delay_s

    def move_on(self, hole: Hole, after: int) -> None:
        """It is filled so far, and that is sealed.

        Raises:
            OSError: the disk refuses.
        """
        hole.after = min(max(hole.after, after), hole.end)
        self._write()

    def filled(self, hole: Hole) -> None:
        """What it was missing is admitted."""
        self.holes.remove(hole)
        self.closing.append(hole)

    def closed(self, holes: Sequence[Hole]) -> None:
        """They are told as closed, and that is sealed.

        Raises:
            OSError: the disk refuses; they are told once more after a restart.
        """
        self.closing = [hole for hole in self.closing if hole not in holes]
        self._write()

    def _hole(self, tag: int, start: int, after: int, end: int) -> Hole:
        delay_s = self._first_delay_s
        return Hole(tag, start, end, after, delay_s, time.monotonic() + delay_s)

    def _load(self, buffer: PointBuffer) -> None:
        position = {tag_id: tag for tag, tag_id in enumerate(self._tag_ids)}
        for kept in self._store.load():
            tag = position.get(kept.tag_id)
            if tag is None:
                self._strangers.append(kept)
                continue
            hole = self._hole(tag, kept.start, kept.after, kept.end)
            hole.is_of_before = True
            if buffer.mark(tag) < kept.end:
                # No live value was sealed past it: history is read from the mark on as if nothing had been.
                self.told[tag] = hole
            else:
                self.holes.append(hole)

    def _write(self) -> None:
        open_ones = [*self.holes, *self.told.values(), *self.closing]
        kept = [KeptHole(self._tag_ids[hole.tag], hole.start, hole.after, hole.end) for hole in open_ones]
        self._store.write([*kept, *self._strangers])
