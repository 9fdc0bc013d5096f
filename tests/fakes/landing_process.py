"""Landing as a process of its own, for tests that kill it: `python landing_process.py INBOX VAR`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

from ingestion.landing import LandingSpec, run_landing
from ingestion.outlets import Outlet, OutletPoint
from lake.layout import LakePaths
from lake.state import open_state
from protocols.clock import SystemClock
from tests.fakes.landing_segments import KEY, SYSTEM


def spec_for(inbox: Path, var: Path) -> LandingSpec:
    """Small batches and short waits, so that a kill meets every step."""
    lake = LakePaths(var)
    clock = SystemClock()
    outlet = Outlet("DW001", None, None, 1.0, (OutletPoint("w00000", SYSTEM, "T1", False, False),))
    return LandingSpec(
        inbox,
        KEY.public_key(),
        lake,
        open_state(lake.state_url, clock.now),
        clock,
        ZoneInfo("Asia/Shanghai"),
        outlets=(outlet,),
        commit_every_s=0.02,
        commit_rows=200,
        poll_s=0.01,
        gap_wait_s=0.4,
    )


if __name__ == "__main__":
    run_landing(spec_for(Path(sys.argv[1]), Path(sys.argv[2])), threading.Event())
