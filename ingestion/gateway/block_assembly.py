"""One block while its datagrams arrive: which symbols are vouched for, and when the content is whole."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.fec import PACKET_ID_BYTES, decode, source_count
from protocols.gateway_datagrams import DIGEST_BYTES, BlockIndex, packet_bytes, packet_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

_CANDIDATES = 2  # unvouched symbols kept of one number: a forged one must not keep the true one out


@dataclass(frozen=True)
class BlockCounts:
    """What became of a block's datagrams.

    Attributes:
        sent: how many symbols had been sent when the content was whole.
        received: how many of them had come.
        repaired: how many symbols of the content were lost and restored.
    """

    sent: int
    received: int
    repaired: int


class BlockAssembly:
    """Symbols of one block.

    Args:
        index: the first of its indexes to come, verified.
    """

    def __init__(self, index: BlockIndex) -> None:
        self.index = index
        self.source = source_count(index.content_bytes)
        self.touched_at = time.monotonic()
        self._packet_bytes = packet_bytes(index.content_bytes)
        self._digests = bytearray(index.symbols * DIGEST_BYTES)
        self._copies: set[bytes] = set()  # index datagrams taken
        self._packets: dict[int, bytes] = {}
        self._unvouched: dict[int, list[bytes]] = {}
        self._source_arrived = 0
        self._tried_with = 0
        self.was_tried = False  # also with symbols nobody vouched for

    @property
    def held_bytes(self) -> int:
        """Memory its symbols take."""
        held = len(self._packets) + sum(map(len, self._unvouched.values()))
        return held * self._packet_bytes

    @property
    def counts(self) -> BlockCounts:
        """Of a block that is done with; symbols are sent in order, so the highest tells how many were."""
        numbers = self._packets.keys() | self._unvouched.keys()
        is_whole = len(numbers) >= self.source
        sent = max(numbers) + 1 if is_whole else self.index.symbols
        return BlockCounts(sent, len(numbers), self.source - sum(n < self.source for n in numbers))

    def has_copy(self, datagram: bytes) -> bool:
        """Whether this very index was taken, so that a copy need not be verified."""
        return datagram in self._copies

    def add_index(self, index: BlockIndex, datagram: bytes) -> bool:
        """Take the hashes of another verified index; False when it contradicts the first one."""
        if index.shape != self.index.shape:
            return False
        at = index.first * DIGEST_BYTES
        self._digests[at : at + len(index.digests)] = index.digests
        self._copies.add(datagram)
        self.touched_at = time.monotonic()
        count = len(index.digests) // DIGEST_BYTES
        for number in range(index.first, index.first + count):
            self.add_packets(self._unvouched.pop(number, ()))
        return True

    def add_packets(self, packets: Sequence[bytes]) -> int:
        """Take numbered symbols; how many of them are forged or foreign."""
        refused, before = 0, len(self._packets)
        for packet in packets:
            number = int.from_bytes(packet[:PACKET_ID_BYTES], "big")
            if number in self._packets:
                continue
            if number >= self.index.symbols or len(packet) != self._packet_bytes:
                refused += 1
                continue
            expected = self._digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
            if expected == packet_digest(packet):
                self._packets[number] = packet
                self._source_arrived += number < self.source
            elif any(expected):
                refused += 1
            else:
                self._keep_unvouched(number, packet)
        if len(self._packets) > before:
            self.touched_at = time.monotonic()
        return refused

    def _keep_unvouched(self, number: int, packet: bytes) -> None:
        candidates = self._unvouched.setdefault(number, [])
        if len(candidates) < _CANDIDATES:
            candidates.append(packet)

    @property
    def may_be_whole(self) -> bool:
        """Whether decoding is worth trying: all of the content, or a symbol more than it or the last try."""
        count = len(self._packets)
        return count >= self.source and (
            count > max(self.source, self._tried_with) or self._source_arrived == self.source
        )

    def content(self) -> bytes | None:
        """The content, when the symbols here determine it."""
        self._tried_with = len(self._packets)
        return self._checked(decode(self._packets, self.index.content_bytes))

    def last_content(self) -> bytes | None:
        """The content as far as it can be had when nothing more comes: also from symbols nobody vouched for.

        All indexes of a part of the block may have been lost; the hash of the whole content still judges.
        """
        self.was_tried = True
        packets = {number: candidates[0] for number, candidates in self._unvouched.items()} | self._packets
        return self._checked(decode(packets, self.index.content_bytes))

    def _checked(self, content: bytes | None) -> bytes | None:
        is_whole = content is not None and hashlib.sha256(content).digest() == self.index.sha256
        return content if is_whole else None
