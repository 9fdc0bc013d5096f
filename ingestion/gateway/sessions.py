"""Datagrams to blocks: sessions verified, replays refused, memory bounded, forgeries dropped before decoding.

A datagram costs a few microseconds until it is known to be worth more. A session is believed when an index
signed by the control zone names it, and only when its number is above every earlier one of that collector.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingestion.gateway.block_assembly import BlockAssembly, BlockCounts
from protocols.gateway_datagrams import (
    INDEX,
    MAGIC,
    MAX_DATAGRAM_BYTES,
    PREFIX,
    SYMBOL,
    VERSION,
    BlockIndex,
    DatagramError,
    read_index,
)
from protocols.number_ranges import NumberRanges

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OPEN_BLOCKS = 64
OPEN_BYTES = 96 * 1024 * 1024
PENDING_BYTES = 8 * 1024 * 1024  # symbols that overtook the first index of their block
PENDING_BLOCKS = 64
SESSIONS = 16
_BLOCKS_AWAITED = 256
_BLOCKS_BEHIND = 4  # so much later nothing more of a block is to be expected, but for reordering
GIVE_UP_AFTER_S = 3.0
BAD_SIGNATURES_S = 500  # forged indexes verified a second, 60 µs each; the rest is dropped unread


@dataclass(frozen=True)
class FinishedBlock:
    """The content of a block and what it took to get it; None when it is lost."""

    collector_id: str
    session: int
    block: int
    lane: int
    ephemeral_key: bytes
    content: bytes | None
    counts: BlockCounts


@dataclass
class Refusals:
    """Datagrams that were dropped, by reason."""

    foreign: int = 0  # not ours, or of another version
    forged: int = 0  # a signature or hash that does not hold
    replayed: int = 0  # of an old session or a block done with
    excess: int = 0  # beyond what may be held

    @property
    def total(self) -> int:
        """All of them."""
        return self.foreign + self.forged + self.replayed + self.excess


@dataclass
class _Session:
    number: int
    collector_id: str
    done: NumberRanges
    blocks: dict[int, BlockAssembly] = field(default_factory=dict)
    highest: int = 0


class Sessions:
    """Every sender's present session.

    Args:
        verify_key: the control zone's public gateway key.
        floor: of a collector, the last session and the blocks done in it, from before this process.
        begun: told of a new session before anything of it is used, so that it can be made durable; gives
            where the blocks done in it are noted.
    """

    def __init__(
        self,
        verify_key: Ed25519PublicKey,
        floor: Callable[[str], tuple[int, NumberRanges]],
        begun: Callable[[str, int], NumberRanges],
    ) -> None:
        self.refused = Refusals()
        self._verify_key = verify_key
        self._floor = floor
        self._begun = begun
        self._sessions: dict[int, _Session] = {}
        self._current: dict[str, int] = {}
        self._pending: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self._pending_bytes = 0
        self._bad_second, self._bad_signatures = 0, 0

    def take(self, burst: memoryview, size: int) -> list[FinishedBlock]:
        """Take a burst of datagrams, each `size` bytes long but the last; the blocks they complete."""
        finished: list[FinishedBlock] = []
        data, at = bytes(burst), 0
        while at < len(data):
            end = _run_end(data, at, size)
            self._take_run(data, range(at, end, size), min(size, end - at), finished)
            at = end
        return finished

    def give_up(self, *, all_of_them: bool = False) -> Iterator[FinishedBlock]:
        """Blocks for which nothing has come for a while; from what there is, or lost."""
        oldest = time.monotonic() - GIVE_UP_AFTER_S
        for session in list(self._sessions.values()):
            for block, assembly in sorted(session.blocks.items()):
                if all_of_them or assembly.touched_at < oldest:
                    yield self._finish(session, block, assembly, assembly.last_content())

    def _take_run(self, data: bytes, starts: range, length: int, finished: list[FinishedBlock]) -> None:
        """Take datagrams of one length that begin alike, as those of one block do."""
        if not PREFIX.size < length <= MAX_DATAGRAM_BYTES:
            self.refused.foreign += len(starts)
            return
        magic, version, kind, number, block = PREFIX.unpack_from(data, starts[0])
        if magic == MAGIC and version == VERSION and kind == SYMBOL:
            packets = [data[at + PREFIX.size : at + length] for at in starts]
            self._take_symbols(number, block, packets, finished)
        elif magic == MAGIC and version == VERSION and kind == INDEX:
            for at in starts:
                self._take_index(number, block, data[at : at + length], finished)
        else:
            self.refused.foreign += len(starts)

    def _take_symbols(
        self, number: int, block: int, packets: list[bytes], finished: list[FinishedBlock]
    ) -> None:
        session = self._sessions.get(number)
        assembly = session.blocks.get(block) if session else None
        if session is None or assembly is None:
            self._keep_pending(session, number, block, packets)
            return
        self.refused.forged += assembly.add_packets(packets)
        if assembly.may_be_whole:
            self._finish_whole(session, block, assembly, finished)

    def _keep_pending(self, session: _Session | None, number: int, block: int, packets: list[bytes]) -> None:
        if session is not None and block in session.done:
            return  # repair symbols of a block that is whole
        self._pending.setdefault((number, block), []).extend(packets)
        self._pending_bytes += sum(map(len, packets))
        while self._pending_bytes > PENDING_BYTES or len(self._pending) > PENDING_BLOCKS:
            _, dropped = self._pending.popitem(last=False)
            self._pending_bytes -= sum(map(len, dropped))
            self.refused.excess += len(dropped)

    def _take_index(self, number: int, block: int, data: bytes, finished: list[FinishedBlock]) -> None:
        session = self._sessions.get(number)
        if session is not None and block in session.done:
            return
        assembly = session.blocks.get(block) if session else None
        if assembly is not None and assembly.has_copy(data):
            return
        index = self._verified(data)
        if index is None:
            return
        session = session or self._begin(index)
        is_over = session is not None and session.number < self._current[session.collector_id]
        if session is None or block in session.done or (is_over and assembly is None):
            self.refused.replayed += 1
            return
        assembly = assembly or self._open(session, index, finished)
        if not assembly.add_index(index, data):
            self.refused.forged += 1
        elif assembly.may_be_whole:
            self._finish_whole(session, block, assembly, finished)

    def _finish_whole(
        self, session: _Session, block: int, assembly: BlockAssembly, finished: list[FinishedBlock]
    ) -> None:
        content = assembly.content()
        if content is not None:
            finished.append(self._finish(session, block, assembly, content))

    def _verified(self, data: bytes) -> BlockIndex | None:
        second = int(time.monotonic())
        if second != self._bad_second:
            self._bad_second, self._bad_signatures = second, 0
        if self._bad_signatures >= BAD_SIGNATURES_S:
            self.refused.excess += 1
            return None
        try:
            return read_index(data, self._verify_key)
        except DatagramError:
            self._bad_signatures += 1
            self.refused.forged += 1
            return None

    def _begin(self, index: BlockIndex) -> _Session | None:
        """A new session of a collector, or None when it is an old one played again."""
        last, done = self._floor(index.collector_id)
        if index.session < max(last, self._current.get(index.collector_id, 0)):
            return None
        if index.session != last:
            done = self._begun(index.collector_id, index.session)
        session = _Session(index.session, index.collector_id, done)
        if len(self._sessions) >= SESSIONS:
            self._sessions.pop(min(self._sessions))
        self._sessions[index.session] = session
        self._current[index.collector_id] = index.session
        return session

    def _open(self, session: _Session, index: BlockIndex, finished: list[FinishedBlock]) -> BlockAssembly:
        """Begin a block; where too many are open the oldest is given up."""
        assembly = BlockAssembly(index)
        session.blocks[index.block] = assembly
        session.highest = max(session.highest, index.block)
        while len(session.blocks) > OPEN_BLOCKS or self._held_bytes(session) > OPEN_BYTES:
            oldest = min(session.blocks)
            given_up = session.blocks[oldest]
            finished.append(self._finish(session, oldest, given_up, given_up.last_content()))
        self._try_older(session, index.block - _BLOCKS_BEHIND, finished)
        kept = self._pending.pop((session.number, index.block), [])
        self._pending_bytes -= sum(map(len, kept))
        self.refused.forged += assembly.add_packets(kept)
        return assembly

    def _try_older(self, session: _Session, until: int, finished: list[FinishedBlock]) -> None:
        """Finish blocks behind which others follow, as far as what nobody vouched for makes them whole."""
        for block in [block for block in session.blocks if block <= until]:
            assembly = session.blocks[block]
            content = None if assembly.was_tried else assembly.last_content()
            if content is not None:
                finished.append(self._finish(session, block, assembly, content))

    @staticmethod
    def _held_bytes(session: _Session) -> int:
        return sum(assembly.held_bytes for assembly in session.blocks.values())

    @staticmethod
    def _finish(
        session: _Session, block: int, assembly: BlockAssembly, content: bytes | None
    ) -> FinishedBlock:
        del session.blocks[block]
        session.done.add(block)
        # Blocks of which nothing came are done with as well, once others are so much further.
        session.done.add(1, session.highest - _BLOCKS_AWAITED)
        index = assembly.index
        return FinishedBlock(
            session.collector_id,
            session.number,
            block,
            index.lane,
            index.ephemeral_key,
            content,
            assembly.counts,
        )


def _run_end(data: bytes, at: int, size: int) -> int:
    """Where the datagrams end that are as long as the one at `at` and begin with the same 16 bytes."""
    head = data[at : at + PREFIX.size]
    end = min(at + size, len(data))
    while end + size <= len(data) and data.startswith(head, end):
        end += size
    return end
