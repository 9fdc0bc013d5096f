"""The collector killed at random moments, and its server too: every point once, none lost, none twice."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protocols.keys import load_verify_key
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import manifest_path, read_table, sequences, verify_segment
from tests.fakes import opcua_history
from tests.fakes.opcua_history import SYSTEM, Source

STREAM = f"{SYSTEM}.points"
PROGRAM = "import sys, pathlib; from ingestion.collector.run import main; main(pathlib.Path(sys.argv[1]))"


def sealed_points(site: Path) -> list[tuple[str, int, Any, int]]:
    """Everything sealed, verified, in order of sequence: tag, source ticks, value, status."""
    directory = site / "var" / "collector" / SYSTEM
    key = load_verify_key(site / "pki" / "gateway_verify.pem")
    found = []
    numbers = sequences(directory, STREAM)
    assert numbers == list(range(1, len(numbers) + 1))
    for number in numbers:
        path = manifest_path(directory, STREAM, number)
        verify_segment(path, key)
        table = read_table(path)
        micros = table["source_at_utc"].cast("int64").to_pylist()
        digits = table["source_at_100ns"].to_pylist()
        values = [
            text if value is None else value
            for value, text in zip(
                table["value_number"].to_pylist(), table["value_text"].to_pylist(), strict=True
            )
        ]
        ticks = [UNIX_EPOCH_TICKS + 10 * micro + digit for micro, digit in zip(micros, digits, strict=True)]
        found += list(
            zip(table["tag_id"].to_pylist(), ticks, values, table["status_code"].to_pylist(), strict=True)
        )
    return found


def start(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(config)], cwd=Path(__file__).parents[2])


async def wait_until_sealed(site: Path, source: Source, timeout_s: float) -> None:
    """Wait until the last sample of every tag is sealed, or the time is over."""
    last = {(tag, *source.sample(tag, source.count - 1)) for tag in source.tags}
    async with asyncio.timeout(timeout_s):
        while not last <= set(await asyncio.to_thread(sealed_points, site)):
            await asyncio.sleep(0.5)


def assert_each_once(site: Path, source: Source, seed: int) -> None:
    points = sealed_points(site)
    expected = source.everything()
    missing, extra = expected - set(points), set(points) - expected
    assert not missing, f"seed {seed}: {len(missing)} missing, first {sorted(missing, key=str)[:3]}"
    assert not extra, f"seed {seed}: {len(extra)} never produced, first {sorted(extra, key=str)[:3]}"
    assert len(points) == len(expected), f"seed {seed}: {len(points) - len(expected)} twice"


@pytest.mark.parametrize("seed", [1, pytest.param(None, marks=pytest.mark.full)])
def test_a_collector_killed_at_random_moments_loses_and_doubles_nothing(
    tmp_path: Path, seed: int | None
) -> None:
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    sys.stdout.write(f"seed {chosen}\n")
    asyncio.run(kill_repeatedly(tmp_path, chosen, kills=4 if seed else 20))


async def kill_repeatedly(site: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    port = opcua_history.free_port()
    pauses = [chance.uniform(0.2, 1.8) for _ in range(kills)]
    source = opcua_history.source_around_now(
        ("A", "B", "C.TEXT"), history_s=60, live_s=sum(pauses) + 2 * kills + 5
    )
    config = opcua_history.make_site(site, port, source)
    async with opcua_history.serve(site, port, source):
        for pause in pauses:
            process = start(config)
            await asyncio.sleep(1.0 + pause)  # the first second is mostly imports
            process.send_signal(signal.SIGKILL)
            process.wait()
        process = start(config)
        try:
            await wait_until_sealed(site, source, 60)
        finally:
            process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(process.wait)
    assert code == 0
    assert_each_once(site, source, seed)


def test_a_server_that_goes_away_is_waited_for_and_its_outage_filled_from_history(tmp_path: Path) -> None:
    asyncio.run(outage(tmp_path))


async def outage(site: Path) -> None:
    port = opcua_history.free_port()
    source = opcua_history.source_around_now(("A", "B"), history_s=5, live_s=9)
    config = opcua_history.make_site(site, port, source)
    process = start(config)
    try:
        async with opcua_history.serve(site, port, source):
            await asyncio.sleep(3)
        await asyncio.sleep(1.5)
        async with opcua_history.serve(site, port, source):
            await wait_until_sealed(site, source, 60)
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait)
    assert code == 0
    assert_each_once(site, source, seed=0)
