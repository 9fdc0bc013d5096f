"""Two collectors of one server, the cable between them in the test's hands, and what landing makes of it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import yaml

from ingestion.collector.identity import make_identity
from ingestion.collector.settings import load_settings
from ingestion.landing import LandingSpec, land_once
from lake import tables
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import open_state
from protocols.clock import SystemClock
from protocols.keys import load_verify_key
from protocols.opcua_time import UNIX_EPOCH_TICKS
from tests.fakes import opcua_history
from tests.fakes.opcua_history import SYSTEM, Source

PROGRAM = "import sys, pathlib; from ingestion.collector.run import main; main(pathlib.Path(sys.argv[1]))"
ROOT = Path(__file__).parents[2]
TAKEOVER_S = 1.0
AFTER_SAMPLES = 20


def free_port() -> int:
    """A port that is free, and that no outgoing connection takes before it is used."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Cable:
    """Carries bytes from one port to another until it is cut.

    Args:
        target_port: where it leads to.
    """

    def __init__(self, target_port: int) -> None:
        self.port, self._target_port = free_port(), target_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def plug(self) -> None:
        """Carry."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Carry nothing more."""
        if self._server is not None:
            self._server.close()
        self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (OSError, asyncio.CancelledError):
        pass  # cut, or one end is gone
    finally:
        writer.close()


@dataclass
class Collector:
    """One of the two, as a process."""

    site: Path
    config: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.site / "collector.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(self.config)], cwd=ROOT, stderr=log
            )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    async def stop(self) -> None:
        """End it as an operator does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self.process.wait, 60) == 0, self.log()

    def standing(self) -> dict[str, Any]:
        path = self.site / "var" / "collector" / "peer" / "status.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @property
    def is_active(self) -> bool:
        return bool(self.standing().get("is_active"))

    def log(self) -> str:
        return (self.site / "collector.log").read_text(encoding="utf-8", errors="replace")[-3000:]


@dataclass
class PairSite:
    """Both collectors, the inbox they drop into, and the lake."""

    root: Path
    port: int
    source: Source
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inbox, self.lake = self.root / "inbox", LakePaths(self.root / "var")
        ports = {"main": free_port(), "spare": free_port()}
        self.cables = {"main": Cable(ports["main"]), "spare": Cable(ports["spare"])}  # by where they lead
        self.main = self._site("main", "spare", ports)
        self.spare = self._site("spare", "main", ports)
        for one, other in ((self.main, self.spare), (self.spare, self.main)):
            (one.site / "pki" / "peer").mkdir()
            shutil.copy(other.site / "pki" / "own" / "cert.der", one.site / "pki" / "peer" / "cert.der")
        migrate(self.lake.state_url)
        self._spec = LandingSpec(
            self.inbox,
            load_verify_key(self.main.site / "pki" / "gateway_verify.pem"),
            self.lake,
            open_state(self.lake.state_url, SystemClock().now),
            SystemClock(),
            ZoneInfo("Asia/Shanghai"),
            gap_wait_s=0.2,
        )

    def _site(self, name: str, other: str, ports: dict[str, int]) -> Collector:
        site = self.root / name
        config = opcua_history.make_site(
            site,
            self.port,
            self.source,
            collector_id=f"collector_{name}",
            gateway={"drop_dir": str(self.inbox), "heartbeat_s": 0.5},
            standby={
                "preference": name,
                "listen_host": "127.0.0.1",
                "listen_port": ports[name],
                "peer_host": "127.0.0.1",
                "peer_port": self.cables[other].port,
                "takeover_after_seconds": TAKEOVER_S,
                "unreached_after_seconds": 2.0,
            },
            **dict(self.changes),
        )
        if name == "spare":  # one sealing key of the zone, and one server
            shutil.rmtree(site / "pki")
            shutil.copytree(self.root / "main" / "pki", site / "pki")
        for file in ("cert.der", "key.pem"):
            (site / "pki" / "own" / file).unlink()
        make_identity(load_settings(config).pki, f"collector_{name}")
        return Collector(site, config)

    def set(self, name: str, **server: Any) -> None:
        """Change the server block of one of the two."""
        config = self.main.config if name == "main" else self.spare.config
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        content["servers"][0].update(server)
        config.write_text(yaml.safe_dump(content), encoding="utf-8")

    async def plug(self) -> None:
        """Let the two hear each other."""
        for cable in self.cables.values():
            await cable.plug()

    async def cut(self) -> None:
        """Let the two not hear each other."""
        for cable in self.cables.values():
            await cable.cut()

    def land(self) -> None:
        """Land what came so far."""
        if self.inbox.is_dir():
            land_once(self._spec)

    def points(self) -> list[tuple[str, int, Any, int]]:
        """The points of the lake: tag, source ticks, value, status."""
        path = self.lake.table("raw", f"raw_{SYSTEM}__points")
        return points_of(tables.read(path)) if tables.exists(path) else []

    def gaps(self, reason: str) -> list[dict[str, Any]]:
        """The gap rows of the lake with a reason."""
        path = self.lake.table("raw", f"raw_{SYSTEM}__gaps")
        rows = tables.read(path).to_pylist() if tables.exists(path) else []
        return [row for row in rows if row["reason"] == reason]

    async def until(self, holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> float:
        """Wait for a condition; how many seconds."""
        begin = time.monotonic()
        while not await asyncio.to_thread(holds):
            assert time.monotonic() - begin < timeout_s, (
                f"{what}: not within {timeout_s:g} s\n{self.main.standing()}\n{self.spare.standing()}\n"
                f"{self.main.log()}\n{self.spare.log()}"
            )
            await asyncio.sleep(0.1)
        return time.monotonic() - begin

    async def until_complete(self, timeout_s: float = 60.0) -> None:
        """Land until what is produced a moment from now is in the lake; what comes later is not judged."""
        count = self.source.produced(opcua_history.now_ticks()) + AFTER_SAMPLES
        assert count <= self.source.count, "the source ended before the test did"
        self.source = replace(self.source, count=count)
        last = {(tag, *self.source.sample(tag, self.source.count - 1)) for tag in self.source.tags}

        def is_complete() -> bool:
            self.land()
            return last <= set(self.points())

        await self.until(is_complete, "the last samples in the lake", timeout_s)

    def require_each_once(self, what: str = "", tags: tuple[str, ...] | None = None) -> None:
        """Nothing lost, nothing wrong, nothing twice."""
        wanted = tags or self.source.tags
        end = self.source.first_ticks + self.source.count * self.source.step_ticks
        points = [point for point in self.points() if point[0] in wanted and point[1] < end]
        expected = {point for point in self.source.everything() if point[0] in wanted}
        missing, extra = expected - set(points), set(points) - expected
        assert not missing, f"{what}: {len(missing)} missing, first {sorted(missing, key=str)[:3]}"
        assert not extra, f"{what}: {len(extra)} never produced, first {sorted(extra, key=str)[:3]}"
        assert len(points) == len(expected), f"{what}: {len(points) - len(expected)} twice"

    async def end(self) -> None:
        """End both processes, whatever happened."""
        for each in (self.main, self.spare):
            if each.process is not None and each.process.poll() is None:
                each.process.send_signal(signal.SIGCONT)
                each.process.kill()
                each.process.wait()
        await self.cut()


def points_of(rows: pa.Table) -> list[tuple[str, int, Any, int]]:
    """Tag, source ticks, value, status of raw rows."""
    micros, digits = rows["source_at_utc"].cast("int64").to_pylist(), rows["source_at_100ns"].to_pylist()
    numbers, texts = rows["value_number"].to_pylist(), rows["value_text"].to_pylist()
    return list(
        zip(
            rows["tag_id"].to_pylist(),
            [UNIX_EPOCH_TICKS + 10 * micro + digit for micro, digit in zip(micros, digits, strict=True)],
            [text if number is None else number for number, text in zip(numbers, texts, strict=True)],
            rows["status_code"].to_pylist(),
            strict=True,
        )
    )
