"""Events on disk between their answer and their landing: one file an event, named by its id.

A file appears whole or not at all and is durable before the sender is answered. What has landed stays known
for twice the time in which a signature counts; a repeat after that is found in the lake.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ingestion.webhooks.signature import WINDOW_S, RefusedEventError

_ENDING = ".json"


@dataclass(frozen=True)
class Event:
    """One event as received.

    Attributes:
        event_id: the sender's; the same one again is the same event.
        table: the table it is for.
        sent_s: when its first delivery was signed, in seconds since 1970.
        body: what it says.
    """

    event_id: str
    table: str
    sent_s: int
    body: str

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return hashlib.sha256(self.event_id.encode(errors="surrogatepass")).hexdigest() + _ENDING


@dataclass(frozen=True)
class Spool:
    """The events of one system."""

    folder: Path

    def keep(self, event: Event) -> bool:
        """Make the event durable; False where it was kept before.

        Raises:
            RefusedEventError: another event has the same id.
        """
        for place in (self._waiting, self._landed):
            place.mkdir(parents=True, exist_ok=True)
        path = self._waiting / event.file_name
        unfinished = self._waiting / f".{event.file_name}.{os.getpid()}.{time.monotonic_ns()}"
        with unfinished.open("w", encoding="ascii") as target:
            json.dump(asdict(event), target)
            target.flush()
            os.fsync(target.fileno())
        try:
            known = self._known(event)
            if known is None:
                os.link(unfinished, path)
        except FileExistsError:
            known = self._known(event)
        finally:
            unfinished.unlink()
        # Also for a repeat: whoever wrote it may have died before the folder was durable.
        descriptor = os.open(self._waiting, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if known is not None and (known.table, known.body) != (event.table, event.body):
            raise RefusedEventError(409, f"event {event.event_id!r} was received with other content")
        return known is None

    def waiting(self, table: str) -> Iterator[Event]:
        """The events of a table that have not landed, in the order they came."""
        files = [path for path in self._waiting.glob(f"*{_ENDING}") if not path.name.startswith(".")]
        for path in sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            event = _read(path)
            if event.table == table:
                yield event

    def landed(self, events: list[Event]) -> None:
        """Put landed events away, and forget those whose time is over."""
        for event in events:
            path = self._waiting / event.file_name
            os.utime(path)
            path.rename(self._landed / event.file_name)
        over = time.time() - 2 * WINDOW_S
        for path in self._landed.glob(f"*{_ENDING}"):
            if path.stat().st_mtime < over:
                path.unlink()

    @property
    def _waiting(self) -> Path:
        return self.folder / "waiting"

    @property
    def _landed(self) -> Path:
        return self.folder / "landed"

    def _known(self, event: Event) -> Event | None:
        for place in (self._waiting, self._landed):  # in the order in which a file moves
            try:
                return _read(place / event.file_name)
            except FileNotFoundError:
                continue
        return None


def _read(path: Path) -> Event:
    return Event(**json.loads(path.read_text(encoding="ascii")))
