"""The network faults of the collector, ten seeds each: one server and one collector a fault."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fakes import fault_rig
from tests.fakes.fault_rig import CATCH_UP_LIMIT_S, TAGS, Fault, inject, running
from tests.fakes.fault_server import VoidRunError

SEEDS = tuple(range(1, 11))
ATTEMPTS = 3  # of a case, when the server did not do its part


@dataclass(frozen=True)
class Case:
    """A fault, and how long the collector may take to catch up after it."""

    name: str
    fault: Fault
    limit_s: float = CATCH_UP_LIMIT_S


CASES = (
    Case("truncated frame", fault_rig.truncate),
    Case("half-close", fault_rig.half_close),
    Case("reset and refuse 10 s", fault_rig.refuse_10_s),
    Case("stall 6 s", fault_rig.stall(6)),
    Case("stall 60 s", fault_rig.stall(60)),
    Case("server restart", fault_rig.restart()),
)
OUTAGE = Case("server gone 10 minutes", fault_rig.restart(600), limit_s=900)


def run(directory: Path, case: Case, *, encrypted: bool, seeds: tuple[int, ...] = SEEDS) -> None:
    """Inject a case's fault from each seed and compare sets after each; repeat the case where it is void.

    Raises:
        AssertionError: something was lost, wrong or doubled, or every attempt was void.
    """
    name = f"{case.name}, {'encrypted' if encrypted else 'plain'}"
    voids: list[str] = []
    begin = time.monotonic()
    for attempt in range(ATTEMPTS):
        try:
            asyncio.run(_inject(directory / f"attempt{attempt}", name, case, encrypted, seeds))
        except VoidRunError as void:
            voids.append(str(void))
            sys.stdout.write(f"{name}: void, repeated: {void}\n")
        else:
            break
    assert len(voids) < ATTEMPTS, f"{name}: void {ATTEMPTS} times, nothing was judged: {voids}"
    sys.stdout.write(
        f"{name}: {len(seeds)} seeds at {TAGS} tags in {time.monotonic() - begin:.0f} s, {len(voids)} void\n"
    )


async def _inject(directory: Path, name: str, case: Case, encrypted: bool, seeds: tuple[int, ...]) -> None:
    async with running(directory, encrypted=encrypted) as rig:
        await inject(rig, name, case.fault, seeds, case.limit_s)
