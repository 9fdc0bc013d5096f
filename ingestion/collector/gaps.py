"""The system's gaps and clock notes: gathered for a little, joined where they touch, and sealed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks
from protocols.points import GAP_REASONS, GAPS

if TYPE_CHECKING:
    from ingestion.collector.sealing import Sealer
    from ingestion.collector.status import Status
    from protocols.clock import Clock

SEAL_EVERY_S = 2.0
# A queue that overflows on and on would make a gap a message; within a sealing they are one.
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gap:
    """A hole, or a note: see `protocols.points.GAPS`. Instants are ticks."""

    tag_id: str | None
    start: int
    end: int
    reason: str
    is_open: bool
    detail: str | None
    observed: int


class GapLog:
    """Takes gaps down and seals them; the disk may refuse for a while.

    Args:
        sealer: seals them.
        clock: plant time.
        status: shows the last ones.
    """

    def __init__(self, sealer: Sealer, clock: Clock, status: Status) -> None:
        self._sealer = sealer
        self._clock = clock
        self._status = status
        self._waiting: dict[tuple[str | None, str, bool], Gap] = {}
        self._turn = asyncio.Lock()

    def tell(
        self,
        tag_id: str | None,
        start: int,
        end: int,
        reason: str,
        *,
        is_open: bool = True,
        detail: str | None = None,
    ) -> None:
        """Take a gap down.

        Args:
            tag_id: whose; none for the whole system.
            start: the last instant known before it, ticks.
            end: the first instant known after it, ticks.
            reason: one of `GAP_REASONS`.
            is_open: whether points are missing; false closes a gap told before, or makes it a note.
            detail: what else is known.
        """
        assert reason in GAP_REASONS
        gap = Gap(tag_id, start, max(start, end), reason, is_open, detail, to_ticks(self._clock.now()))
        key = (tag_id, reason, is_open)
        former = self._waiting.get(key)
        if former is not None:
            gap = replace(gap, start=min(former.start, start), end=max(former.end, gap.end))
        self._waiting[key] = gap
        self._status.note_gap(reason, is_open=is_open)
        _log.warning("%s: gap %s of %s: %s", self._status.system_id, reason, tag_id or "all tags", detail)

    async def work(self) -> None:
        """Seal gaps, for ever."""
        while True:
            await asyncio.sleep(SEAL_EVERY_S)
            try:
                await self.seal()
            except OSError:
                _log.exception("sealing gaps; they are kept")

    async def seal(self) -> None:
        """Seal what was taken down.

        Raises:
            OSError: the disk refused; the gaps are kept.
        """
        await asyncio.shield(self._seal())

    async def _seal(self) -> None:
        async with self._turn:
            gaps = dict(self._waiting)
            if not gaps:
                return
            await self._sealer.seal("gaps", _table(list(gaps.values())), {})
            # One that grew meanwhile is told once more: the larger one holds.
            self._waiting = {key: gap for key, gap in self._waiting.items() if gap != gaps.get(key)}


def _table(gaps: list[Gap]) -> pa.Table:
    columns = [
        pa.array([gap.tag_id for gap in gaps], pa.string()),
        _instants([gap.start for gap in gaps]),
        _instants([gap.end for gap in gaps]),
        pa.array([gap.reason for gap in gaps], pa.string()),
        pa.array([gap.is_open for gap in gaps], pa.bool_()),
        pa.array([gap.detail for gap in gaps], pa.string()),
        _instants([gap.observed for gap in gaps]),
    ]
    return pa.Table.from_arrays(columns, schema=GAPS)


def _instants(ticks: list[int]) -> pa.Array:
    microseconds = [(tick - UNIX_EPOCH_TICKS) // 10 for tick in ticks]
    return pa.array(microseconds, pa.int64()).cast(GAPS.field("from_at_utc").type)
