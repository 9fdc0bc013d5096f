"""Which sealed segment goes next: live ones first, then what was ordered, what waited, and repeats.

Looked at anew before each segment, so that a live one waits for one other at most. A stream that is far
behind (the gateway was closed) is not caught up with in order: its newest segment goes first, the older ones
wait.
"""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.gateway.sent_ledger import SentLedger
from protocols.durable_files import write_durably
from protocols.pair_streams import family_of
from protocols.segments import STREAM_NAME, manifest_path, sequences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingestion.gateway.pacing import TokenBucket

LIVE, ORDERED, BACKLOG, REPEAT = "live", "ordered", "backlog", "repeat"
FAR_BEHIND = 30  # segments; half a minute of a stream that is sealed every second
REPEAT_AFTER_S = 30.0  # a repeat close to the first would be lost in the same fault
REPEATS_KEPT = 20_000
LIST_EVERY_S = 60.0
LOOK_EVERY_S = 1.0
ORDERS_FOLDER = ".orders"
_POINTS = ".points"


@dataclass(frozen=True)
class Item:
    """One segment to send, and in which lane."""

    system_dir: Path
    stream: str
    number: int
    lane: str

    @property
    def manifest(self) -> Path:
        """Where its manifest lies; the payload lies beside it."""
        return manifest_path(self.system_dir, self.stream, self.number)


class Lanes:
    """Picks the next segment of a collector's folder.

    Args:
        state_dir: the collector's folder; below it one folder a system, below that one a stream.
        backlog: how fast what is not live may go.
        repeat: how fast recent segments are sent a second time; None for never.
    """

    def __init__(self, state_dir: Path, backlog: TokenBucket, repeat: TokenBucket | None) -> None:
        self._state_dir = state_dir
        self._backlog = backlog
        self._repeat = repeat
        self.ledgers: dict[Path, SentLedger] = {}
        self._streams: list[tuple[Path, str]] = []
        self._urgent = 0  # how many of them come before any points
        self._looked_at = float("-inf")
        self._listed_at: dict[str, float] = {}
        self._turn = 0
        self._ordered: deque[Item] = deque()
        self._recent: deque[tuple[float, Item]] = deque(maxlen=REPEATS_KEPT)

    def begin(self) -> None:
        """Look for new systems, streams and orders; called when a turn begins."""
        self._looked_at = time.monotonic()
        self._streams = [
            (system_dir, stream) for system_dir in self._systems() for stream in streams_of(system_dir)
        ]
        # Alarms, tag tables and gaps are small and urgent: before any points.
        self._streams.sort(key=lambda found: (family_of(found[1]).endswith(_POINTS), found[1]))
        self._urgent = sum(not family_of(stream).endswith(_POINTS) for _, stream in self._streams)
        for system_dir, stream in self._streams:
            self._pass_over(system_dir, stream)
        self._take_orders()

    def next(self) -> Item | None:
        """The segment that should go now; None when there is none, or only what must wait for its share."""
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self.begin()
        live = self._next_live()
        if live is not None or not self._backlog.has_any():
            return live or self._next_repeat()
        return self._next_ordered() or self._next_waiting() or self._next_repeat()

    def sent(self, item: Item, size: int) -> None:
        """Note that a segment of so many bytes went out."""
        if item.lane in (LIVE, BACKLOG):
            self._ledger(item.system_dir).advance(item.stream, item.number)
            if self._repeat is not None:
                self._recent.append((time.monotonic() + REPEAT_AFTER_S, item))
        if item.lane == ORDERED:
            self._ordered.popleft()
        if item.lane in (ORDERED, BACKLOG):
            self._backlog.take(size)
        if item.lane == REPEAT and self._repeat is not None:
            self._repeat.take(size)

    def forget_unsaved(self) -> None:
        """Go back to what is durable: what went since may not have left."""
        self.ledgers.clear()

    def save(self) -> None:
        """Make what was sent durable."""
        for ledger in self.ledgers.values():
            ledger.save()

    def _systems(self) -> Iterator[Path]:
        if self._state_dir.is_dir():
            yield from sorted(path for path in self._state_dir.iterdir() if path.is_dir())

    def _ledger(self, system_dir: Path) -> SentLedger:
        if system_dir not in self.ledgers:
            self.ledgers[system_dir] = SentLedger(system_dir)
        return self.ledgers[system_dir]

    def _next_live(self) -> Item | None:
        for offset in range(len(self._streams)):
            at = offset if offset < self._urgent else self._rotated(offset)
            system_dir, stream = self._streams[at]
            number = self._after(system_dir, stream, self._ledger(system_dir).of(stream).last)
            if number is not None:
                self._turn += 1
                return Item(system_dir, stream, number, LIVE)
        return None

    def _rotated(self, offset: int) -> int:
        """Streams of points take turns, so that none starves another."""
        points = len(self._streams) - self._urgent
        return self._urgent + (offset - self._urgent + self._turn) % points

    def _after(self, system_dir: Path, stream: str, number: int) -> int | None:
        """The first segment after a number; past numbers that are gone, which the far side will tell of."""
        if manifest_path(system_dir, stream, number + 1).exists():
            return number + 1
        # Listing is rare: a stream's folder holds days of segments.
        listed_at = self._listed_at.get(stream)
        if listed_at is not None and time.monotonic() - listed_at < LIST_EVERY_S:
            return None
        self._listed_at[stream] = time.monotonic()
        later = next((found for found in sequences(system_dir, stream) if found > number), None)
        # One sealed while the folder was listed may have been passed over.
        return number + 1 if manifest_path(system_dir, stream, number + 1).exists() else later

    def _pass_over(self, system_dir: Path, stream: str) -> None:
        """Where a stream is far behind, let all but its newest segment wait."""
        ledger = self._ledger(system_dir)
        last = ledger.of(stream).last
        if not manifest_path(system_dir, stream, last + FAR_BEHIND).exists():
            return
        newest = next(iter(reversed(sequences(system_dir, stream))), 0)
        if newest > last + FAR_BEHIND:
            ledger.pass_over(stream, newest - 1)

    def _next_waiting(self) -> Item | None:
        for offset in range(len(self._streams)):
            system_dir, stream = self._streams[(offset + self._turn) % len(self._streams)]
            ledger = self._ledger(system_dir)
            while (number := ledger.of(stream).waiting.first()) is not None:
                if manifest_path(system_dir, stream, number).exists():
                    self._turn += 1
                    return Item(system_dir, stream, number, BACKLOG)
                ledger.forget(stream, number)
        return None

    def _next_ordered(self) -> Item | None:
        while self._ordered and not self._ordered[0].manifest.exists():
            self._ordered.popleft()
        return self._ordered[0] if self._ordered else None

    def _next_repeat(self) -> Item | None:
        if self._repeat is None or not self._repeat.has_any():
            return None
        while self._recent and self._recent[0][0] <= time.monotonic():
            _, item = self._recent.popleft()
            if item.manifest.exists():
                return Item(item.system_dir, item.stream, item.number, REPEAT)
        return None

    def _take_orders(self) -> None:
        """Read what an operator ordered while the collector runs; an order is gone once it is taken."""
        for path in sorted((self._state_dir / ORDERS_FOLDER).glob("*.json")):
            order = json.loads(path.read_bytes())  # ours: written whole by `write_order`
            folder = self._state_dir / str(order["system_id"])
            for number in range(int(order["first"]), int(order["last"]) + 1):
                self._ordered.append(Item(folder, str(order["stream"]), number, ORDERED))
            path.unlink()


def streams_of(system_dir: Path) -> list[str]:
    """The streams below a system's folder, by name."""
    return sorted(
        path.name for path in system_dir.iterdir() if path.is_dir() and STREAM_NAME.fullmatch(path.name)
    )


def write_order(state_dir: Path, system_id: str, stream: str, first: int, last: int) -> None:
    """Order a running collector to send a range of a stream again."""
    folder = state_dir / ORDERS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    order = {"system_id": system_id, "stream": stream, "first": first, "last": last}
    write_durably(folder / f"{stream}.{first}-{last}.json", json.dumps(order).encode())
