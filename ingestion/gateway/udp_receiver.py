"""The business zone's half of a bare diode: datagrams in, verified segments into the inbox. It never answers.

One thread: taking a burst costs far less than the time between two, and what comes meanwhile waits in the
socket's buffer. What this process knows of each sender is kept in one file a collector, so that a restart
neither takes an old session nor forgets what is missing.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ingestion.gateway.link_state import LinkState, read_link, write_link
from ingestion.gateway.segment_assembly import SegmentAssembly, WholeSegment
from ingestion.gateway.sessions import FinishedBlock, Sessions
from protocols.gateway_blocks import BlockContentError, Fragment, HeartbeatRecord, read_records
from protocols.gateway_cipher import BlockCipher, CipherError, receiving_cipher
from protocols.gateway_datagrams import LANES
from protocols.heartbeat import HeartbeatError, read_heartbeat
from protocols.number_ranges import NumberRanges

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from ingestion.gateway.datagram_receiving import DatagramReceiver
    from ingestion.gateway.inbox import Inbox

WAIT_S = 0.2
SAVE_EVERY_S = 1.0
_ORDERED = LANES.index("ordered")
_log = logging.getLogger(__name__)


class UdpReceiver:
    """Receives for one inbox.

    Args:
        port: the bound port.
        inbox: where segments go.
        verify_key: the control zone's public gateway key.
        links_dir: one state file a collector.
        box_key: opens encrypted sessions; None refuses them.
    """

    def __init__(
        self,
        port: DatagramReceiver,
        inbox: Inbox,
        verify_key: Ed25519PublicKey,
        links_dir: Path,
        *,
        box_key: X25519PrivateKey | None = None,
    ) -> None:
        self._port = port
        self._inbox = inbox
        self._verify_key = verify_key
        self._links_dir = links_dir
        self._box_key = box_key
        self.links: dict[str, LinkState] = {}
        self._ciphers: dict[int, BlockCipher] = {}
        self._segments: dict[str, SegmentAssembly] = {}
        self._sessions = Sessions(verify_key, self._floor, self._begin)
        for path in sorted(links_dir.glob("*.json")):
            self._link(path.stem)

    @property
    def datagrams_refused(self) -> int:
        """Datagrams dropped by this process: foreign, forged, replayed or beyond what may be held."""
        return self._sessions.refused.total

    def run(self, is_over: Callable[[], bool], tell: Callable[[UdpReceiver], None] | None = None) -> None:
        """Receive until it is over.

        Args:
            is_over: asked about every fifth of a second.
            tell: called about every second with this receiver.
        """
        told_at = time.monotonic()
        while not is_over():
            self._receive_for_a_while()
            if not self._port.has_waiting():  # what a stalled process finds there may complete a block
                self._take_blocks(list(self._sessions.give_up()))
            if time.monotonic() - told_at >= SAVE_EVERY_S:
                told_at = time.monotonic()
                self.save()
                if tell is not None:
                    tell(self)
        self._take_blocks(list(self._sessions.give_up(all_of_them=True)))
        self.save()

    def save(self) -> None:
        """Make what is known of each sender durable."""
        for collector_id, link in self.links.items():
            write_link(self._links_dir / f"{collector_id}.json", link)

    def _receive_for_a_while(self) -> None:
        until = time.monotonic() + WAIT_S
        for burst, size, _ in self._port.receive(WAIT_S):
            for block in self._sessions.take(burst, size):
                self._take_block(block)
            if time.monotonic() > until:
                return

    def _link(self, collector_id: str) -> LinkState:
        if collector_id not in self.links:
            self.links[collector_id] = read_link(self._links_dir / f"{collector_id}.json", collector_id)
        return self.links[collector_id]

    def _floor(self, collector_id: str) -> tuple[int, NumberRanges]:
        link = self._link(collector_id)
        return link.session, link.done

    def _begin(self, collector_id: str, session: int) -> NumberRanges:
        """Make a new session durable before anything of it is used."""
        link = self._link(collector_id)
        link.session, link.done = session, NumberRanges()
        write_link(self._links_dir / f"{collector_id}.json", link)
        _log.info("%s: session %d began", collector_id, session)
        return link.done

    def _take_blocks(self, blocks: list[FinishedBlock]) -> None:
        for block in blocks:
            self._take_block(block)

    def _take_block(self, block: FinishedBlock) -> None:
        link = self._link(block.collector_id)
        counts = link.counts
        counts.symbols_sent += block.counts.sent
        counts.symbols_received += block.counts.received
        if block.content is None:
            counts.blocks_lost += 1
            return
        counts.blocks_whole += 1
        counts.symbols_repaired += block.counts.repaired
        counts.bytes_received += len(block.content)
        try:
            for record in read_records(self._opened(block, block.content)):
                if isinstance(record, Fragment):
                    self._take_fragment(link, record, is_ordered=block.lane == _ORDERED)
                else:
                    self._take_heartbeat(link, record)
        except (CipherError, BlockContentError) as error:
            counts.segments_refused += 1
            _log.warning("%s: block %d is refused: %s", block.collector_id, block.block, error)

    def _opened(self, block: FinishedBlock, content: bytes) -> bytes:
        if not block.ephemeral_key:
            return content
        if self._box_key is None:
            msg = "it is encrypted and this receiver has no key; make one with `chemlink receive --make-key`"
            raise CipherError(msg)
        if block.session not in self._ciphers:
            cipher = receiving_cipher(self._box_key, block.ephemeral_key, block.session)
            self._ciphers = {block.session: cipher, **dict(list(self._ciphers.items())[:15])}
        return self._ciphers[block.session].open(block.block, content)

    def _take_fragment(self, link: LinkState, fragment: Fragment, *, is_ordered: bool) -> None:
        """Take a piece of a segment. What an operator ordered again is taken again: landing asked for it."""
        received = link.streams.setdefault(fragment.stream, NumberRanges())
        if fragment.sequence in received and not is_ordered:
            if fragment.offset == 0:
                link.counts.segments_repeated += 1
            return
        segment = self._segments.setdefault(link.collector_id, SegmentAssembly()).add(fragment)
        if segment is None:
            return
        if self._put(segment):
            received.add(segment.sequence)
            link.counts.segments_received += 1
        else:
            link.counts.segments_refused += 1

    def _put(self, segment: WholeSegment) -> bool:
        try:
            if self._inbox.has_room(len(segment.payload) + len(segment.manifest)):
                return self._inbox.put(segment)
        except OSError:
            _log.exception("%s %d: the inbox cannot be written", segment.stream, segment.sequence)
        else:
            _log.warning("%s %d: no room in the inbox; it is dropped", segment.stream, segment.sequence)
        return False

    def _take_heartbeat(self, link: LinkState, record: HeartbeatRecord) -> None:
        try:
            heartbeat = read_heartbeat(record.data, self._verify_key)
        except HeartbeatError as error:
            _log.warning("%s: %s", link.collector_id, error)
            return
        if heartbeat.collector_id != link.collector_id or heartbeat.number <= link.heartbeat_number:
            return
        link.heartbeat, link.heartbeat_number = heartbeat, heartbeat.number
        try:
            self._inbox.put_heartbeat(link.collector_id, record.data)
        except OSError:
            _log.exception("the heartbeat of %s cannot be written", link.collector_id)
