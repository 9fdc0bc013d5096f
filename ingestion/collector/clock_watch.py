"""The server's clock against ours, and ours against itself: jumps are noted, never corrected."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from protocols.opcua_time import TICKS_PER_SECOND, from_ticks, to_ticks

if TYPE_CHECKING:
    from ingestion.collector.gaps import GapLog
    from ingestion.collector.status import Status

JUMP_TICKS = TICKS_PER_SECOND
# A difference this large between the clocks is shown as an alarm.
OFFSET_ALARM_S = 60.0


class ServerClock:
    """Follows the publish times of a server's messages against the machine's monotonic clock.

    What waits on its way makes a message look old, never young: the youngest seen so far is the measure. One
    that is younger by more than a second shows a clock set ahead, one published before the last a clock set
    back.
    """

    def __init__(self, gaps: GapLog, status: Status) -> None:
        self._gaps = gaps
        self._status = status
        self._youngest: int | None = None
        self._published = 0
        self.offset_s: float | None = None

    def see(self, published: int) -> None:
        """A message's publish time, ticks, as it arrives; 0, as in some keep-alives, is none."""
        if not published:
            return
        age = published - int(time.monotonic() * TICKS_PER_SECOND)
        is_back = self._youngest is not None and published < self._published - JUMP_TICKS
        is_ahead = self._youngest is not None and age > self._youngest + JUMP_TICKS
        if is_back or is_ahead:
            self._note(published)
        if self._youngest is None or is_back or age > self._youngest:
            self._youngest = age
        self._published = published
        self.offset_s = round((published - to_ticks(datetime.now(UTC))) / TICKS_PER_SECOND, 3)
        self._show(self.offset_s)

    def _note(self, published: int) -> None:
        start, end = sorted((self._published, published))
        detail = (
            f"server clock {from_ticks(self._published).isoformat()} -> {from_ticks(published).isoformat()}"
        )
        self._gaps.tell(None, start, end, "server_clock_jump", is_open=False, detail=detail)

    def _show(self, offset_s: float) -> None:
        text = None
        if abs(offset_s) > OFFSET_ALARM_S:
            text = (
                f"服务器时钟与采集器相差 {offset_s:+.0f} 秒，请校时 "
                f"/ the server's clock is {offset_s:+.0f} s from ours; set the one that is wrong"
            )
        self._status.alarm("server_clock", text)


class OwnClock:
    """Compares the machine's clock with its monotonic one, which nobody sets."""

    def __init__(self, gaps: GapLog) -> None:
        self._gaps = gaps
        self._last: tuple[int, float] | None = None

    def look(self) -> None:
        """Compare now with the last look."""
        now, monotonic = to_ticks(datetime.now(UTC)), time.monotonic()
        last, self._last = self._last, (now, monotonic)
        if last is None:
            return
        expected = last[0] + int((monotonic - last[1]) * TICKS_PER_SECOND)
        if abs(now - expected) > JUMP_TICKS:
            start, end = sorted((expected, now))
            detail = f"our clock stepped by {(now - expected) / TICKS_PER_SECOND:+.1f} s"
            self._gaps.tell(None, start, end, "collector_clock_jump", is_open=False, detail=detail)
