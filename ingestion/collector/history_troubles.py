"""Tags whose history fails: how often and since when, and the holes that were given up for now.

It outlives sessions, because a tag that fails in each of them fails for ever.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingestion.collector.settings import HistorySettings


@dataclass
class Hole:
    """What a tag is missing, both instants known and neither of them missing; tried again ever more slowly.

    Attributes:
        after: reading goes on behind it, ticks; it moves as the hole is filled.
        due: when to try again, by the monotonic clock.
    """

    tag: int
    start: int
    end: int
    after: int
    delay_s: float
    due: float


@dataclass
class _Trouble:
    tries: int = 0
    since: float = field(default_factory=time.monotonic)


class HistoryTroubles:
    """Counts failures in a row, and says when enough is enough."""

    def __init__(self, settings: HistorySettings, retry_every_s: float) -> None:
        self._settings = settings
        self._first_delay_s = retry_every_s
        self._troubles: dict[int, _Trouble] = {}
        self.holes: list[Hole] = []

    def failed(self, tag: int) -> bool:
        """Note a failure; whether the tag has failed so often and so long that it is given up."""
        trouble = self._troubles.setdefault(tag, _Trouble())
        trouble.tries += 1
        lasted_s = time.monotonic() - trouble.since
        return trouble.tries >= self._settings.give_up_tries and lasted_s >= self._settings.give_up_s

    def is_troubled(self, tag: int) -> bool:
        """Whether a tag's last reading failed: it is read alone, so that no other call fails with it."""
        return tag in self._troubles

    def recovered(self, tag: int) -> None:
        """Its history was read."""
        self._troubles.pop(tag, None)

    def give_up(self, tag: int, start: int, end: int) -> None:
        """Keep a hole to be tried again."""
        self._troubles.pop(tag, None)
        delay_s = self._first_delay_s
        self.holes.append(Hole(tag, start, end, start, delay_s, time.monotonic() + delay_s))

    def due(self) -> Hole | None:
        """A hole whose time has come."""
        now = time.monotonic()
        return next((hole for hole in self.holes if hole.due <= now), None)

    def again_later(self, hole: Hole) -> None:
        """It failed once more."""
        hole.delay_s = min(hole.delay_s * 2, self._settings.retry_within_s)
        hole.due = time.monotonic() + hole.delay_s

    def close(self, hole: Hole) -> None:
        """It is filled."""
        self.holes.remove(hole)
