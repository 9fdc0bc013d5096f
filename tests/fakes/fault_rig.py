"""One fault server, a proxy and a collector process, and faults injected from seeds.

The collector runs nicer than the server, so that on two cores the server keeps its rate while the collector
catches up; a run in which it did not is void.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from reference_plant.pki import make_pki
from tests.fakes.fault_server import (
    NAMESPACE,
    SERVER_URI,
    FaultServer,
    FaultSource,
    tag_name,
)
from tests.fakes.sealed_tally import SealedTally
from tests.fakes.tcp_proxy import FaultyProxy

SYSTEM = "opcua_fault"
TAGS = 5_000  # one server offers every 100 ms
COLLECTOR_NICE = 10
ROOT = Path(__file__).parents[2]
PROGRAM = "import sys, pathlib; from ingestion.collector.run import main; main(pathlib.Path(sys.argv[1]))"
HEADER = (
    "tag_id,node_id,label_zh,label_en,unit,range_low,range_high,data_type,"
    "sampling_ms,queue_size,area,equipment_id,has_history\n"
)
PRELOAD_S = 20  # seconds of history before the first collector starts
CATCH_UP_LIMIT_S = 300.0
SEALED_WITHIN_S = 3.0  # what was admitted when the status was written
AFTER_TICKS = 10  # what the server produces right after a fault must come too


@dataclass
class Lane:
    """One collector behind its own proxy."""

    site: Path
    proxy: FaultyProxy
    tally: SealedTally
    process: subprocess.Popen[bytes] | None = None

    def start(self, program: Sequence[str] = ("-c", PROGRAM), env: dict[str, str] | None = None) -> None:
        """Start the collector process."""
        with (self.site / "collector.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "nice",
                    "-n",
                    str(COLLECTOR_NICE),
                    sys.executable,
                    *program,
                    str(self.site / "collector.yml"),
                ],
                cwd=ROOT,
                env=env,
                stderr=log,
            )

    async def stop(self) -> int:
        """End the collector as an operator does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 60)

    def status(self) -> dict[str, Any]:
        """What the collector says of itself."""
        path = self.site / "var" / "collector" / SYSTEM / "status.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def is_through(self, since: datetime) -> bool:
        """Whether the collector said after an instant that it has nothing more to read from history."""
        said = self.status()
        return bool(
            said
            and datetime.fromisoformat(said["written_at_real_utc"]) > since
            and said["connected"]
            and not said["tags_catching_up"]
            and not said["history_holes"]
        )

    async def caught_up(self, ticks: int, limit_s: float = CATCH_UP_LIMIT_S) -> float:
        """Seconds until every sample before a tick is sealed.

        A sample is lost once every tag has live values sealed from that tick on, and the collector has said
        since that no tag waits for its history and no hole is open; or when the limit is over.

        Raises:
            AssertionError: some never came; says which, and whether the collector still looked for them.
        """
        begin, reached_at, is_through = time.monotonic(), None, False
        while True:
            await asyncio.to_thread(self.tally.read)
            waited, missing = time.monotonic() - begin, self.tally.missing(ticks)
            if not missing:
                return waited
            assert self.process is None or self.process.poll() is None, self.log()
            is_lost = is_through or waited >= limit_s
            assert not is_lost, (
                f"{missing} samples missing after {waited:.0f} s, the collector "
                f"{'has nothing more to read' if is_through else 'is still catching up'}: "
                f"{self.tally.first_missing(ticks)}; status {self.status()}; {self.log()}"
            )
            if reached_at is None and self.tally.reached(ticks):
                reached_at = datetime.now(UTC)
            is_through = reached_at is not None and self.is_through(reached_at)
            await asyncio.sleep(SEALED_WITHIN_S if is_through else 0.3)

    def log(self) -> str:
        """The end of what the collector wrote."""
        return (self.site / "collector.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def require_exact(self, ticks: int) -> None:
        """Nothing lost before a tick, nothing wrong, nothing twice."""
        found = (self.tally.missing(ticks), len(self.tally.wrong), self.tally.doubled())
        assert found == (0, 0, 0), (
            f"lost {found[0]} ({self.tally.first_missing(ticks)}), wrong {found[1]} {self.tally.wrong[:3]}, "
            f"doubled {found[2]}"
        )


def write_site(site: Path, port: int, source: FaultSource, *, encrypted: bool, **changes: Any) -> None:
    """A tag table and `collector.yml` for the fault server; keys must stand already."""
    queue_size = changes.pop("queue_size", 20)
    rows = [
        f"{tag_name(tag)},nsu={NAMESPACE};s={tag_name(tag)},{tag_name(tag)},{tag_name(tag)},,,,double,"
        f"0,{queue_size},area,,true\n"
        for tag in range(source.tags)
    ]
    (site / "tags.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    server: dict[str, Any] = {
        "system_id": SYSTEM,
        "url": f"opc.tcp://127.0.0.1:{port}/",
        "tags": "tags.csv",
        "collect_alarms": False,
        "history_start_utc": datetime.fromtimestamp(source.t0_ms / 1000 - 1, UTC).isoformat(),
    }
    if not encrypted:
        server["security"] = {"policy": "None", "allow_plain_text": True}
    content = {
        "schema_version": 1,
        "collector_id": "collector_test",
        "servers": [server],
        "seal_every_s": 0.5,
        "publish_every_ms": 200,
        "request_timeout_s": 10,
        "reconnect_within_s": 4,
        "retry_every_s": 2,
        **changes,
    }
    (site / "collector.yml").write_text(yaml.safe_dump(content), encoding="utf-8")


@dataclass
class Rig:
    """What a fault is injected into."""

    server: FaultServer
    lanes: list[Lane]
    judged: int = 0  # all before this tick must be sealed

    @property
    def source(self) -> FaultSource:
        """What the server produces."""
        return self.server.source


@asynccontextmanager
async def running(
    directory: Path,
    *,
    encrypted: bool,
    tags: int = TAGS,
    preload_s: float = PRELOAD_S,
    **changes: Any,
) -> AsyncIterator[Rig]:
    """A server and a collector that has caught up once; at the end everything is checked once more.

    Raises:
        VoidRunError: the server did not do its part.
        AssertionError: something was lost, wrong or doubled, though it did.
    """
    source = FaultSource(tags, int((time.time() - preload_s) * 1000))
    keys = directory / "keys"
    make_pki(keys / "pki", {SYSTEM: SERVER_URI})
    own = keys / "pki" / "servers" / SYSTEM if encrypted else None
    server = FaultServer(directory / "server", source, own, keys / "pki" / "own" / "cert.der")
    rig = Rig(server, [])
    try:
        await server.start()
        rig.lanes.append(await _lane(directory / "lane0", keys, server, encrypted=encrypted, **changes))
        yield rig
        for lane in rig.lanes:
            assert lane.process is None or await lane.stop() == 0, lane.log()
            await asyncio.to_thread(lane.tally.read)
            lane.require_exact(rig.judged)
        server.require_its_part()
        sys.stdout.write(f"the server: {server.production()}\n")
    except (AssertionError, ExceptionGroup):
        server.require_its_part()  # else the run says nothing of the collector
        raise
    finally:
        for lane in rig.lanes:
            if lane.process is not None and lane.process.poll() is None:
                lane.process.kill()
                lane.process.wait()
            await lane.proxy.stop()
        await server.kill()


async def _lane(site: Path, keys: Path, server: FaultServer, *, encrypted: bool, **changes: Any) -> Lane:
    site.mkdir(parents=True, exist_ok=True)
    (site / "pki").symlink_to(keys / "pki")
    proxy = FaultyProxy(server.port)
    await proxy.start()
    write_site(site, proxy.port, server.source, encrypted=encrypted, **changes)
    lane = Lane(site, proxy, SealedTally(site, SYSTEM, server.source))
    lane.start()
    await lane.caught_up(server.source.due())
    return lane


Fault = Callable[[Rig, Lane, random.Random], Awaitable[str]]


async def inject(
    rig: Rig, name: str, fault: Fault, seeds: Sequence[int], limit_s: float = CATCH_UP_LIMIT_S
) -> None:
    """Inject a fault once a seed; compare sets after each."""
    (lane,) = rig.lanes
    for seed in seeds:
        chance = random.Random(seed)
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        before = rig.source.due()
        said = await fault(rig, lane, chance)
        ended = rig.source.due() + AFTER_TICKS
        rig.server.require_its_part()
        rig.judged = max(rig.judged, ended)
        try:
            seconds = await lane.caught_up(ended, limit_s)
            lane.require_exact(ended)
        except AssertionError as error:
            msg = f"{name}, seed {seed}, {said} at tick {before}: {error}"
            raise AssertionError(msg) from error
        sys.stdout.write(
            f"{name}, seed {seed}: {said}; ticks {before}-{ended}, {ended * rig.source.tags} samples, "
            f"0 lost, 0 wrong, 0 doubled, caught up within {seconds:.1f} s of its end, "
            f"connection {lane.status().get('connections')}\n"
        )


async def refuse_10_s(rig: Rig, lane: Lane, chance: random.Random) -> str:
    """Reset the connection and refuse new ones."""
    await lane.proxy.refuse()
    await asyncio.sleep(10)
    await lane.proxy.start()
    return "reset and refused for 10 s"


def stall(seconds: float) -> Fault:
    """Hold back everything in one or both directions."""

    async def fault(rig: Rig, lane: Lane, chance: random.Random) -> str:
        directions = chance.choice([("up",), ("down",), ("up", "down")])
        lane.proxy.stall(*directions)  # type: ignore[arg-type]
        await asyncio.sleep(seconds)
        lane.proxy.flow()
        return f"stalled {' and '.join(directions)} for {seconds:g} s"

    return fault


async def truncate(rig: Rig, lane: Lane, chance: random.Random) -> str:
    """End the connection in the middle of a chunk."""
    direction, fraction, with_reset = (
        chance.choice(["down", "down", "up"]),
        chance.random(),
        chance.random() < 0.5,
    )
    lane.proxy.truncate(direction, fraction, with_reset=with_reset)  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        await lane.proxy.truncated.wait()
    return f"chunk {direction} cut at {fraction:.2f}, then {'reset' if with_reset else 'closed'}"


async def half_close(rig: Rig, lane: Lane, chance: random.Random) -> str:
    """Close one direction only."""
    direction = chance.choice(["down", "up"])
    lane.proxy.half_close(direction)  # type: ignore[arg-type]
    return f"half-closed {direction}"


def restart(seconds: float | None = None) -> Fault:
    """Kill the server and start it again; it keeps its history."""

    async def fault(rig: Rig, lane: Lane, chance: random.Random) -> str:
        away_s = chance.uniform(0, 5) if seconds is None else seconds
        await rig.server.kill()
        await asyncio.sleep(away_s)
        await rig.server.start()
        return f"server killed, started again after {away_s:.1f} s"

    return fault
