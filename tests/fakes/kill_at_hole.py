"""A collector that dies at one step of keeping, filling or closing a hole of history, as by kill -9."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from ingestion.collector import run
from ingestion.collector.gaps import GapLog
from ingestion.collector.open_holes import HISTORY_FAILED, HoleStore

STEPS = ("before keeping", "after keeping", "before telling", "after telling", "before the closing row")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Watch one step and run; `before keeping` and `after keeping` are also those of forgetting a hole."""
    step, config = sys.argv[1:]
    assert step in STEPS, step
    write, tell = HoleStore.write, GapLog.tell

    def writing(store: HoleStore, holes: Any) -> None:
        if step == "before keeping":
            _die()
        write(store, holes)
        if step == "after keeping":
            _die()

    def telling(log: GapLog, tag_id: str | None, start: int, end: int, reason: str, **how: Any) -> None:
        is_hole = reason == HISTORY_FAILED
        is_closing = how.get("is_open") is False
        if is_hole and (step == "before telling" or (is_closing and step == "before the closing row")):
            _die()
        tell(log, tag_id, start, end, reason, **how)
        if is_hole and step == "after telling":
            _die()

    HoleStore.write = writing  # type: ignore[method-assign, assignment]
    GapLog.tell = telling  # type: ignore[method-assign, assignment]
    run.main(Path(config))


if __name__ == "__main__":
    main()
