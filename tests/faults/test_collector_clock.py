"""A clock stepped by an hour, the server's and the collector's: nothing lost or doubled, the jump noted."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from protocols.segments import manifest_path, read_table, sequences
from tests.fakes.fault_rig import SYSTEM, Lane, Rig, running

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

HOUR_MS = 3_600_000
APART_MS = 37  # so that no two ticks share an instant, as with real clocks
WAIT_S = 12.0
TAGS = 100


def noted(lane: Lane, reason: str) -> list[str]:
    """What the gaps stream tells with a reason."""
    directory, stream = lane.site / "var" / "collector" / SYSTEM, f"{SYSTEM}.gaps"
    rows = [
        row
        for number in sequences(directory, stream)
        for row in read_table(manifest_path(directory, stream, number)).to_pylist()
    ]
    return [str(row["detail"]) for row in rows if row["reason"] == reason]


async def require_exact(rig: Rig, lane: Lane, what: str) -> None:
    due = rig.source.due()
    seconds = await lane.caught_up(due)
    lane.require_exact(due)
    sys.stdout.write(
        f"{what}: {due * TAGS} samples, 0 lost, 0 wrong, 0 doubled, caught up within {seconds:.1f} s\n"
    )


@pytest.mark.parametrize("hours", [1, -1])
def test_a_server_clock_stepped_and_set_right_again_loses_and_doubles_nothing(
    tmp_path: Path, hours: int
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, encrypted=True, tags=TAGS) as rig:
            (lane,) = rig.lanes
            await asyncio.sleep(2)
            await rig.server.step_clock(hours * HOUR_MS + APART_MS)
            await asyncio.sleep(WAIT_S)
            away = rig.source.due()
            await asyncio.to_thread(lane.tally.read)
            sys.stdout.write(
                f"while stepped: {lane.tally.missing(away - 20)} of {away * TAGS} not sealed yet\n"
            )
            await rig.server.step_clock(0)
            await asyncio.sleep(WAIT_S)
            await require_exact(rig, lane, f"server's clock {hours:+d} h and back")
            assert noted(lane, "server_clock_jump")

    asyncio.run(scenario())


@pytest.mark.parametrize("hours", [1, -1])
def test_a_server_lost_while_its_clock_is_an_hour_off_loses_and_doubles_nothing(
    tmp_path: Path, hours: int
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, encrypted=True, tags=TAGS) as rig:
            (lane,) = rig.lanes
            await rig.server.step_clock(hours * HOUR_MS + APART_MS)
            await asyncio.sleep(WAIT_S / 2)
            await lane.proxy.refuse()
            await asyncio.sleep(WAIT_S / 2)
            await lane.proxy.start()
            await asyncio.sleep(WAIT_S)
            await rig.server.step_clock(0)
            await asyncio.sleep(WAIT_S)
            await require_exact(
                rig, lane, f"server's clock {hours:+d} h and back, connection lost in between"
            )

    asyncio.run(scenario())


def faked(control: Path) -> dict[str, str]:
    """The environment of a process whose clock follows a file; its monotonic clock does not."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is not installed: run tools/ensure-faketime"
    return {
        **os.environ,
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(control),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


@pytest.mark.parametrize("hours", [1, -1])
def test_a_collector_clock_stepped_and_set_right_again_loses_and_doubles_nothing(
    tmp_path: Path, hours: int
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, encrypted=True, tags=TAGS) as rig:
            (lane,) = rig.lanes
            await lane.stop()
            control = tmp_path / "faketime"
            control.write_text("+0\n", encoding="utf-8")
            lane.start(env=faked(control))
            await lane.caught_up(rig.source.due())
            for offset in (f"{hours * 3600:+d}", "+0"):
                control.write_text(offset + "\n", encoding="utf-8")
                await asyncio.sleep(WAIT_S / 2)
                await lane.proxy.refuse()
                await asyncio.sleep(2)
                await lane.proxy.start()
                await asyncio.sleep(WAIT_S / 2)
            await require_exact(rig, lane, f"collector's clock {hours:+d} h and back, a reconnect at each")
            assert noted(lane, "collector_clock_jump")

    asyncio.run(scenario())
