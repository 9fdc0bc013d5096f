"""What a receiver keeps of one sender over a restart: session, blocks done, segments received, counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from protocols.durable_files import write_durably
from protocols.number_ranges import NumberRanges

if TYPE_CHECKING:
    from pathlib import Path

    from protocols.heartbeat import Heartbeat


@dataclass
class LinkCounts:
    """What passed since the link was first seen. Symbols are counted per finished block."""

    blocks_whole: int = 0
    blocks_lost: int = 0
    symbols_sent: int = 0
    symbols_received: int = 0
    symbols_repaired: int = 0
    segments_received: int = 0
    segments_repeated: int = 0
    segments_refused: int = 0  # not signed, or no room in the inbox
    bytes_received: int = 0
    datagrams_refused: int = 0


@dataclass
class LinkState:
    """One sender, as its receiver knows it.

    Attributes:
        collector_id: who sends.
        session: the last session begun.
        done: blocks of it that are done with.
        streams: of each stream, the numbers received.
        counts: what passed.
        heartbeat_number: of the newest heartbeat.
    """

    collector_id: str
    session: int = 0
    done: NumberRanges = field(default_factory=NumberRanges)
    streams: dict[str, NumberRanges] = field(default_factory=dict)
    counts: LinkCounts = field(default_factory=LinkCounts)
    heartbeat_number: int = 0
    heartbeat: Heartbeat | None = None

    def missing(self) -> dict[str, NumberRanges]:
        """Of each stream, what the last heartbeat says was sent and has not come; empty ones left out."""
        if self.heartbeat is None:
            return {}
        found = {}
        for stream, sent in self.heartbeat.streams.items():
            expected = NumberRanges()
            for first, last in (
                self.streams.get(stream, NumberRanges()).missing(sent.first, sent.last).pairs()
            ):
                expected.add(first, last)
            for first, last in sent.waiting:
                expected = _without(expected, first, last)
            if expected:
                found[stream] = expected
        return found


def read_link(path: Path, collector_id: str) -> LinkState:
    """The state in a file, or a new one where there is none.

    Raises:
        ValueError: the file is not what `write_link` writes; it is ours, so a person must look.
    """
    if not path.exists():
        return LinkState(collector_id)
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        known = {each.name for each in fields(LinkCounts)}
        counts = {name: int(count) for name, count in found["counts"].items() if name in known}
        return LinkState(
            collector_id,
            session=int(found["session"]),
            done=_ranges(found["done"]),
            streams={str(name): _ranges(pairs) for name, pairs in found["streams"].items()},
            counts=LinkCounts(**counts),
            heartbeat_number=int(found["heartbeat_number"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            f"reading {path}: {error!r}; expected the receiver's own state. Restore it from a backup, or "
            "delete it: old sessions could then be played again until the sender begins a new one"
        )
        raise ValueError(msg) from error


def write_link(path: Path, state: LinkState) -> None:
    """Write the state durably."""
    content = {
        "session": state.session,
        "done": state.done.pairs(),
        "streams": {name: ranges.pairs() for name, ranges in state.streams.items()},
        "counts": asdict(state.counts),
        "heartbeat_number": state.heartbeat_number,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, json.dumps(content, sort_keys=True).encode())


def _ranges(pairs: Any) -> NumberRanges:
    return NumberRanges((int(first), int(last)) for first, last in pairs)


def _without(ranges: NumberRanges, first: int, last: int) -> NumberRanges:
    """The ranges but for `first` to `last`."""
    kept = NumberRanges()
    for begin, end in ranges.pairs():
        kept.add(begin, min(end, first - 1))
        kept.add(max(begin, last + 1), end)
    return kept
