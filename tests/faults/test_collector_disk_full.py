"""The collector's disk fills while the gateway is closed: reading waits at the server, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.fault_rig import SYSTEM, Lane, running

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

TAGS = 250
DISK_MB = 64
SEAL_ROWS = 2000
FULL_S = 30.0
RSS_GROWTH_MB = 80


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs, mounted where the collector keeps its state."""
    disk = tmp_path / "lane0" / "var"
    disk.mkdir(parents=True)
    ran = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)], capture_output=True, text=True
    )
    assert ran.returncode == 0, f"mounting a small disk needs root (CAP_SYS_ADMIN): {ran.stderr}"
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, leave_kb: int) -> Path:
    """All of a disk but so much in one file."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave_kb * 1024)
    return filler


def resident_mb(lane: Lane) -> float:
    assert lane.process is not None
    return float(psutil.Process(lane.process.pid).memory_info().rss) / 2**20


async def until_full(lane: Lane) -> None:
    async with asyncio.timeout(240):
        while "disk_full" not in lane.status().get("alarms", {}):
            assert lane.process is not None
            assert lane.process.poll() is None, lane.log()
            await asyncio.sleep(0.5)


# The collector fills it, or another program does at one stroke, to the last block.
@pytest.mark.parametrize("room_kb", [2500, 0])
def test_a_full_disk_is_an_alarm_and_loses_nothing_of_tags_with_history(
    tmp_path: Path, small_disk: Path, room_kb: int
) -> None:
    closed = tmp_path / "gateway"
    closed.write_text("no folder: the gateway is closed", encoding="utf-8")
    changes = {
        "disk": {"min_free_mb": 1},
        "seal_rows": SEAL_ROWS,
        "gateway": {"drop_dir": str(closed / "drop")},
    }

    async def scenario() -> None:
        async with running(tmp_path, encrypted=True, tags=TAGS, **changes) as rig:
            (lane,) = rig.lanes
            before_mb = resident_mb(lane)
            filler = fill(small_disk, room_kb)
            await until_full(lane)
            full_at = rig.source.due()
            sys.stdout.write(f"full at tick {full_at}: {lane.status()['alarms']['disk_full']}\n")
            await asyncio.sleep(FULL_S)
            after_mb, waiting = resident_mb(lane), lane.status()["points_waiting"]
            sys.stdout.write(f"resident {before_mb:.0f} -> {after_mb:.0f} MB, {waiting} points in memory\n")
            assert after_mb - before_mb < RSS_GROWTH_MB
            assert waiting <= 10 * SEAL_ROWS
            filler.unlink()
            closed.unlink()
            due = rig.source.due()
            seconds = await lane.caught_up(due)
            lane.require_exact(due)
            await until_sent(lane, closed / "drop")
            assert "disk_full" not in lane.status()["alarms"]
            sys.stdout.write(
                f"emptied at tick {due}: {due * TAGS} samples, 0 lost, 0 wrong, 0 doubled, "
                f"caught up within {seconds:.1f} s\n"
            )

    asyncio.run(scenario())


async def until_sent(lane: Lane, drop: Path) -> None:
    """Wait until what is sealed by now has gone out."""
    folder = lane.site / "var" / "collector" / SYSTEM / f"{SYSTEM}.points"
    sealed = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    async with asyncio.timeout(120):
        while not sealed <= {path.name for path in drop.rglob("*") if path.parent.name == folder.name}:
            await asyncio.sleep(0.5)
