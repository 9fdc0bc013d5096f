"""A token bucket: how many bytes may go now, so that a link or a neighbour is never filled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_SLEEP_S = 0.05


class TokenBucket:
    """Lets `bytes_s` bytes pass a second, and `burst_bytes` at once after a pause.

    A taker may overdraw: it then waits longer the next time, so that no piece is too large to pass.
    """

    def __init__(
        self,
        bytes_s: float,
        burst_bytes: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.bytes_s = bytes_s
        self._burst_bytes = burst_bytes
        self._tokens = burst_bytes
        self._monotonic = monotonic
        self._sleep = sleep
        self._at = monotonic()

    def has_any(self) -> bool:
        """Whether something may pass now."""
        self._fill()
        return self.bytes_s > 0 and self._tokens > 0

    def take(self, size: int) -> None:
        """Count bytes that pass now."""
        self._fill()
        self._tokens -= size

    def wait(self) -> None:
        """Sleep until something may pass."""
        self._fill()
        while self._tokens <= 0:
            self._sleep(min(_LONGEST_SLEEP_S, -self._tokens / self.bytes_s + 1e-5))
            self._fill()

    def _fill(self) -> None:
        now = self._monotonic()
        self._tokens = min(self._burst_bytes, self._tokens + (now - self._at) * self.bytes_s)
        self._at = now
