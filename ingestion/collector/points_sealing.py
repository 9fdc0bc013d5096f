"""When admitted points become a segment: every so often, or when there are many."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingestion.collector.buffer import Batch, PointBuffer
    from ingestion.collector.sealing import Sealer
    from ingestion.collector.status import Status

# History waits while this many segments' worth of points is not sealed yet.
ROOM_FACTOR = 4
_log = logging.getLogger(__name__)


class PointsSealing:
    """Seals the buffer's points in the order they were admitted.

    A batch that the disk refuses is kept and sealed first at the next turn, so that sequences and marks
    stay in order.
    """

    def __init__(
        self, buffer: PointBuffer, sealer: Sealer, status: Status, *, every_s: float, rows: int
    ) -> None:
        self._buffer = buffer
        self._sealer = sealer
        self._status = status
        self._every_s = every_s
        self._rows = rows
        self._unsealed: Batch | None = None
        self._sealed_rows = 0
        self._full = asyncio.Event()
        self._sealed = asyncio.Condition()

    @property
    def sealed_rows(self) -> int:
        """How many points were sealed since the start."""
        return self._sealed_rows

    @property
    def taken_rows(self) -> int:
        """How many points were admitted since the start, sealed or not."""
        waiting = 0 if self._unsealed is None else self._unsealed.table.num_rows
        return self._sealed_rows + waiting + len(self._buffer)

    async def work(self) -> None:
        """Seal for ever."""
        while True:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._full.wait()
            except TimeoutError:
                pass  # the time has come without many points
            self._full.clear()
            try:
                await self.seal()
            except OSError as error:
                self._status.last_error = (
                    f"sealing points: {error}; they are kept and sealed again in {self._every_s:g} s"
                )
                _log.exception("sealing points")
                await asyncio.sleep(self._every_s)

    async def seal(self) -> None:
        """Seal everything admitted so far.

        Raises:
            OSError: the disk refused; the points are kept for the next turn.
        """
        await asyncio.shield(self._seal())

    async def _seal(self) -> None:
        # Shielded, so that a batch sealed while its caller ended is not sealed again by the last seal.
        async with self._sealed:
            while (batch := self._unsealed or self._buffer.drain()) is not None:
                self._unsealed = batch
                await self._sealer.seal("points", batch.table, batch.marks, marks_are_in_rows=True)
                self._unsealed = None
                self._sealed_rows += batch.table.num_rows
            self._sealed.notify_all()

    async def wait_for_room(self) -> None:
        """Ask for sealing when there is much to seal, and wait while there is far too much."""
        if len(self._buffer) >= self._rows:
            self._full.set()
        if len(self._buffer) < ROOM_FACTOR * self._rows:
            return
        async with self._sealed:
            await self._sealed.wait_for(lambda: len(self._buffer) < ROOM_FACTOR * self._rows)
