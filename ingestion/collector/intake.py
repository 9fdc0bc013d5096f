"""Between the subscription and the buffer: live points wait while their tag's history is read.

A tag is *held* from before its history read until the history has nothing newer: then the held points after
the mark are admitted in order, and from there live points go straight through. When the server says that a
queue overflowed, values before that point were dropped: the tag is held again and its history closes the
hole.

A point dated far ahead of our clock is not taken: its mark would shut out all that its tag measures until
then. Once the clocks agree again, history closes that hole too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ingestion.collector.points import NO_TICKS, Page, Points, rows_of_points
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.notifications import LivePoints
    from ingestion.collector.points import Row

INFO_TYPE_MASK, INFO_TYPE_DATA_VALUE, OVERFLOW_BIT = 0x0C00, 0x0400, 0x0080
_OVERFLOW_BITS, _OVERFLOWED = INFO_TYPE_MASK | OVERFLOW_BIT, INFO_TYPE_DATA_VALUE | OVERFLOW_BIT
# While a tag is held its oldest points may be dropped: history must reach the first that is kept.
HELD_LIMIT = 50_000
# How far a server's clock may run ahead of ours.
AHEAD_TICKS = 3600 * TICKS_PER_SECOND


def has_overflowed(status: int) -> bool:
    """Whether a status says that the server's queue dropped values before this one (Part 4 §7.39)."""
    return status & _OVERFLOW_BITS == _OVERFLOWED


class Intake:
    """Decides for each live point: admit it, or hold it until history has caught up.

    A notification's points are judged all at once; only tags that are held, ahead or overflowing are taken
    point by point.

    Args:
        buffer: takes what is admitted.
        has_history: by tag position, whether the server keeps its history.
        want_history: called with a tag that must be read from history.
    """

    def __init__(
        self, buffer: PointBuffer, has_history: Sequence[bool], want_history: Callable[[int], None]
    ) -> None:
        self._buffer = buffer
        self._has_history = np.array(has_history, np.bool_)
        self._want_history = want_history
        self._held: dict[int, deque[Row]] = {}
        self._ahead: set[int] = set()
        # The tags of `_held` and `_ahead`.
        self._is_single = np.zeros(len(has_history), np.bool_)
        self.unknown_handles = 0

    @property
    def held_tags(self) -> int:
        """How many tags wait for their history."""
        return len(self._held)

    @property
    def ahead_tags(self) -> list[int]:
        """The tags whose last live point is dated too far ahead of our clock."""
        return sorted(self._ahead)

    def hold(self, tag: int) -> None:
        """Hold a tag's live points from now on, and ask for its history."""
        if tag not in self._held:
            self._held[tag] = deque(maxlen=HELD_LIMIT)
            self._is_single[tag] = True
            self._want_history(tag)

    def take(self, points: LivePoints, arrived_us: int) -> None:
        """Live points in the order the server sent them, their client handles being tag positions."""
        tags, page = self._known(points.handles, points.page)
        page = _with_times(page, arrived_us)
        is_ahead = page.ticks > _latest(arrived_us)
        lost = (page.statuses & _OVERFLOW_BITS == _OVERFLOWED) & self._has_history[tags]
        singly = is_ahead | lost | self._is_single[tags]
        if singly.any():
            is_affected = np.zeros(len(self._is_single), np.bool_)
            is_affected[tags[singly]] = True
            rows = is_affected[tags]
            self._take_singly(tags[rows], page.pick(np.flatnonzero(rows)), arrived_us)
            tags, page = tags[~rows], page.pick(np.flatnonzero(~rows))
        if len(tags):
            self._buffer.admit_live(tags, page, arrived_us)

    def _known(self, handles: npt.NDArray[np.int64], page: Page) -> tuple[npt.NDArray[np.int64], Page]:
        is_known = (handles >= 0) & (handles < len(self._is_single))
        if is_known.all():
            return handles, page
        self.unknown_handles += int((~is_known).sum())
        return handles[is_known], page.pick(np.flatnonzero(is_known))

    def _take_singly(self, tags: npt.NDArray[np.int64], page: Page, arrived_us: int) -> None:
        arrived = np.full(len(tags), arrived_us, np.int64)
        for row in rows_of_points(Points(tags.astype(np.int32), page, arrived)):
            self._take_row(row)

    def _take_row(self, row: Row) -> None:
        tag, ticks, status, arrived_us = row[0], row[1], row[4], row[6]
        if ticks > _latest(arrived_us):
            self._ahead.add(tag)
            self._is_single[tag] = True
            return
        if self._has_history[tag] and (tag in self._ahead or has_overflowed(status)):
            self.hold(tag)
        self._ahead.discard(tag)
        held = self._held.get(tag)
        if held is None:
            self._is_single[tag] = False
            self._buffer.admit(row)
        else:
            held.append(row)

    def is_held(self, tag: int) -> bool:
        """Whether a tag's live points wait for its history."""
        return tag in self._held

    def forget(self, tag: int) -> None:
        """Hold a tag no longer, and drop what was held of it."""
        self._held.pop(tag, None)
        self._is_single[tag] = tag in self._ahead

    def has_reached(self, tag: int) -> bool:
        """Whether the tag's history has met its first held point, so that nothing lies between them."""
        held = self._held.get(tag)
        return not held or self._buffer.mark(tag) >= held[0][1]

    def release(self, tag: int) -> None:
        """Admit the held points after the mark, in order of source time, and let live points through."""
        for row in sorted(self._held.pop(tag, ()), key=lambda row: row[1]):
            self._buffer.admit(row)
        self._is_single[tag] = tag in self._ahead

    def abandon(self) -> None:
        """The session is gone: forget what is held. History will give it again, or the next first value."""
        self._held.clear()
        self._is_single[:] = False
        self._is_single[list(self._ahead)] = True


def _latest(arrived_us: int) -> int:
    """The latest source time that is taken at an arrival."""
    return arrived_us * 10 + UNIX_EPOCH_TICKS + AHEAD_TICKS


def _with_times(page: Page, arrived_us: int) -> Page:
    """Values that neither source nor server dated are dated by their arrival: the next best instant known."""
    if not (page.ticks == NO_TICKS).any():
        return page
    ticks = np.where(page.ticks == NO_TICKS, arrived_us * 10 + UNIX_EPOCH_TICKS, page.ticks)
    return replace(page, ticks=ticks)
