"""The control zone's half of the file drop: sealed segments are copied out, and nothing comes back.

It knows what was *sent*, never what arrived: the far side reports a missing number to people, and an
operator in the control zone orders it again with `resend`. Imports as little as the collector: it runs
there.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from protocols.durable_files import write_durably
from protocols.segments import STREAM_NAME, manifest_path, sequences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENT_NAME = "sent.json"
CHECKPOINT_NAME = "marks.json"
CLEAN_EVERY_S = 600.0
LIST_EVERY_S = 60.0


class Sender:
    """Copies each sealed segment to the drop folder once, in order, and deletes old ones that were sent.

    Args:
        state_dir: the collector's folder; below it one folder a system, below that one a stream.
        drop_dir: where the gateway takes files from.
        retain_hours: how long a sent segment is kept for sending again.
    """

    def __init__(self, state_dir: Path, drop_dir: Path, retain_hours: float) -> None:
        self._state_dir = state_dir
        self._drop_dir = drop_dir
        self._retain_s = retain_hours * 3600
        self._cleaned_at = time.monotonic()
        self._listed_at: dict[str, float] = {}
        self._turn = threading.Lock()

    def send_once(self) -> int:
        """Send everything sealed since the last call; the number of segments sent.

        Raises:
            OSError: the drop folder cannot be written; what was sent before is remembered.
        """
        with self._turn:  # a last call may come while a cancelled one still runs in its thread
            count = 0
            for system_dir in self._systems():
                sent = _read_sent(system_dir)
                for stream in _streams(system_dir):
                    count += self._send_stream(system_dir, stream, sent)
        if time.monotonic() - self._cleaned_at > CLEAN_EVERY_S:
            self.clean()
        return count

    def resend(self, system_id: str, stream: str, first: int, last: int) -> int:
        """Send a range of a stream's segments again, by an operator's order; how many were still here."""
        system_dir = self._state_dir / system_id
        found = [number for number in sequences(system_dir, stream) if first <= number <= last]
        with self._turn:
            for number in found:
                self._copy(system_dir, stream, number)
        return len(found)

    def clean(self) -> int:
        """Delete segments that are sent, past retention and below the marks checkpoint; how many."""
        self._cleaned_at = time.monotonic()
        count = 0
        for system_dir in self._systems():
            sent, checkpointed = _read_sent(system_dir), _read_checkpointed(system_dir)
            for stream in _streams(system_dir):
                # The last one stays in any case: the next start compares the tag table with it.
                last = min(sent.get(stream, 0), checkpointed.get(stream, 0)) - 1
                count += self._clean_stream(system_dir, stream, last)
        return count

    def _systems(self) -> Iterator[Path]:
        if self._state_dir.is_dir():
            yield from sorted(path for path in self._state_dir.iterdir() if path.is_dir())

    def _send_stream(self, system_dir: Path, stream: str, sent: dict[str, int]) -> int:
        count = 0
        while (number := self._next(system_dir, stream, sent.get(stream, 0))) is not None:
            self._copy(system_dir, stream, number)
            sent[stream] = number
            _write_sent(system_dir, sent)
            count += 1
        return count

    def _next(self, system_dir: Path, stream: str, number: int) -> int | None:
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

    def _copy(self, system_dir: Path, stream: str, number: int) -> None:
        source = manifest_path(system_dir, stream, number)
        target = manifest_path(self._drop_dir, stream, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".parquet", ".json"):  # the manifest last: it says that the payload is whole
            write_durably(target.with_suffix(suffix), source.with_suffix(suffix).read_bytes())

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


def _streams(system_dir: Path) -> list[str]:
    return sorted(
        path.name for path in system_dir.iterdir() if path.is_dir() and STREAM_NAME.fullmatch(path.name)
    )


def _read_sent(system_dir: Path) -> dict[str, int]:
    path = system_dir / SENT_NAME
    if not path.exists():
        return {}
    return {str(stream): int(number) for stream, number in json.loads(path.read_bytes()).items()}


def _write_sent(system_dir: Path, sent: dict[str, int]) -> None:
    write_durably(system_dir / SENT_NAME, json.dumps(sent, sort_keys=True).encode())


def _read_checkpointed(system_dir: Path) -> dict[str, int]:
    path = system_dir / CHECKPOINT_NAME
    if not path.exists():
        return {}
    return {
        str(stream): int(number) for stream, number in json.loads(path.read_bytes())["last_sequences"].items()
    }
