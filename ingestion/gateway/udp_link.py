"""Sending over a bare diode: segments are packed into blocks, corrected forward, signed, paced, sent as UDP.

A block of up to 1 MiB becomes symbols of one datagram each and enough repair symbols that a set share of them
may be lost; signed indexes vouch for the symbols (`protocols.gateway_datagrams`). Live segments are not held
until a block is full: it is sent as soon as nothing live is left. Nothing comes back, nothing is waited for.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.gateway.datagram_sending import DatagramSender
from protocols.durable_files import write_durably
from protocols.fec import encode, repair_count, source_count
from protocols.gateway_blocks import (
    FRAGMENT_OVERHEAD,
    Fragment,
    write_fragment,
    write_heartbeat_record,
)
from protocols.gateway_cipher import BlockCipher, sending_cipher
from protocols.gateway_datagrams import LANES, SYMBOL, BlockIndex, prefix, write_indexes

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    from ingestion.gateway.lanes import Item

BLOCK_BYTES = 1024 * 1024
SESSION_NAME = "gateway_session.json"
_SMALLEST_BLOCK_BYTES = 64 * 1024
_BLOCK_S = 0.25  # a slow link gets smaller blocks, so that a live segment never waits longer for one
_WORTH_CUTTING_BYTES = 4096
_INDEX_LOSS = 1e-9
_LEAST_COPIES = 3
_HEARTBEAT_LANE = LANES.index("heartbeat")


@dataclass(frozen=True)
class UdpTarget:
    """Where to send, how fast, and what loss to survive.

    Attributes:
        host: the receiver's address.
        port: the receiver's port.
        bytes_s: what the link may carry in a second, headers and repair included.
        survives_loss: the share of datagrams that may be lost at random.
        receiver_key: encrypts for this receiver; None sends readable, signed blocks.
    """

    host: str
    port: int
    bytes_s: float
    survives_loss: float
    receiver_key: X25519PublicKey | None = None

    @property
    def block_bytes(self) -> int:
        """How much content a block holds at most."""
        return max(_SMALLEST_BLOCK_BYTES, min(BLOCK_BYTES, int(self.bytes_s * _BLOCK_S)))


class UdpLink:
    """A session of one sender.

    Args:
        target: where and how.
        collector_id: who sends.
        sign_key: the control zone's gateway key.
        state_dir: keeps the session's number, which only ever grows.
    """

    name = "udp"
    holds_back = True

    def __init__(
        self, target: UdpTarget, collector_id: str, sign_key: Ed25519PrivateKey, state_dir: Path
    ) -> None:
        self._target = target
        self._collector_id = collector_id
        self._sign_key = sign_key
        self.session = _next_session(state_dir / SESSION_NAME)
        self._cipher: BlockCipher | None = None
        if target.receiver_key is not None:
            self._cipher = sending_cipher(target.receiver_key, self.session)
        self._sender = DatagramSender(target.host, target.port, target.bytes_s)
        self._block = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._lane = 0

    def send(self, item: Item) -> int:
        """Put a segment into the block at hand, which is sent whenever it is full; how many bytes it has.

        Raises:
            OSError: the network cannot be reached; what was held back is dropped and must be sent again.
        """
        manifest = item.manifest.read_bytes()
        content = manifest + item.manifest.with_suffix(".parquet").read_bytes()
        self._lane = LANES.index(item.lane)
        offset = 0
        while offset < len(content):
            room = self._target.block_bytes - self._held_bytes - FRAGMENT_OVERHEAD
            if room < min(_WORTH_CUTTING_BYTES, len(content) - offset):
                self.flush()
                continue
            data = content[offset : offset + room]
            fragment = Fragment(item.stream, item.number, len(manifest), len(content), offset, data)
            self._hold(write_fragment(fragment))
            offset += len(data)
        return len(content)

    def flush(self) -> None:
        """Send the block at hand.

        Raises:
            OSError: the network cannot be reached; the block is dropped.
        """
        if not self._held:
            return
        content, self._held, self._held_bytes = b"".join(self._held), [], 0
        self._send_block(content, self._lane)

    def send_heartbeat(self, collector_id: str, data: bytes) -> None:
        """Send a heartbeat as a block of its own.

        Raises:
            OSError: the network cannot be reached.
        """
        self._send_block(write_heartbeat_record(data), _HEARTBEAT_LANE)

    def close(self) -> None:
        """Close the socket."""
        self._sender.close()

    def _hold(self, record: bytes) -> None:
        self._held.append(record)
        self._held_bytes += len(record)

    def _send_block(self, content: bytes, lane: int) -> None:
        self._block += 1
        if self._cipher is not None:
            content = self._cipher.seal(self._block, content)
        source = source_count(len(content))
        packets = encode(content, repair_count(source, self._target.survives_loss))
        whole = BlockIndex(
            session=self.session,
            block=self._block,
            collector_id=self._collector_id,
            lane=lane,
            ephemeral_key=self._cipher.ephemeral_key if self._cipher else b"",
            content_bytes=len(content),
            symbols=len(packets),
            sha256=hashlib.sha256(content).digest(),
            first=0,
            digests=b"",
        )
        indexes = write_indexes(whole, packets, self._sign_key)
        self._transmit(packets, indexes)

    def _transmit(self, packets: list[bytes], indexes: list[bytes]) -> None:
        """Symbols in order; the indexes before them and again between, so that a burst spares some."""
        head = prefix(SYMBOL, self.session, self._block)
        symbols = [(head, packet) for packet in packets]
        copies = _index_copies(len(indexes), self._target.survives_loss)
        step = -(-len(symbols) // max(1, copies - 1))
        for copy in range(copies):
            self._send_indexes(indexes)
            self._sender.send(symbols[copy * step : (copy + 1) * step])

    def _send_indexes(self, indexes: list[bytes]) -> None:
        full, last = indexes[:-1], indexes[-1]
        self._sender.send([(index, b"") for index in full])
        self._sender.send([(last, b"")])


def _index_copies(count: int, loss: float) -> int:
    """So many that one index of the block arrives in all but one case in a billion."""
    return max(_LEAST_COPIES, math.ceil(math.log(_INDEX_LOSS) / math.log(max(loss, 0.01)) / count))


def _next_session(path: Path) -> int:
    """A number above every earlier one, also when the clock was set back; durable before it is used."""
    last = int(json.loads(path.read_bytes())["session"]) if path.exists() else 0
    session = max(last + 1, time.time_ns() // 1_000_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, json.dumps({"session": session}).encode())
    return session
