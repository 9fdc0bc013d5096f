"""The collector killed while a broker sends: what was published is sealed once, in whatever order it came."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from pathlib import Path

import pytest
import yaml

from tests.fakes.collector_sites import make_site, sealed, start_connected, until
from tests.fakes.mqtt_broker import Broker, Publisher

SYSTEM = "iot_test"
MS0 = 1_795_000_000_000
RULE = {"topic": "d/{tag}", "tag": "{tag}", "value": "/v", "time": {"at": "/t", "written": "epoch_ms"}}


@pytest.mark.parametrize("seed", [1, pytest.param(None, marks=pytest.mark.full)])
def test_a_collector_killed_while_messages_arrive_loses_and_doubles_nothing(
    tmp_path: Path, seed: int | None
) -> None:
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    sys.stdout.write(f"seed {chosen}\n")
    asyncio.run(kill_repeatedly(tmp_path, chosen, kills=2 if seed else 20))


async def kill_repeatedly(site: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    (site / "mapping.yml").write_text(yaml.safe_dump({"schema_version": 1, "rules": [RULE]}))
    sent: set[tuple[str, int, float]] = set()
    with Broker(site / "broker") as broker:
        source = {"kind": "mqtt", "system_id": SYSTEM, "host": "127.0.0.1", "port": broker.port}
        source |= {"client_id": "chemlink_test", "allow_plain_text": True, "mapping": "mapping.yml"}
        config = make_site(site, [source], seal_every_s=0.05)
        publisher = Publisher(broker.port)
        process = await start_connected(config, SYSTEM)
        try:
            for kill in range(kills):
                publishing = asyncio.create_task(asyncio.to_thread(publish, publisher, chance, kill, sent))
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                process.send_signal(signal.SIGKILL)
                process.wait()
                process = await start_connected(config, SYSTEM)
                await publishing
            await until(lambda: sent <= set(points(site)), "all is sealed", 60)
        finally:
            process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(process.wait)
            publisher.close()
    assert code == 0
    found = points(site)
    sys.stdout.write(f"{len(sent)} published, {len(found)} sealed, {kills} kills\n")
    assert set(found) == sent
    assert len(found) == len(sent), f"seed {seed}: {len(found) - len(sent)} twice"


def publish(
    publisher: Publisher, chance: random.Random, kill: int, sent: set[tuple[str, int, float]]
) -> None:
    """Three hundred points, one in five repeated, in an order that is not that of their times."""
    numbers = [number for number in range(300) for _ in range(1 + (number % 5 == 0))]
    for number in sorted(numbers, key=lambda number: number + chance.uniform(0, 30)):
        tag, at = f"T{number % 7}", MS0 + kill * 1000 + number
        sent.add((tag, at, float(number)))
        publisher.publish(f"d/{tag}", json.dumps({"t": at, "v": number}))


def points(site: Path) -> list[tuple[str, int, float]]:
    table = sealed(site, SYSTEM)
    millis = [us // 1000 for us in table["source_at_utc"].cast("int64").to_pylist()]
    return list(zip(table["tag_id"].to_pylist(), millis, table["value_number"].to_pylist(), strict=True))
