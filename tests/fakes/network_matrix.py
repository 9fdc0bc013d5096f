"""The network faults of the collector, ten seeds each: a server and some collectors a fault."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fakes import fault_rig
from tests.fakes.fault_rig import Fault, inject, running

SEEDS = tuple(range(1, 11))
TAGS = 500


@dataclass(frozen=True)
class Case:
    """A fault, and how many collectors share its seeds at a time: long faults run side by side."""

    name: str
    fault: Fault
    lanes: int = 1


CASES = (
    Case("truncated frame", fault_rig.truncate, lanes=2),
    Case("half-close", fault_rig.half_close, lanes=2),
    Case("reset and refuse 10 s", fault_rig.refuse_10_s, lanes=2),
    Case("stall 6 s", fault_rig.stall(6), lanes=2),
    Case("stall 60 s", fault_rig.stall(60), lanes=5),
    Case("server restart", fault_rig.restart()),
)
OUTAGE = Case("server gone 10 minutes", fault_rig.restart(600))


def run(
    directory: Path, case: Case, *, encrypted: bool, seeds: tuple[int, ...] = SEEDS, tags: int = TAGS
) -> None:
    """Inject a case's fault from each seed and compare sets after each.

    The notifications of all collectors together stay near those of one with all tags: a lane has its share.
    """

    async def scenario() -> None:
        share = tags // case.lanes
        async with running(directory, encrypted=encrypted, tags=share, lanes=case.lanes) as rig:
            await inject(rig, f"{case.name}, {'encrypted' if encrypted else 'plain'}", case.fault, seeds)

    begin = time.monotonic()
    asyncio.run(scenario())
    sys.stdout.write(f"{case.name}: {len(seeds)} seeds in {time.monotonic() - begin:.0f} s\n")
