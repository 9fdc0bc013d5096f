"""A day of store-and-forward: the gateway was closed for 24 hours, opens, and what is live stays on time.

Segments are sealed every ten seconds of that day. Sender, receiver and landing are the real ones; they are
joined by UDP on this machine, or by a drop folder whose files a gateway carries over in any order.

That live data is not disturbed is tried by order (a live segment never lands behind a later one, and the
first one lands before the backlog has drained), by none being lost or landed twice, and by how long a live
segment takes from sealed to landed: printed with and without the backlog beside it, not judged here, as a
busy machine changes it.
"""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestion import landing_commit, landing_state
from ingestion.gateway.datagram_receiving import DatagramReceiver
from ingestion.gateway.file_drop import FileDrop
from ingestion.gateway.inbox import Inbox
from ingestion.gateway.lanes import Item
from ingestion.gateway.sender import Beats, Sender
from ingestion.gateway.udp_link import UdpLink, UdpTarget
from ingestion.gateway.udp_receiver import UdpReceiver
from ingestion.landing import Landing, LandingSpec
from lake import tables
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import open_state
from tests.fakes.landing_segments import KEY, START, minute_points, seal
from tests.unit.landing.test_landing import FixedClock

POINTS, SYSTEM = "opcua_a.points", "opcua_a"
DAY = 24 * 360  # segments
NORMAL = 40  # live segments before the gateway closes
LIVE_EVERY_S = 0.25


class UdpGate(UdpLink):
    """The link, which an operator can close."""

    is_closed = False

    def flush(self) -> None:
        if self.is_closed:
            self._held, self._held_bytes = [], 0
            raise OSError("the gateway is closed")
        super().flush()

    def send_heartbeat(self, collector_id: str, data: bytes) -> None:
        if self.is_closed:
            raise OSError("the gateway is closed")
        super().send_heartbeat(collector_id, data)


class DropGate(FileDrop):
    """The drop folder, which an operator can close, and the gateway that carries its files over.

    Args:
        drop_dir: where the sender puts files.
        inbox: where the gateway puts them.
    """

    is_closed = False

    def __init__(self, drop_dir: Path, inbox: Path) -> None:
        super().__init__(drop_dir)
        self._inbox = inbox
        self._chance = random.Random(7)

    def send(self, item: Item) -> int:
        if self.is_closed:
            raise OSError("the gateway is closed")
        return super().send(item)

    def send_heartbeat(self, collector_id: str, data: bytes) -> None:
        if self.is_closed:
            raise OSError("the gateway is closed")
        super().send_heartbeat(collector_id, data)

    def carry(self, is_over: Callable[[], bool]) -> None:
        """Move whatever lies in the drop folder, until it is over."""
        while not is_over():
            found = [path for path in self._drop_dir.rglob("[!.]*") if path.is_file()]
            self._chance.shuffle(found)
            for path in found:
                target = self._inbox / path.relative_to(self._drop_dir)
                target.parent.mkdir(exist_ok=True)
                with suppress(FileNotFoundError):  # a heartbeat being replaced
                    path.replace(target)
            time.sleep(0.05)


@dataclass
class Plant:
    """Both zones, each part in a thread of its own as it has a process of its own.

    Attributes:
        sealed_at: when each live segment was sealed.
        gate: what an operator closes and opens.
        carry: brings what was sent to the inbox until it is told that it is over.
        delays: how long each live one took until it was landed, in order.
        landed: the live segments in the order of landing.
        backlog_rows: how many rows had landed when the first live segment since the drain began had.
    """

    spec: LandingSpec
    state_dir: Path
    sender: Sender
    gate: UdpGate | DropGate
    carry: Callable[[Callable[[], bool]], None]
    is_over: threading.Event = field(default_factory=threading.Event)
    sealed_at: dict[int, float] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    landed: list[int] = field(default_factory=list)
    backlog_rows: int | None = None
    last: int = 0

    def seal(self, count: int, *, is_live: bool) -> None:
        for _ in range(count):
            self.last += 1
            seal(self.state_dir / SYSTEM, POINTS, self.last, minute_points(self.last))
            if is_live:
                self.sealed_at[self.last] = time.monotonic()
                time.sleep(LIVE_EVERY_S)

    def send(self) -> None:
        while not self.is_over.is_set():
            try:
                self.sender.send_once()
            except OSError:
                time.sleep(0.2)
            time.sleep(0.05)

    def land(self) -> None:
        landing = Landing(self.spec)
        while not self.is_over.is_set():
            report = landing.look()
            now = time.monotonic()
            for part in report.landed:
                for number in range(part.first_sequence, part.last_sequence + 1):
                    if number in self.sealed_at:
                        self.landed.append(number)
                        self.delays.setdefault(number, now - self.sealed_at[number])
                        if number > NORMAL and self.backlog_rows is None:
                            self.backlog_rows = len(landed(self.spec))
            if not report.did_something:
                time.sleep(0.1)

    def run(self) -> list[threading.Thread]:
        work: list[Callable[[], None]] = [
            self.send,
            self.land,
            lambda: self.carry(self.is_over.is_set),
        ]
        threads = [threading.Thread(target=each, daemon=True) for each in work]
        for thread in threads:
            thread.start()
        return threads


@pytest.fixture(params=["udp", "file_drop"])
def plant(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Plant]:
    lake = LakePaths(tmp_path / "var")
    migrate(lake.state_url)
    clock = FixedClock(START + timedelta(days=7))
    state = open_state(lake.state_url, clock.now)
    inbox, key = tmp_path / "inbox", KEY.public_key()
    inbox.mkdir()
    spec = LandingSpec(inbox, key, lake, state, clock, ZoneInfo("Asia/Shanghai"), commit_every_s=1.0)
    with ExitStack() as opened:
        opened.callback(state.close)
        gate: UdpGate | DropGate
        carry: Callable[[Callable[[], bool]], None]
        if request.param == "udp":
            port = DatagramReceiver("127.0.0.1", 0)
            opened.callback(port.close)
            receiver = UdpReceiver(port, Inbox(inbox, key, least_free_bytes=0), key, tmp_path / "links")
            gate, carry = UdpGate(target_of(port), "plant", KEY, tmp_path / "state"), receiver.run
        else:
            gate = DropGate(tmp_path / "drop", inbox)
            carry = gate.carry
        beats = Beats("plant", KEY, 0.5)
        sender = Sender(tmp_path / "state", gate, 72.0, backlog_bytes_s=1e6, beats=beats)
        yield Plant(spec, tmp_path / "state", sender, gate, carry)


def target_of(port: DatagramReceiver) -> UdpTarget:
    return UdpTarget("127.0.0.1", port.port, 20e6, 0.1)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_day_of_backlog_drains_beside_what_is_live(plant: Plant) -> None:
    threads = plant.run()
    plant.seal(NORMAL, is_live=True)
    wait_until(lambda: len(plant.delays) == NORMAL)
    normal = sorted(plant.delays.values())

    plant.gate.is_closed = True
    plant.seal(DAY, is_live=False)
    plant.gate.is_closed = False
    opened = time.monotonic()
    live = 0
    while len(landed(plant.spec)) < 3 * (NORMAL + DAY + live):
        plant.seal(20, is_live=True)
        live += 20
        assert time.monotonic() - opened < 1500, "the backlog did not drain"
    drained_s = time.monotonic() - opened
    wait_until(lambda: len(plant.delays) == NORMAL + live)
    plant.is_over.set()
    for thread in threads:
        thread.join(30)

    during = sorted(plant.delays[number] for number in plant.sealed_at if number > NORMAL)
    told = [f"backlog of {DAY} segments (24 h at one in 10 s) drained in {drained_s:.0f} s"]
    for name, delays in (("normal", normal), ("during the drain", during)):
        tail = delays[int(0.95 * len(delays))]
        told.append(
            f"live segment sealed to landed, {name}: {len(delays)} segments, median "
            f"{statistics.median(delays):.2f} s, 95 % {tail:.2f} s, longest {delays[-1]:.2f} s"
        )
    sys.stdout.write("\n".join(["", *told, ""]))
    everything = [number for number in range(1, plant.last + 1) for _ in range(3)]
    assert landed(plant.spec) == everything  # none lost, none twice
    assert plant.landed == sorted(plant.sealed_at)
    assert plant.backlog_rows is not None
    assert plant.backlog_rows < 3 * DAY  # it did not wait for all that was sealed before it
    with plant.spec.state.read() as connection:
        assert landing_state.open_gaps(connection) == {}


def landed(spec: LandingSpec) -> list[int]:
    """The segment number of each raw row, sorted."""
    path = landing_commit.raw_table(spec.lake, POINTS)
    return sorted(tables.read(path, columns=["_sequence"]).column(0).to_pylist())


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
