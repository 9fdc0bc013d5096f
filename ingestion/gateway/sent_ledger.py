"""What a sender has sent of each stream, durable: up to which number, and what below it still waits.

After hours without the gateway the newest segments go first and the older ones follow at low priority, so
"up to number n" alone does not say what was sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from protocols.durable_files import write_durably
from protocols.number_ranges import NumberRanges

if TYPE_CHECKING:
    from pathlib import Path

SENT_NAME = "sent.json"


@dataclass
class Sent:
    """One stream: the highest number sent, and the numbers below it that were passed over for now.

    Attributes:
        last: the highest number sent or passed over.
        waiting: what was passed over and is not sent yet.
        began_at: the lowest number that this process may send first; what is below was sent before it began.
    """

    last: int = 0
    waiting: NumberRanges = field(default_factory=NumberRanges)
    began_at: int = 1

    @property
    def complete_to(self) -> int:
        """Up to which number nothing waits any more."""
        first = self.waiting.first()
        return self.last if first is None else first - 1


class SentLedger:
    """The ledger of one system's streams, in `sent.json` of its folder.

    Args:
        system_dir: the system's folder.
    """

    def __init__(self, system_dir: Path) -> None:
        self._path = system_dir / SENT_NAME
        self.streams = _read(self._path)
        self._is_changed = False

    def of(self, stream: str) -> Sent:
        """The entry of a stream, made when it is new."""
        return self.streams.setdefault(stream, Sent())

    def advance(self, stream: str, number: int) -> None:
        """Note a segment as sent: the next one, or one that waited."""
        sent = self.of(stream)
        sent.waiting.remove(number)
        sent.last = max(sent.last, number)
        self._is_changed = True

    def pass_over(self, stream: str, until: int) -> None:
        """Let everything after the last one sent and up to `until` wait."""
        sent = self.of(stream)
        sent.waiting.add(sent.last + 1, until)
        sent.last = max(sent.last, until)
        self._is_changed = True

    def forget(self, stream: str, number: int) -> None:
        """Stop waiting for a segment that is no longer here."""
        self.of(stream).waiting.remove(number)
        self._is_changed = True

    def save(self) -> None:
        """Write what changed; a crash before it sends some segments twice, which the receiver knows."""
        if not self._is_changed:
            return
        found = {
            stream: [sent.last, [list(pair) for pair in sent.waiting.pairs()]]
            for stream, sent in self.streams.items()
        }
        write_durably(self._path, json.dumps(found, sort_keys=True).encode())
        self._is_changed = False


def _read(path: Path) -> dict[str, Sent]:
    if not path.exists():
        return {}
    return {str(stream): _sent_of(found) for stream, found in json.loads(path.read_bytes()).items()}


def _sent_of(found: Any) -> Sent:
    if isinstance(found, int):  # written before segments could wait
        return Sent(found, began_at=found + 1)
    last, waiting = found
    sent = Sent(int(last), NumberRanges((int(first), int(end)) for first, end in waiting))
    sent.began_at = sent.complete_to + 1
    return sent
