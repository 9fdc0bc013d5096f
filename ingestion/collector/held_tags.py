"""The tags whose live points wait while their history is read, and what waits of them."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from ingestion.collector.buffer import NEVER
from protocols.opcua_time import TICKS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.points import Row

# While a tag is held its oldest points may be dropped: history must reach the first that is kept.
HELD_LIMIT = 50_000
# Of all tags together, some 200 bytes each: with hundreds of thousands of tags catching up takes hours.
HELD_IN_ALL = 1_000_000
# Live points dated so far before the mark are no repetitions: the source's clock went back.
BACK_TICKS = 10 * TICKS_PER_SECOND
# How far before the first live point a hole may begin, besides the time in which nothing came.
HOLE_MARGIN_S = 60.0
# The same for a tag of which this process has seen nothing live.
UNSEEN_S = 7200.0


class HeldTags:
    """Which tags are held, since when, and their points in the order sent.

    Args:
        buffer: knows the marks.
        tags: how many tags there are.
        want_history: called with a tag that must be read from history.
    """

    def __init__(self, buffer: PointBuffer, tags: int, want_history: Callable[[int], None]) -> None:
        self._buffer = buffer
        self._want_history = want_history
        self._held: dict[int, deque[Row]] = {}
        self.held_points = 0
        self._generation: dict[int, int] = {}
        self._held_at: dict[int, float] = {}
        self._mark_when_held: dict[int, int] = {}
        self._seen_at = np.zeros(tags)  # by the monotonic clock, the last live point taken
        # Tags whose points must be looked at one by one: those held, and those of which more is remembered.
        self._is_single = np.zeros(tags, np.bool_)

    @property
    def held_tags(self) -> int:
        """How many tags wait for their history."""
        return len(self._held)

    def hold(self, tag: int) -> None:
        """Hold a tag's live points from now on, and ask for its history."""
        self._generation[tag] = self._generation.get(tag, 0) + 1
        self._held_at[tag] = time.monotonic()
        self._mark_when_held[tag] = self._buffer.mark(tag)
        if tag in self._held:
            # What is held comes before the new hole: history gives it again.
            self.held_points -= len(self._held[tag])
            self._held[tag].clear()
            return
        self._held[tag] = deque()
        self._is_single[tag] = True
        self._want_history(tag)

    def generation(self, tag: int) -> int:
        """Rises whenever something more of a tag must come from history."""
        return self._generation.get(tag, 0)

    def has_lost(self, tag: int) -> bool:
        """Whether live points of a held tag were lost since it was subscribed."""
        return self._generation.get(tag, 0) > 1

    def held_at(self, tag: int) -> float:
        """When a tag was last held, by the monotonic clock."""
        return self._held_at.get(tag, 0.0)

    def held(self) -> list[int]:
        """The tags that wait for their history."""
        return list(self._held)

    def first_held(self, tag: int) -> int | None:
        """The source time of a tag's first held point, ticks."""
        held = self._held.get(tag)
        return held[0][1] if held else None

    def last_held(self, tag: int) -> int | None:
        """The latest source time among a tag's held points, ticks."""
        held = self._held.get(tag)
        return max(row[1] for row in held) if held else None

    def went_back(self, tag: int) -> bool:
        """Whether a held tag's live points are dated before what was known of it when it was held."""
        first = self.first_held(tag)
        return first is not None and first < self._mark_when_held.get(tag, NEVER) - BACK_TICKS

    def window_behind(self, tag: int) -> tuple[int, int]:
        """From where to where, ticks, points may be missing before a tag's first held one."""
        first, seen_at = self.first_held(tag) or 0, float(self._seen_at[tag])
        away_s = time.monotonic() - seen_at + HOLE_MARGIN_S if seen_at else UNSEEN_S
        return first - int(away_s * TICKS_PER_SECOND), first

    def is_held(self, tag: int) -> bool:
        """Whether a tag's live points wait for its history."""
        return tag in self._held

    def has_reached(self, tag: int) -> bool:
        """Whether the tag's history has met its first held point, so that nothing lies between them."""
        held = self._held.get(tag)
        return not held or self._buffer.mark(tag) >= held[0][1]

    def _keep(self, row: Row) -> None:
        """Hold a point; where there are too many, the oldest of its tag goes, which history gives again."""
        held = self._held[row[0]]
        if len(held) >= HELD_LIMIT or (held and self.held_points >= HELD_IN_ALL):
            held.popleft()
            self.held_points -= 1
        held.append(row)
        self.held_points += 1

    def _take_out(self, tag: int) -> deque[Row]:
        """Hold a tag no longer; what was held of it."""
        rows = self._held.pop(tag, deque())
        self.held_points -= len(rows)
        return rows
