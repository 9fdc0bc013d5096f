"""A pair of collectors in trouble: killed, frozen, cut off from one another, both restarted, at any time.

After each run the lake holds every point that the server produced, once.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.fakes import opcua_history
from tests.fakes.collector_pair import TAKEOVER_S, Collector, PairSite, free_port

Trouble = Callable[[PairSite, random.Random], Awaitable[None]]


def active(site: PairSite) -> tuple[Collector, Collector]:
    """The one that collects, and the other."""
    return (site.main, site.spare) if site.main.is_active else (site.spare, site.main)


async def killed(site: PairSite, chance: random.Random) -> None:
    """The active one is killed, the other takes over, and the killed one comes back."""
    one, other = active(site)
    one.signal(signal.SIGKILL)
    await site.until(lambda: other.is_active, "taken over from the killed one")
    await asyncio.sleep(chance.uniform(0, 1))
    one.start()
    await site.until(lambda: one.standing().get("peer_is_heard", False), "the killed one is back")


async def frozen(site: PairSite, chance: random.Random) -> None:
    """The active one is frozen until the other took over, then goes on as if nothing had been."""
    one, other = active(site)
    one.signal(signal.SIGSTOP)
    await site.until(lambda: other.is_active, "taken over from the frozen one")
    await asyncio.sleep(chance.uniform(0, 2))
    one.signal(signal.SIGCONT)
    await site.until(lambda: not one.is_active, "the frozen one stepped down")
    assert other.is_active


async def cut_off(site: PairSite, chance: random.Random) -> None:
    """Neither hears the other, and both collect; healed, one goes on."""
    one, other = active(site)
    await site.cut()
    await site.until(lambda: other.is_active, "both collect")
    assert one.is_active
    await site.until(
        lambda: all("no_redundancy" in each.standing()["alarms"] for each in (one, other)), "both tell it"
    )
    await asyncio.sleep(chance.uniform(0, 3))
    await site.plug()
    await site.until(lambda: one.is_active != other.is_active, "one stepped down")


async def restarted(site: PairSite, chance: random.Random) -> None:
    """Both are killed, and started in either order."""
    both = [site.main, site.spare]
    for each in both:
        each.signal(signal.SIGKILL)
    chance.shuffle(both)
    both[0].start()
    await asyncio.sleep(chance.choice([0.0, 3 * TAKEOVER_S]))
    both[1].start()
    await site.until(lambda: all(each.standing().get("peer_is_heard") for each in both), "both hear")
    await site.until(lambda: site.main.is_active != site.spare.is_active, "one collects")


TROUBLES: dict[str, Trouble] = {
    "killed": killed, "frozen": frozen, "cut_off": cut_off, "restarted": restarted,
}  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_to_a_pair_every_point_is_in_the_lake_once(tmp_path: Path, seed: int) -> None:
    asyncio.run(run(tmp_path, seed))


async def run(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = [list(TROUBLES)[seed % len(TROUBLES)], chance.choice(list(TROUBLES))]
    port = free_port()
    source = opcua_history.source_around_now(("A", "B", "C.TEXT"), history_s=20, live_s=900)
    site = PairSite(root, port, source)
    await site.plug()
    try:
        async with opcua_history.serve(site.main.site, port, source):
            site.main.start()
            site.spare.start()
            await site.until(lambda: site.main.is_active, "the main one collects")
            await site.until(lambda: site.main.standing().get("peer_has_all", False), "a copy stands")
            for name in names:
                await asyncio.sleep(chance.uniform(0.2, 1.5))
                await TROUBLES[name](site, chance)
                site.land()
            await site.until_complete()
            await site.main.stop()
            await site.spare.stop()
        site.land()
        site.require_each_once(f"seed {seed}, {' then '.join(names)}")
        sys.stdout.write(f"seed {seed}, {' then '.join(names)}: {len(site.points())} points, each once\n")
    finally:
        await site.end()
