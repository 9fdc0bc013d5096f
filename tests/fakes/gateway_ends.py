"""Both ends of the UDP gateway in one process, with the wire between them in the test's hands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ingestion.gateway.inbox import Inbox
from ingestion.gateway.sender import Beats, Sender
from ingestion.gateway.udp_link import UdpLink, UdpTarget
from ingestion.gateway.udp_receiver import UdpReceiver
from tests.fakes.opaque_segments import seal_bytes

SYSTEM, STREAM, COLLECTOR = "plant", "plant.points", "plant_collector"


class Wire:
    """Takes the place of the sender's socket: keeps what was sent."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.is_cut = False

    def send(self, datagrams: Sequence[tuple[bytes, bytes]]) -> None:
        if self.is_cut:
            raise OSError("network is unreachable")
        assert len({len(head) + len(body) for head, body in datagrams}) <= 1, "one burst, one length"
        self.datagrams += [head + body for head, body in datagrams]

    def close(self) -> None:
        pass

    def taken(self) -> list[bytes]:
        """What was sent since the last call."""
        found, self.datagrams = self.datagrams, []
        return found


class Port:
    """Takes the place of the receiver's socket: gives what the test puts in."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []

    def receive(self, _timeout_s: float) -> Iterator[tuple[memoryview, int, str]]:
        while self.datagrams:
            datagram = self.datagrams.pop(0)
            yield memoryview(bytearray(datagram)), max(1, len(datagram)), "10.0.0.1"

    def has_waiting(self) -> bool:
        return bool(self.datagrams)

    def close(self) -> None:
        pass


class Ends:
    """A sender and a receiver below one folder.

    Args:
        folder: state, inbox and link files lie below it.
        loss: what loss the sender prepares for.
        is_encrypted: whether the sender encrypts.
    """

    def __init__(self, folder: Path, *, loss: float = 0.1, is_encrypted: bool = False) -> None:
        self.folder = folder
        self.key = Ed25519PrivateKey.generate()
        self.box = X25519PrivateKey.generate()
        self.loss, self.is_encrypted = loss, is_encrypted
        self.wire, self.port = Wire(), Port()
        self.sender = self.new_sender()
        self.receiver = self.new_receiver()

    def new_sender(self) -> Sender:
        """A sender that begins a new session."""
        box = self.box.public_key() if self.is_encrypted else None
        target = UdpTarget("127.0.0.1", 9, 1e12, self.loss, box)
        self.link = UdpLink(target, COLLECTOR, self.key, self.folder / "state")
        self.link._sender = self.wire  # type: ignore[assignment]
        beats = Beats(COLLECTOR, self.key, 0.0)
        return Sender(self.folder / "state", self.link, 72.0, backlog_bytes_s=1e12, beats=beats)

    def new_receiver(self) -> UdpReceiver:
        """A receiver that knows what the last one made durable."""
        inbox = Inbox(self.folder / "inbox", self.key.public_key(), least_free_bytes=0)
        box = self.box if self.is_encrypted else None
        return UdpReceiver(
            self.port,  # type: ignore[arg-type]
            inbox,
            self.key.public_key(),
            self.folder / "links",
            box_key=box,
        )

    def seal(self, *numbers: int, size: int = 5000, stream: str = STREAM) -> None:
        for number in numbers:
            seal_bytes(self.folder / "state" / SYSTEM, stream, number, bytes([number % 251]) * size, self.key)

    def deliver(self, datagrams: Sequence[bytes]) -> None:
        """Let the receiver take datagrams, and give up what stays incomplete."""
        self.port.datagrams = list(datagrams)
        self.receiver.run(lambda: not self.port.datagrams)

    def arrived(self, stream: str = STREAM) -> list[int]:
        """The numbers that lie whole in the inbox."""
        found = []
        for path in (self.folder / "inbox" / stream).glob("*.json"):
            source = self.folder / "state" / SYSTEM / stream / path.name
            pairs = [(source, path), (source.with_suffix(".parquet"), path.with_suffix(".parquet"))]
            assert all(sent.read_bytes() == got.read_bytes() for sent, got in pairs), path
            found.append(int(path.stem))
        return sorted(found)

    def missing(self) -> dict[str, list[tuple[int, int]]]:
        """What the receiver says is missing."""
        return {name: ranges.pairs() for name, ranges in self.receiver.links[COLLECTOR].missing().items()}
