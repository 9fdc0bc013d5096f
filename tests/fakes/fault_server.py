"""The independent server of the fault runs (node-opcua), and what it must have produced.

Every value is a function of tag and tick, so a sealed point is right or wrong by itself, and what is missing
is known. `node benchmarks/peers/fault_server.js` holds the same functions in JavaScript.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.opcua_time import UNIX_EPOCH_TICKS
from tests.fakes.opcua_history import free_port

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"
NAMESPACE = "urn:chemlink:fault"
SERVER_URI = f"{NAMESPACE}:server"
TICKS_PER_MS = 10_000
UNCERTAIN, BAD = 0x4090_0000, 0x808C_0000
BOOLEAN, INTEGER, TEXT = 22, 23, 24  # tag number modulo 25; the others are doubles


def require_peers() -> None:
    """Fail, naming the tool that installs them, when node-opcua is missing."""
    if not (PEERS / "node_modules" / "node-opcua").is_dir():
        msg = f"node-opcua is not installed below {PEERS}: run tools/ensure-node-peers"
        raise AssertionError(msg)


def tag_name(tag: int) -> str:
    """The tag id and string node id."""
    return f"T{tag:04d}"


@dataclass
class FaultSource:
    """What the server produces: tick `n` at `t0_ms + n * step_ms`, later by the offset of the last jump."""

    tags: int
    t0_ms: int
    step_ms: int = 100
    jumps: list[tuple[int, int]] = field(default_factory=list)

    def times_ms(self, count: int) -> npt.NDArray[np.int64]:
        """The source times of the first `count` ticks, without what is below the millisecond."""
        times = self.t0_ms + np.arange(count, dtype=np.int64) * self.step_ms
        for first, offset in self.jumps:
            times[first:] = self.t0_ms + np.arange(first, count, dtype=np.int64) * self.step_ms + offset
        return times

    def ticks(self, tag: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Source times in 100 ns since 1601."""
        times = self.times_ms(int(n.max(initial=-1)) + 1)[n]
        return times * TICKS_PER_MS + (tag * 37 + n * 11) % 10_000 + UNIX_EPOCH_TICKS

    def numbers(self, tag: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The values of tags that are no text."""
        mixed = (tag * 7919 + n * 104_729 + 12_345) % 1_000_003
        kind = tag % 25
        return np.where(kind == BOOLEAN, mixed % 2, np.where(kind == INTEGER, mixed - 500_000, mixed / 8))

    def statuses(self, tag: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """All 32 bits, unsigned."""
        chosen = (tag * 31 + n * 17) % 211
        return np.where(chosen == 0, UNCERTAIN, np.where(chosen == 1, BAD, 0)).astype(np.int64)

    def due(self, at_s: float | None = None) -> int:
        """How many ticks there are by now, or by an instant of this machine's clock."""
        at_ms = (time.time() if at_s is None else at_s) * 1000
        return int((at_ms - self.t0_ms) // self.step_ms) + 1


@dataclass
class FaultServer:
    """One server process after another at the same port, with one journal.

    Attributes:
        directory: holds the journal, the log and the server's own trust list.
        source: what it produces.
        identity: folder of `cert.der` and `key.pem`; None offers plain text alone.
        trusted: the one client certificate it accepts.
        page: the most values a HistoryRead answer holds for a node.
    """

    directory: Path
    source: FaultSource
    identity: Path | None = None
    trusted: Path | None = None
    page: int = 250
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def journal(self) -> Path:
        """A line a tick: what was really produced."""
        return self.directory / "journal.txt"

    async def start(self) -> None:
        """Start a life and wait until it serves."""
        require_peers()
        self.directory.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "port": self.port,
            "t0_ms": self.source.t0_ms,
            "step_ms": self.source.step_ms,
            "tags": self.source.tags,
            "page": self.page,
            "journal": str(self.journal),
            "jumps": self.source.jumps,
        }
        if self.identity is not None:
            options |= {
                "certificate": str(self.identity / "cert.der"),
                "key": str(self.identity / "key.pem"),
                "trusted": str(self.trusted),
                "pki": str(self.directory / "pki"),
            }
        with (self.directory / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                "node",
                str(PEERS / "fault_server.js"),
                json.dumps(options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "HOME": str(self.directory)},
            )
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line := await self.process.stdout.readline():
                if line == b"ready\n":
                    self._drain = asyncio.create_task(_drain(self.process.stdout))
                    return
        msg = f"the fault server ended: {(self.directory / 'server.log').read_text()[-2000:]}"
        raise AssertionError(msg)

    async def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    def require_alive(self) -> None:
        """Fail when the server ended by itself: the run is void."""
        ended = self.process is None or self.process.returncode is not None
        assert not ended, f"void: the server ended: {(self.directory / 'server.log').read_text()[-2000:]}"

    async def step_clock(self, offset_ms: int) -> None:
        """Let the server's clock be off by so much from its next tick on."""
        assert self.process is not None
        assert self.process.stdin is not None
        known = len(self.source.jumps)
        self.process.stdin.write(f"offset {offset_ms}\n".encode())
        while len(self.source.jumps) == known:
            await asyncio.sleep(0.05)
            lines = [line.split() for line in self.journal.read_text().splitlines()]
            self.source.jumps[:] = [(int(line[1]), int(line[2])) for line in lines if line[0] == "jump"]

    def skipped(self) -> list[str]:
        """Ticks that a life left out, as the journal has it; a run with any is void."""
        found, expected = [], None
        for line in self.journal.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[0] == "jump":
                continue
            if words[0] == "life":
                expected = int(words[1])
                continue
            if int(words[0]) != expected:
                found.append(f"{line} where {expected} was due")
            expected = int(words[0]) + 1
        return found


async def _drain(stream: asyncio.StreamReader) -> None:
    while line := await stream.readline():
        sys.stderr.buffer.write(line)
