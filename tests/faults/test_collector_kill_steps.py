"""The collector killed at every step of writing a file durably: every point once, every segment whole."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import opcua_history
from tests.fakes.fault_rig import ROOT, running
from tests.fakes.kill_at_step import FILES, STEPS
from tests.faults.test_collector_kill import assert_each_once, start, wait_until_sealed

SEEDS = 20
TAGS = 40
LIFE_LIMIT_S = 60.0


def program(file: str, step: str, count: int) -> tuple[str, ...]:
    return "-m", "tests.fakes.kill_at_step", file, step, str(count)


async def live_until_killed(process: subprocess.Popen[bytes], what: str) -> None:
    code = await asyncio.to_thread(process.wait, LIFE_LIMIT_S)
    assert code == -signal.SIGKILL, f"{what}: ended with {code} before that step"


def require_all_dropped(site: Path, drop: Path, system_id: str) -> None:
    """Every sealed file is in the drop folder too, byte by byte."""
    directory = site / "var" / "collector" / system_id
    sealed = [path for path in directory.glob("*.*/[0-9]*") if path.is_file()]
    assert sealed
    for path in sealed:
        copies = list(drop.rglob(f"{path.parent.name}/**/{path.name}"))
        assert copies, f"{path} was never dropped"
        assert copies[0].read_bytes() == path.read_bytes(), f"{copies[0]} differs from {path}"


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("file", FILES)
def test_a_collector_killed_at_each_step_of_a_file_loses_and_doubles_nothing(
    tmp_path: Path, file: str
) -> None:
    asyncio.run(kill_at_each_step(tmp_path, file))


async def kill_at_each_step(directory: Path, file: str) -> None:
    changes = {"seal_every_s": 0.1, "gateway": {"drop_dir": str(directory / "drop")}}
    async with running(directory, encrypted=False, tags=TAGS, **changes) as rig:
        (lane,) = rig.lanes
        await lane.stop()
        for step in STEPS:
            for seed in range(SEEDS):
                count = random.Random(f"{file} {step} {seed}").randint(1, 5)
                lane.start(program(file, step, count))
                assert lane.process is not None
                await live_until_killed(lane.process, f"{file}, {step}, seed {seed}, pass {count}")
            lane.start()
            due = rig.source.due()
            seconds = await lane.caught_up(due)
            assert await lane.stop() == 0
            lane.require_exact(due)
            sys.stdout.write(
                f"killed {SEEDS} times, {file}, {step}: {due * TAGS} samples, 0 lost, 0 wrong, 0 doubled, "
                f"caught up within {seconds:.1f} s\n"
            )
            require_all_dropped(lane.site, directory / "drop", "opcua_fault")


def test_a_collector_killed_once_while_it_writes_each_file_loses_and_doubles_nothing(tmp_path: Path) -> None:
    asyncio.run(kill_once_a_file(tmp_path, seed=1))


async def kill_once_a_file(site: Path, seed: int) -> None:
    chance = random.Random(seed)
    port = opcua_history.free_port()
    source = opcua_history.source_around_now(("A", "B.TEXT"), history_s=60, live_s=20)
    config = opcua_history.make_site(site, port, source, gateway={"drop_dir": str(site / "drop")})
    async with opcua_history.serve(site, port, source):
        for file in FILES:
            step = chance.choice(STEPS)
            command = [sys.executable, *program(file, step, 1), str(config)]
            await live_until_killed(subprocess.Popen(command, cwd=ROOT), f"{file}, {step}")
        process = start(config)
        try:
            await wait_until_sealed(site, source, 60)
        finally:
            process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(process.wait)
    assert code == 0
    assert_each_once(site, source, seed)
    require_all_dropped(site, site / "drop", opcua_history.SYSTEM)
