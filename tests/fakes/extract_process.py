"""An extractor that may be killed: every mode of the changing table once, in a process of its own.

Processes are forked from one that has loaded everything and started nothing, so that one takes milliseconds.
"""

from __future__ import annotations

import multiprocessing
from datetime import datetime
from pathlib import Path

from contracts.model import ExtractMode
from ingestion.context import ExtractContext
from ingestion.sql_extract import extract_sql
from lake.layout import LakePaths
from lake.state import open_state
from tests.fakes.changing_table import contract_of
from tests.fakes.still_clock import StillClock

MODES = (
    ExtractMode.FULL,
    ExtractMode.SNAPSHOT_DIFF,
    ExtractMode.CURSOR,
    ExtractMode.CURSOR_SWEEP,
    ExtractMode.CHANGE_LOG,
)
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__, "lake.migrations.run"])


def extract(folder: Path, url: str, now: datetime) -> None:
    """Every mode once."""
    lake, clock = LakePaths(folder), StillClock(now)
    context = ExtractContext(lake, open_state(lake.state_url, clock.now), str, clock, folder, run_id="test")
    for mode in MODES:
        extract_sql(contract_of(mode), url, context)


def killed_extract(folder: Path, url: str, now: datetime, after_s: float) -> bool:
    """Start an extract of every mode and kill it after a while; says whether it was still at work."""
    process = _PROCESSES.Process(target=extract, args=(folder, url, now))
    process.start()
    process.join(after_s)
    was_at_work = process.is_alive()
    process.kill()
    process.join()
    return was_at_work
