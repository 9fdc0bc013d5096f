"""The control zone's half of the gateway: sealed segments go out, and nothing comes back.

It knows what was *sent*, never what arrived: the far side reports a missing number to people, and an
operator in the control zone orders it again with `resend`. Imports as little as the collector: it runs
there.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from ingestion.gateway.lanes import ORDERED, Item, Lanes, streams_of
from ingestion.gateway.pacing import TokenBucket
from ingestion.gateway.sent_ledger import SENT_NAME, SentLedger
from protocols.heartbeat import MAX_WAITING_RANGES, Heartbeat, StreamSent, write_heartbeat
from protocols.segments import manifest_path, sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from protocols.heartbeat import PairBeat

__all__ = ["SENT_NAME", "Beats", "Sender", "Transport"]

CHECKPOINT_NAME = "marks.json"
CLEAN_EVERY_S = 600.0
TURN_S = 5.0
KEEP_EVERY_S = 1.0
BACKLOG_BYTES_S = 50e6


class Transport(Protocol):
    """A way to the far side. None of its methods learns whether anything arrived."""

    name: str
    holds_back: bool  # whether what was sent may still be here until `flush`

    def send(self, item: Item) -> int:
        """Send one segment, or hold it for the next `flush`; how many bytes it has."""

    def flush(self) -> None:
        """Send what is held back."""

    def send_heartbeat(self, collector_id: str, data: bytes) -> None:
        """Send a signed heartbeat."""

    def close(self) -> None:
        """Give back what is open."""


class Beats:
    """When the next heartbeat is due, and what it says.

    Args:
        collector_id: who sends.
        sign_key: the control zone's gateway key.
        every_s: real seconds between two.
        pair: what a collector of a pair says of itself and the other one.
    """

    def __init__(
        self,
        collector_id: str,
        sign_key: Ed25519PrivateKey,
        every_s: float,
        pair: Callable[[], PairBeat] | None = None,
    ) -> None:
        self._pair = pair
        self.collector_id = collector_id
        self._sign_key = sign_key
        self._every_s = every_s
        self._due_at = float("-inf")

    def is_due(self) -> bool:
        """Whether one should go now."""
        return time.monotonic() >= self._due_at

    def write(self, transport: str, ledgers: Iterable[SentLedger]) -> bytes:
        """The signed heartbeat of this instant."""
        self._due_at = time.monotonic() + self._every_s
        streams = {name: sent for ledger in ledgers for name, sent in ledger.streams.items() if sent.last}
        heartbeat = Heartbeat(
            collector_id=self.collector_id,
            transport=transport,
            number=time.time_ns(),
            sent_at_real_utc=datetime.now(UTC).isoformat(),
            every_s=self._every_s,
            pair=None if self._pair is None else self._pair(),
            backlog_segments=sum(len(sent.waiting) for sent in streams.values()),
            streams={
                name: StreamSent(sent.began_at, sent.last, _bounded(sent.waiting.pairs()))
                for name, sent in streams.items()
            },
        )
        return write_heartbeat(heartbeat, self._sign_key)


class Sender:
    """Sends each sealed segment once, live ones first, and deletes old ones that were sent.

    Args:
        state_dir: the collector's folder; below it one folder a system, below that one a stream.
        transport: how.
        retain_hours: how long a sent segment is kept for sending again.
        backlog_bytes_s: how fast what is not live may go.
        repeat_bytes_s: how fast recent segments are sent a second time; 0 for never.
        beats: heartbeats to send; None for none.
    """

    def __init__(
        self,
        state_dir: Path,
        transport: Transport,
        retain_hours: float,
        *,
        backlog_bytes_s: float = BACKLOG_BYTES_S,
        repeat_bytes_s: float = 0.0,
        beats: Beats | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._transport = transport
        self._retain_s = retain_hours * 3600
        self._beats = beats
        backlog = TokenBucket(backlog_bytes_s, backlog_bytes_s)
        repeat = TokenBucket(repeat_bytes_s, repeat_bytes_s) if repeat_bytes_s > 0 else None
        self._lanes = Lanes(state_dir, backlog, repeat)
        self._cleaned_at = time.monotonic()
        self._turn = threading.Lock()

    def send_once(self, turn_s: float = TURN_S) -> int:
        """Send what should go now, for some seconds at most; the number of segments sent.

        Raises:
            OSError: the gateway cannot be reached; what was sent before is remembered.
        """
        with self._turn:  # a last call may come while a cancelled one still runs in its thread
            self._lanes.begin()
            count = self._send_for(turn_s)
            self._beat()
        if time.monotonic() - self._cleaned_at > CLEAN_EVERY_S:
            self.clean()
        return count

    def resend(self, system_id: str, stream: str, first: int, last: int) -> int:
        """Send a range of a stream's segments again, by an operator's order; how many were still here."""
        system_dir = self._state_dir / system_id
        found = [number for number in sequences(system_dir, stream) if first <= number <= last]
        with self._turn:
            for number in found:
                self._transport.send(Item(system_dir, stream, number, ORDERED))
            self._transport.flush()
        return len(found)

    def clean(self) -> int:
        """Delete segments that are sent, past retention and below the marks checkpoint; how many."""
        self._cleaned_at = time.monotonic()
        count = 0
        for system_dir in self._systems():
            sent, checkpointed = SentLedger(system_dir).streams, _read_checkpointed(system_dir)
            for stream in streams_of(system_dir):
                done = sent[stream].complete_to if stream in sent else 0
                # The last one stays in any case: the next start compares the tag table with it.
                last = min(done, checkpointed.get(stream, 0)) - 1
                count += self._clean_stream(system_dir, stream, last)
        return count

    def close(self) -> None:
        """Give the transport back."""
        self._transport.close()

    def _systems(self) -> Iterator[Path]:
        if self._state_dir.is_dir():
            yield from sorted(path for path in self._state_dir.iterdir() if path.is_dir())

    def _send_for(self, turn_s: float) -> int:
        """Send segment by segment. What is sent together is of one lane, so that no live one is held up."""
        began = kept_at = time.monotonic()
        count, lane = 0, ""
        try:
            while time.monotonic() - began < turn_s and (item := self._lanes.next()) is not None:
                if lane not in ("", item.lane):
                    self._transport.flush()
                lane = item.lane
                self._send(item)
                count += 1
                if time.monotonic() - kept_at > KEEP_EVERY_S:
                    kept_at = time.monotonic()
                    self._keep()
                    self._beat()
            self._keep()
        except OSError:
            if self._transport.holds_back:
                self._lanes.forget_unsaved()
            self._lanes.save()
            raise
        return count

    def _send(self, item: Item) -> None:
        try:
            size = self._transport.send(item)
        except FileNotFoundError:
            if item.manifest.exists():
                raise
            size = 0  # deleted since it was picked; the far side will tell of the number
        self._lanes.sent(item, size)

    def _keep(self) -> None:
        self._transport.flush()
        self._lanes.save()

    def _beat(self) -> None:
        if self._beats is not None and self._beats.is_due():
            data = self._beats.write(self._transport.name, self._lanes.ledgers.values())
            self._transport.send_heartbeat(self._beats.collector_id, data)

    def _clean_stream(self, system_dir: Path, stream: str, last: int) -> int:
        oldest = time.time() - self._retain_s
        count = 0
        for number in sequences(system_dir, stream):
            path = manifest_path(system_dir, stream, number)
            if number > last or path.stat().st_mtime > oldest:
                break
            path.unlink()
            path.with_suffix(".parquet").unlink(missing_ok=True)
            count += 1
        return count


def _bounded(pairs: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """At most so many ranges; the last one then covers all the rest."""
    if len(pairs) <= MAX_WAITING_RANGES:
        return tuple(pairs)
    kept = pairs[: MAX_WAITING_RANGES - 1]
    return (*kept, (pairs[len(kept)][0], pairs[-1][1]))


def _read_checkpointed(system_dir: Path) -> dict[str, int]:
    path = system_dir / CHECKPOINT_NAME
    if not path.exists():
        return {}
    return {
        str(stream): int(number) for stream, number in json.loads(path.read_bytes())["last_sequences"].items()
    }
