"""The collector killed while loggers send: what they measured is sealed once, whatever they send again."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

import pytest

from tests.fakes.collector_sites import make_site, sealed, start_connected, until
from tests.fakes.hj212_logger import PW, Logger
from tests.fakes.opcua_history import free_port

SYSTEM = "instruments_test"


@pytest.mark.parametrize("seed", [1, pytest.param(None, marks=pytest.mark.full)])
def test_a_collector_killed_while_loggers_send_loses_and_doubles_nothing(
    tmp_path: Path, seed: int | None
) -> None:
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    sys.stdout.write(f"seed {chosen}\n")
    asyncio.run(kill_repeatedly(tmp_path, chosen, kills=2 if seed else 20))


async def kill_repeatedly(site: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    (site / "pw.txt").write_text(PW)
    port = free_port()
    loggers = [Logger(port, mn=f"{number:024X}", every_s=0.02) for number in range(3)]
    devices = [{"mn": logger.mn, "password_file": "pw.txt"} for logger in loggers]
    source = {"kind": "hj212", "system_id": SYSTEM, "host": "127.0.0.1", "port": port}
    config = make_site(site, [{**source, "peers": ["127.0.0.1"], "devices": devices}], seal_every_s=0.05)
    process = await start_connected(config, SYSTEM)
    sending = [asyncio.create_task(logger.send()) for logger in loggers]
    try:
        for _ in range(kills):
            measuring = [asyncio.create_task(logger.measure(30)) for logger in loggers]
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = await start_connected(config, SYSTEM)
            await asyncio.gather(*measuring)
        await until(lambda: not any(logger.waiting for logger in loggers), "all is answered", 120)
    finally:
        for task in sending:
            task.cancel()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait)
    assert code == 0
    expected = sorted(
        (f"{SYSTEM}.{logger.mn}.w01018.Rtd", value) for logger in loggers for _, value in logger.produced
    )
    table = sealed(site, SYSTEM)
    found = sorted(
        (tag, value)
        for tag, value in zip(table["tag_id"].to_pylist(), table["value_number"].to_pylist(), strict=True)
        if tag.endswith(".Rtd")
    )
    connections = sum(logger.connections for logger in loggers)
    sys.stdout.write(
        f"{len(expected)} measured, {len(found)} sealed, {kills} kills, {connections} connections\n"
    )
    assert found == expected, f"seed {seed}"
    assert sealed(site, SYSTEM, "quarantine").num_rows == 0
