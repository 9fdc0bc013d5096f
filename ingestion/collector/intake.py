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
from typing import TYPE_CHECKING

from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.points import Row

INFO_TYPE_MASK, INFO_TYPE_DATA_VALUE, OVERFLOW_BIT = 0x0C00, 0x0400, 0x0080
# While a tag is held its oldest points may be dropped: history must reach the first that is kept.
HELD_LIMIT = 50_000
# How far a server's clock may run ahead of ours.
AHEAD_TICKS = 3600 * TICKS_PER_SECOND


def has_overflowed(status: int) -> bool:
    """Whether a status says that the server's queue dropped values before this one (Part 4 §7.39)."""
    return status & INFO_TYPE_MASK == INFO_TYPE_DATA_VALUE and bool(status & OVERFLOW_BIT)


class Intake:
    """Decides for each live point: admit it, or hold it until history has caught up.

    Args:
        buffer: takes what is admitted.
        has_history: by tag position, whether the server keeps its history.
        want_history: called with a tag that must be read from history.
    """

    def __init__(
        self, buffer: PointBuffer, has_history: Sequence[bool], want_history: Callable[[int], None]
    ) -> None:
        self._buffer = buffer
        self._has_history = has_history
        self._want_history = want_history
        self._held: dict[int, deque[Row]] = {}
        self._ahead: set[int] = set()

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
            self._want_history(tag)

    def take(self, row: Row) -> None:
        """A live point, in the order the server sent it."""
        tag, ticks, status, arrived_us = row[0], row[1], row[4], row[6]
        if ticks - UNIX_EPOCH_TICKS > arrived_us * 10 + AHEAD_TICKS:
            self._ahead.add(tag)
            return
        if self._has_history[tag] and (tag in self._ahead or has_overflowed(status)):
            self.hold(tag)
        self._ahead.discard(tag)
        held = self._held.get(tag)
        if held is None:
            self._buffer.admit(row)
        else:
            held.append(row)

    def is_held(self, tag: int) -> bool:
        """Whether a tag's live points wait for its history."""
        return tag in self._held

    def forget(self, tag: int) -> None:
        """Hold a tag no longer, and drop what was held of it."""
        self._held.pop(tag, None)

    def has_reached(self, tag: int) -> bool:
        """Whether the tag's history has met its first held point, so that nothing lies between them."""
        held = self._held.get(tag)
        return not held or self._buffer.mark(tag) >= held[0][1]

    def release(self, tag: int) -> None:
        """Admit the held points after the mark, in order of source time, and let live points through."""
        for row in sorted(self._held.pop(tag, ()), key=lambda row: row[1]):
            self._buffer.admit(row)

    def abandon(self) -> None:
        """The session is gone: forget what is held. History will give it again, or the next first value."""
        self._held.clear()
