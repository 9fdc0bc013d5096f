"""Catching up with tags that change faster than their history is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import numpy as np

from ingestion.collector.buffer import PointBuffer
from ingestion.collector.catch_up import CatchUp
from ingestion.collector.history import HistoryRange
from ingestion.collector.intake import Intake
from ingestion.collector.notifications import LivePoints
from ingestion.collector.points import NO_TICKS, Page
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, to_ticks

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = to_ticks(NOW) - 100 * TICKS_PER_SECOND


def page_of(seconds: Sequence[int]) -> Page:
    count = len(seconds)
    return Page(
        START + np.array(seconds, np.int64) * TICKS_PER_SECOND,
        np.arange(count, dtype=np.float64),
        np.ones(count, np.bool_),
        None,
        np.zeros(count, np.int64),
        np.full(count, NO_TICKS),
    )


class Busy:
    """A server whose tag has a new value, live and in history, at every read."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.produced, self.reads = intake, 10, 0

    async def read_many(self, ranges: Sequence[HistoryRange], end: int) -> AsyncIterator[tuple[int, Page]]:
        self.reads += 1
        assert self.reads < 20, "read on and on"
        now_us = (to_ticks(NOW) - UNIX_EPOCH_TICKS) // 10
        self.intake.take(LivePoints(np.zeros(1, np.int64), page_of([self.produced])), now_us)
        self.produced += 1
        yield 0, page_of(range(1, self.produced))
        self.intake.take(LivePoints(np.zeros(1, np.int64), page_of([self.produced])), now_us)
        self.produced += 1


def test_a_tag_with_something_newer_at_every_read_is_released_once_history_meets_its_live_values() -> None:
    async def scenario() -> tuple[list[int], int]:
        wanted: asyncio.Queue[int] = asyncio.Queue()
        buffer = PointBuffer(["A"], {"A": START})
        intake = Intake(buffer, [True], wanted.put_nowait)
        parts: Any = SimpleNamespace(
            tag_ids=["A"],
            buffer=buffer,
            sealing=AsyncMock(),
            status=MagicMock(),
            troubles=MagicMock(is_troubled=lambda _tag: False, has_cut=lambda _tag: False),
            settings=MagicMock(),
            clock=SimpleNamespace(now=lambda: NOW),
            start=None,
        )
        parts.settings.history.nodes_per_read = 20
        may_read = asyncio.Event()
        may_read.set()
        reader: Any = Busy(intake)
        intake.hold(0)
        work = asyncio.create_task(CatchUp(reader, {0: MagicMock()}, parts, intake, wanted, may_read).work())
        async with asyncio.timeout(10):
            while intake.is_held(0) and not work.done():
                await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait([work])
        batch = buffer.drain()
        assert batch is not None
        instants = batch.table["source_at_utc"].cast("int64").to_numpy() * 10 + UNIX_EPOCH_TICKS
        return ((instants - START) // TICKS_PER_SECOND).tolist(), reader.produced

    seconds, produced = asyncio.run(scenario())
    assert seconds == list(range(1, produced))
