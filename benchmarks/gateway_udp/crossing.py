"""One crossing: receiver first, then sender, each in its namespace; what both say of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway_udp.segments import SYSTEM, same_files
from tests.fakes.one_way_link import RECEIVER_ADDRESS, OneWayLink

PORT = 47100
ENDS = (sys.executable, "-m", "benchmarks.gateway_udp.ends")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Crossing:
    """What one crossing brought.

    Attributes:
        sent: what the sender says: segments, seconds, CPU seconds.
        received: what the receiver says: CPU seconds, counts, missing numbers by stream.
        equal: segments that arrived as they were sent.
        lost: those that did not, as `<stream>/<number>`.
        wrong: those that arrived changed.
        back: packets that anything tried to send back.
    """

    sent: dict[str, Any]
    received: dict[str, Any]
    equal: int
    lost: set[str]
    wrong: set[str]
    back: int

    @property
    def told_missing(self) -> set[str]:
        """What the receiver itself says is missing, as `<stream>/<number>`."""
        return {
            f"{stream}/{number:012d}"
            for stream, pairs in self.received["missing"].items()
            for first, last in pairs
            for number in range(first, last + 1)
        }


def cross(link: OneWayLink, state_dir: Path, folder: Path, port: int = PORT, **order: Any) -> Crossing:
    """Send everything below `state_dir` over the link into `folder`."""
    receive = {"host": RECEIVER_ADDRESS, "port": PORT, "folder": str(folder), "core": 1, **order}
    send = {"host": RECEIVER_ADDRESS, "port": port, "state_dir": str(state_dir), "core": 0, **order}
    with subprocess.Popen(
        link.in_receiver([*ENDS, "receive", json.dumps(receive)]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline().strip() == "listening"
        sender = subprocess.run(
            link.in_sender([*ENDS, "send", json.dumps(send)]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
        )
        assert receiver.stdin is not None
        receiver.stdin.close()
        told = receiver.stdout.read()
    equal, lost, wrong = same_files(state_dir / SYSTEM, folder / "inbox")
    return Crossing(json.loads(sender.stdout), json.loads(told), equal, lost, wrong, link.counted()[1])
