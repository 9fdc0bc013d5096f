"""Between the subscription and the buffer: live points wait while their tag's history is read.

A tag is *held* from before its history read until the history has nothing newer: then the held points after
the mark are admitted in order, and from there live points go straight through. When the server says that a
queue overflowed, values before that point were dropped: the tag is held again and its history closes the
hole.

A tag without history that was not watched for a while, or whose queue overflowed, has a hole that nothing can
close: its next new value ends the hole, which is told as a gap.

A point dated far ahead of our clock is not taken: its mark would shut out all that its tag measures until
then. Once the clocks agree again, history closes that hole too. A source whose clock went back sends instants
before its mark: within one subscription they are new, and are taken as they come. The first of a new
subscription may be known: without history the tag is held until the sealed segments have been asked.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from ingestion.collector.buffer import NEVER
from ingestion.collector.held_tags import BACK_TICKS, HeldTags
from ingestion.collector.live_times import latest, with_times
from ingestion.collector.points import Page, Points, rows_of_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.notifications import LivePoints
    from ingestion.collector.points import Row

INFO_TYPE_MASK, INFO_TYPE_DATA_VALUE, OVERFLOW_BIT = 0x0C00, 0x0400, 0x0080
_OVERFLOW_BITS, _OVERFLOWED = INFO_TYPE_MASK | OVERFLOW_BIT, INFO_TYPE_DATA_VALUE | OVERFLOW_BIT


def has_overflowed(status: int) -> bool:
    """Whether a status says that the server's queue dropped values before this one (Part 4 §7.39)."""
    return status & _OVERFLOW_BITS == _OVERFLOWED


class Intake(HeldTags):
    """Decides for each live point: admit it, or hold it until history has caught up.

    A notification's points are judged all at once; only tags that are held, ahead or overflowing, and those
    with points on both sides of their mark, are taken point by point.

    Args:
        buffer: takes what is admitted.
        has_history: by tag position, whether the server keeps its history.
        want_history: called with a tag that must be read from history.
        tell_gap: called with a tag without history, the mark before its hole, the first instant after it, and
            the reason.
        note_back: called with a tag whose source's clock went back, its mark, and the instant it went to.
        begun: the instant from which on points are expected of a tag of which none is known, ticks.
    """

    def __init__(
        self,
        buffer: PointBuffer,
        has_history: Sequence[bool],
        want_history: Callable[[int], None],
        tell_gap: Callable[[int, int, int, str], None] = lambda _tag, _start, _end, _reason: None,
        note_back: Callable[[int, int, int], None] = lambda _tag, _mark, _ticks: None,
        begun: int = NEVER,
    ) -> None:
        super().__init__(buffer, len(has_history), want_history)
        self._has_history = np.array(has_history, np.bool_)
        self._tell_gap, self._note_back = tell_gap, note_back
        self.begun = begun
        self._ahead: set[int] = set()
        self._unwatched: dict[int, str] = {}
        # Tags whose source's clock went back behind their mark, with the last instant taken.
        self._behind: dict[int, int] = {}
        # No live point was past the mark yet: those before it may be known, from history or from before.
        self._is_first = np.ones(len(has_history), np.bool_)
        self.unknown_handles = 0

    @property
    def ahead_tags(self) -> list[int]:
        """The tags whose last live point is dated too far ahead of our clock."""
        return sorted(self._ahead)

    def miss(self, tag: int, reason: str) -> None:
        """What comes next of a tag may not follow on what came last: hold it, or expect a gap."""
        if self._has_history[tag]:
            self.hold(tag)
        elif self._buffer.mark(tag) != NEVER or reason != "not_watched":
            self._unwatched.setdefault(tag, reason)
            self._is_single[tag] = True

    def take(self, points: LivePoints, arrived_us: int) -> None:
        """Live points in the order the server sent them, their client handles being tag positions."""
        tags, page = self._known(points.handles, points.page)
        page = with_times(page, arrived_us)
        is_newer = self._buffer.newer(tags, page.ticks)
        is_ahead = page.ticks > latest(arrived_us)
        lost = page.statuses & _OVERFLOW_BITS == _OVERFLOWED
        is_affected = self._is_single.copy()
        is_affected[tags[is_ahead | lost]] = True
        if not is_newer.all():
            is_affected |= self._are_named(tags[is_newer]) & self._are_named(tags[~is_newer])
        rows = is_affected[tags]
        if rows.any():
            self._take_singly(tags[rows], page.pick(np.flatnonzero(rows)), arrived_us)
            tags, page, is_newer = tags[~rows], page.pick(np.flatnonzero(~rows)), is_newer[~rows]
        if len(tags):
            self._buffer.admit_live(tags, page, is_newer, arrived_us)
            self._seen_at[tags] = time.monotonic()
            if not is_newer.all():
                self._take_behind(tags[~is_newer], page.pick(np.flatnonzero(~is_newer)), arrived_us)
            self._is_first[tags[is_newer]] = False

    def _are_named(self, tags: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """By tag position, whether a tag is among these."""
        named = np.zeros(len(self._is_single), np.bool_)
        named[tags] = True
        return named

    def _take_behind(self, tags: npt.NDArray[np.int64], page: Page, arrived_us: int) -> None:
        """Points of tags of which the message holds nothing after the mark."""
        is_first = self._is_first[tags]
        late = np.flatnonzero(~is_first)
        self._take_late(tags[late], page.pick(late), arrived_us)
        margin = np.where(self._has_history[tags], BACK_TICKS, 0)
        far = np.flatnonzero((page.ticks < self._buffer.marks_of(tags) - margin) & is_first)
        self._take_singly(tags[far], page.pick(far), arrived_us)

    def _is_back(self, tag: int, ticks: int) -> bool:
        """Whether a tag's first live point is from before its mark, and not for being known from history."""
        margin = BACK_TICKS if self._has_history[tag] else 0
        return bool(self._is_first[tag]) and ticks < self._buffer.mark(tag) - margin

    def _take_late(self, tags: npt.NDArray[np.int64], page: Page, arrived_us: int) -> None:
        """Live points that are not after their mark and follow others: the source's clock went back."""
        arrived = np.full(len(tags), arrived_us, np.int64)
        for row in rows_of_points(Points(tags.astype(np.int32), page, arrived)):
            self._admit_behind(row)

    def _admit_behind(self, row: Row) -> None:
        tag, ticks = row[0], row[1]
        mark = self._buffer.mark(tag)
        if ticks > mark:  # the clock has caught up with where it was
            self._behind.pop(tag, None)
            self._buffer.admit(row)
        elif ticks not in (mark, self._behind.get(tag)):  # else the same instant once more
            if tag not in self._behind:
                self._note_back(tag, mark, ticks)
            self._behind[tag] = ticks
            self._is_single[tag] = True
            self._buffer.admit_late(row)

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
        if ticks > latest(arrived_us):
            self._ahead.add(tag)
            self._is_single[tag] = True
            return
        if has_overflowed(status):
            self.miss(tag, "queue_overflow")
        elif tag in self._ahead:
            self.miss(tag, "server_clock_jump")
        elif tag not in self._held and self._is_back(tag, ticks):
            self.hold(tag)  # until it is known what of it is sealed
        self._ahead.discard(tag)
        if tag in self._held:
            self._keep(row)
            return
        self._seen_at[tag] = time.monotonic()
        self._end_gap(tag, ticks)
        if not self._is_first[tag]:
            self._admit_behind(row)
        elif self._buffer.admit(row):
            self._is_first[tag] = False
        self._settle(tag)

    def _settle(self, tag: int) -> None:
        self._is_single[tag] = (
            tag in self._held or tag in self._ahead or tag in self._unwatched or tag in self._behind
        )

    def _end_gap(self, tag: int, ticks: int) -> None:
        mark = self._buffer.mark(tag) or self.begun
        if tag not in self._unwatched or ticks < mark:
            return
        reason = self._unwatched.pop(tag)
        if ticks > mark:  # the very value known last: it has stood since, and nothing is missing
            self._tell_gap(tag, mark, ticks, reason)

    def forget(self, tag: int) -> None:
        """Hold a tag no longer, and drop what was held of it, unless no history could give it again."""
        if tag in self._held and not self._has_history[tag]:
            self.release_unread(tag, set(), NEVER)
        self._take_out(tag)
        self._settle(tag)

    def release(self, tag: int) -> None:
        """Admit the held points after the mark, in order of source time, and let live points through."""
        self._is_first[tag] = True
        self._behind.pop(tag, None)
        for row in sorted(self._take_out(tag), key=lambda row: row[1]):
            if self._buffer.admit(row):
                self._is_first[tag] = False
        self._settle(tag)

    def release_behind(self, tag: int, known: set[int], horizon: int) -> None:
        """Let live points through though they are before the mark.

        Those known already are dropped, and those before the horizon, of which nobody knows any more.
        """
        for row in self._take_out(tag):
            # After the old mark history was read as ever, and perhaps further than the held points reach.
            self._is_first[tag] = row[1] > self._mark_when_held[tag]
            if self._is_first[tag]:
                self._behind.pop(tag, None)
                self._buffer.admit(row)
            elif row[1] in known or row[1] < horizon:
                self._behind[tag] = row[1]
            else:
                self._admit_behind(row)
        self._seen_at[tag] = time.monotonic()
        self._settle(tag)

    def release_unread(self, tag: int, known: set[int], horizon: int) -> None:
        """Let live points of a tag without history through though they are before the mark.

        A subscription begins with the present value: that one may be known already, or be from before the
        horizon, of which nobody knows any more. Those after it are new by their order.
        """
        for number, row in enumerate(self._take_out(tag)):
            self._is_first[tag] = False
            ticks, mark = row[1], self._buffer.mark(tag)
            if number == 0 and ticks < mark and (ticks in known or ticks < horizon):
                self._note_back(tag, mark, ticks)
                self._behind[tag] = ticks
                continue
            if ticks < mark and tag in self._unwatched:
                # What was missed lies somewhere in the time that the clock runs through once more.
                self._tell_gap(tag, ticks, mark, self._unwatched.pop(tag))
            self._end_gap(tag, ticks)
            self._admit_behind(row)
        self._seen_at[tag] = time.monotonic()
        self._settle(tag)

    def keeps_history(self, tag: int) -> bool:
        """Whether the server keeps a tag's history."""
        return bool(self._has_history[tag])

    def release_with_gap(self, tag: int, reason: str) -> None:
        """Let live points through though history cannot give what lies before the first of them."""
        rows = self._take_out(tag)
        if self._buffer.mark(tag) != NEVER:
            self._unwatched[tag] = reason
        self._is_first[tag] = True
        for row in sorted(rows, key=lambda row: row[1]):
            self._take_row(row)
        self._settle(tag)

    def begin_again(self, want_history: Callable[[int], None]) -> None:
        """The subscriptions live on over a new connection: what is held still wants its history."""
        self._want_history = want_history
        for tag in self._held:
            want_history(tag)

    def take_over(self, former: Intake) -> None:
        """Expect the gaps that a former intake expected: they did not end with its subscriptions.

        What it held that no history could give again is held on.
        """
        self._unwatched |= former._unwatched
        for tag in former.held():
            if not self._has_history[tag]:
                self.hold(tag)
                for row in former._take_out(tag):
                    self._keep(row)
        for tag in self._unwatched:
            self._settle(tag)

    def abandon(self) -> None:
        """The subscriptions are gone: forget what is held and history will give again."""
        for tag in self.held():
            if self._has_history[tag]:
                self._take_out(tag)
