"""Which source times of live points are taken, and what those without one are dated by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ingestion.collector.points import NO_TICKS
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS

if TYPE_CHECKING:
    from ingestion.collector.points import Page

# How far a server's clock may run ahead of ours.
AHEAD_TICKS = 3600 * TICKS_PER_SECOND


def latest(arrived_us: int) -> int:
    """The latest source time, ticks, that is taken at an arrival (µs since 1970)."""
    return arrived_us * 10 + UNIX_EPOCH_TICKS + AHEAD_TICKS


def with_times(page: Page, arrived_us: int) -> Page:
    """Values that neither source nor server dated are dated by their arrival: the next best instant known."""
    if not (page.ticks == NO_TICKS).any():
        return page
    ticks = np.where(page.ticks == NO_TICKS, arrived_us * 10 + UNIX_EPOCH_TICKS, page.ticks)
    return replace(page, ticks=ticks)
