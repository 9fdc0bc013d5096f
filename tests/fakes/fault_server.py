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
# A server this far behind its clock does not offer its rate.
BEHIND_LIMIT_S = 10.0
UNCERTAIN, BAD = 0x4090_0000, 0x808C_0000
BOOLEAN, INTEGER, TEXT = 22, 23, 24  # tag number modulo 25; the others are doubles


class VoidRunError(Exception):
    """The server did not do its part: the run says nothing of the collector and is to be repeated."""


@dataclass(frozen=True)
class Production:
    """What the journal has: how the server kept to its clock.

    Attributes:
        ticks: produced, over all its lives.
        skipped: ticks that a life left out, described.
        late: how many came when the next one was due already.
        latest_s: how late the latest one was, seconds.
        produced: the number of the next tick.
    """

    ticks: int
    skipped: tuple[str, ...]
    late: int
    latest_s: float
    produced: int

    def __str__(self) -> str:
        share = 100 * self.late / max(1, self.ticks)
        return (
            f"{self.ticks} ticks produced, {len(self.skipped)} skipped, {share:.1f} % later than a tick, "
            f"the latest by {self.latest_s:.1f} s"
        )


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
    _is_killed: bool = True

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
                    self._is_killed = False
                    self._drain = asyncio.create_task(_drain(self.process.stdout))
                    return
        msg = f"the fault server ended: {(self.directory / 'server.log').read_text()[-2000:]}"
        raise AssertionError(msg)

    async def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None and self.process.returncode is None:
            self._is_killed = True
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    def require_its_part(self) -> None:
        """Fail when the server ended by itself, left out a tick or fell far behind.

        Raises:
            VoidRunError: says which.
        """
        if self.process is not None and self.process.returncode is not None and not self._is_killed:
            said = (self.directory / "server.log").read_text(encoding="utf-8")[-2000:]
            msg = f"the server ended by itself: {said}"
            raise VoidRunError(msg)
        made = self.production()
        behind_s = (
            0.0 if self._is_killed else (self.source.due() - made.produced) * self.source.step_ms / 1000
        )
        if made.skipped or max(made.latest_s, behind_s) > BEHIND_LIMIT_S:
            msg = f"the server is {behind_s:.1f} s behind its clock: {made}: {made.skipped[:3]}"
            raise VoidRunError(msg)

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

    def production(self) -> Production:
        """How the server kept to its clock so far; what came due while a life began counts as on time."""
        skipped, ticks, late, latest_ms, expected, is_ready = [], 0, 0, 0, 0, False
        for line in self.journal.read_text(encoding="utf-8").splitlines():
            word, *rest = line.split()
            if word in ("life", "ready"):
                is_ready = word == "ready"
                expected = int(rest[0]) if rest else expected
            elif word != "jump":
                number, late_ms = int(word), int(rest[0]) if is_ready else 0
                if number != expected:
                    skipped.append(f"{number} where {expected} was due")
                expected, ticks = number + 1, ticks + 1
                late, latest_ms = late + (late_ms > self.source.step_ms), max(latest_ms, late_ms)
        return Production(ticks, tuple(skipped), late, latest_ms / 1000, expected)


async def _drain(stream: asyncio.StreamReader) -> None:
    while line := await stream.readline():
        sys.stderr.buffer.write(line)
