"""The server of the speed runs (node-opcua), what it must have produced, and the keys all sides use."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_plant.pki import make_pki
from tests.fakes.fault_server import PEERS
from tests.fakes.opcua_history import free_port

ROOT = Path(__file__).parents[1]
SYSTEM = "opcua_speed"
NAMESPACE = "urn:chemlink:speed"
PERIOD_MS = 100


def value_of(tags: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What a tag measures at a tick; the same function stands in peers/speed_server.mjs."""
    return tags + ((ticks * 7919 + tags * 104729) % 65536) / 64


@dataclass
class Printing:
    """A process that prints JSON lines."""

    process: subprocess.Popen[str]
    log: Path

    @classmethod
    def start(cls, command: list[str], log: Path, cwd: Path = ROOT) -> Printing:
        """Start it, its output and errors in a file."""
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT, text=True)
        return cls(process, log)

    def lines(self) -> list[dict[str, Any]]:
        """What it printed so far."""
        printed = self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        return [json.loads(line) for line in printed if line.startswith("{") and line.endswith("\n")]

    def wait_for_line(self, limit_s: float = 60.0) -> dict[str, Any]:
        """The first line.

        Raises:
            AssertionError: it ended or stayed silent; says what it printed.
        """
        return self.wait_until(lambda lines: bool(lines), limit_s)[0]

    def wait_until(self, is_met: Any, limit_s: float = 120.0) -> list[dict[str, Any]]:
        """Its lines once they satisfy a condition; raises as `wait_for_line`."""
        begun = time.monotonic()
        while not is_met(lines := self.lines()):
            silent = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
            assert self.process.poll() is None or is_met(self.lines()), f"ended: {silent}"
            assert time.monotonic() - begun < limit_s, f"no answer within {limit_s:.0f} s: {silent}"
            time.sleep(0.1)
        return lines

    def stop(self) -> None:
        """End it as an operator does, then for good."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Source:
    """A running server."""

    directory: Path
    port: int
    t0_ms: int
    namespace: int
    server: Printing

    @property
    def url(self) -> str:
        """Its address."""
        return f"opc.tcp://127.0.0.1:{self.port}/"

    @property
    def keys(self) -> Path:
        """Everybody's keys."""
        return self.directory / "pki"

    def peer(self, name: str, script: str, **options: Any) -> Printing:
        """Start a client: a Node script of benchmarks/peers, or a Python module."""
        given = json.dumps(
            {
                "url": self.url,
                "namespace": self.namespace,
                "certificate": str(self.keys / "own" / "cert.der"),
                "server_certificate": str(self.keys / "servers" / SYSTEM / "cert.der"),
                "key": str(self.keys / "own" / "key.pem"),
                "pki": str(self.directory / f"pki_{name}"),
                **options,
            }
        )
        command = (
            ["node", script, given] if script.endswith(".mjs") else [sys.executable, "-m", script, given]
        )
        cwd = PEERS if script.endswith(".mjs") else ROOT
        return Printing.start(command, self.directory / f"{name}.log", cwd)


@contextmanager
def running(**options: int) -> Iterator[Source]:
    """A server with so many `tags`, or `history_tags` of `history_values`.

    Raises:
        AssertionError: it does not start.
    """
    subprocess.run([ROOT / "tools" / "ensure-node-peers"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        directory, port = Path(folder), free_port()
        make_pki(directory / "pki", {SYSTEM: f"{NAMESPACE}:server"})
        own = directory / "pki" / "servers" / SYSTEM
        given = {
            "port": port,
            "period_ms": PERIOD_MS,
            "certificate": str(own / "cert.der"),
            "key": str(own / "key.pem"),
            "pki": str(directory / "pki_server"),
            **options,
        }
        server = Printing.start(
            ["node", "--max-old-space-size=4096", "speed_server.mjs", json.dumps(given)],
            directory / "server.log",
            PEERS,
        )
        try:
            first = server.wait_for_line()
            yield Source(directory, port, int(first["t0_ms"]), int(first["namespace"]), server)
        finally:
            server.stop()
