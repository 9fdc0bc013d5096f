"""What the peer should get next of our own streams: segments in their order, the checkpoint behind them.

The checkpoint of marks goes first to a peer that has none, and afterwards only once it has every segment up
to it, so that the peer never knows of a mark whose points neither it nor the gateway has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingestion.collector.conditions import FILE_NAME as CONDITIONS_NAME
from ingestion.collector.marks import CHECKPOINT_NAME, Committed, checkpoint_bytes
from ingestion.collector.open_holes import HOLES_NAME
from ingestion.collector.sealing import KINDS
from ingestion.gateway.sent_ledger import SentLedger
from protocols.segments import manifest_path, sequences

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Parcel:
    """One thing for the peer: what it is, its bytes, and which checkpoint it is."""

    header: dict[str, Any]
    body: bytes
    stamp: tuple[int, int] = (0, 0)


class Replication:
    """Walks along our sealed segments for one connection to the peer.

    Args:
        state_dir: own folder.
        system_ids: the systems that both collect.
        suffix: ends the names of our streams.
    """

    def __init__(self, state_dir: Path, system_ids: Sequence[str], suffix: str) -> None:
        self._folders = {system_id: state_dir / system_id for system_id in system_ids}
        self._suffix = suffix
        self._next: dict[str, int] = {}
        self._needs_base: set[str] = set()
        self._given_base: dict[str, tuple[int, int]] = {}
        # By system and name, the file that the peer has.
        self._given_files: dict[tuple[str, str], tuple[int, int]] = {}

    def begin(self, held: dict[str, Any]) -> None:
        """Go on from what the peer holds."""
        self._next.clear()
        self._given_base.clear()
        self._given_files.clear()
        self._needs_base = {name for name in self._folders if not held.get(name, {}).get("has_base")}
        for system_id, folder in self._folders.items():
            reached = _reached(_base(folder))
            sent = SentLedger(folder).streams
            for stream in self._streams(system_id):
                last = int(held.get(system_id, {}).get("last", {}).get(stream, 0))
                unsent = sent[stream].complete_to if stream in sent else 0
                self._next[stream] = (last or min(unsent, reached.get(stream, 0))) + 1

    def sent(self) -> dict[str, int]:
        """Up to which number each of our streams went through the gateway."""
        return {
            stream: entry.complete_to
            for folder in self._folders.values()
            for stream, entry in SentLedger(folder).streams.items()
        }

    def next(self) -> Parcel | None:
        """What goes next; none when the peer has everything. The same again until `given`."""
        for system_id, folder in self._folders.items():
            found = self._next_of(system_id, folder)
            if found is not None:
                return found
        return None

    def given(self, parcel: Parcel) -> None:
        """The peer has it, durably."""
        if parcel.header["put"] == "base":
            system_id = parcel.header["system"]
            self._needs_base.discard(system_id)
            self._given_base[system_id] = parcel.stamp
        elif parcel.header["put"] == "file":
            self._given_files[parcel.header["system"], parcel.header["name"]] = parcel.stamp
        else:
            self._next[parcel.header["stream"]] = parcel.header["number"] + 1

    def _next_of(self, system_id: str, folder: Path) -> Parcel | None:
        if system_id in self._needs_base:
            return self._base_of(system_id, folder)
        # Before the segments: a hole must be known wherever the marks past it are.
        if (holes := self._file(system_id, folder / HOLES_NAME)) is not None:
            return holes
        for stream in self._streams(system_id):
            number = self._next[stream]
            path = manifest_path(folder, stream, number)
            if path.exists():
                return _segment(system_id, stream, number, path)
        # Behind the segments that they follow from, and before the checkpoint that lets those be dropped.
        if (conditions := self._file(system_id, folder / CONDITIONS_NAME)) is not None:
            return conditions
        if self._given_base.get(system_id) == _stamp(folder / CHECKPOINT_NAME):
            return None
        return self._renewed_base(system_id, folder)

    def _file(self, system_id: str, path: Path) -> Parcel | None:
        """A file that is replaced as a whole, when the peer has not its present state."""
        stamp = _stamp(path)
        if stamp in ((0, 0), self._given_files.get((system_id, path.name))):
            return None
        return Parcel({"put": "file", "system": system_id, "name": path.name}, path.read_bytes(), stamp)

    def _renewed_base(self, system_id: str, folder: Path) -> Parcel | None:
        parcel = self._base_of(system_id, folder)
        for stream, last in _reached(parcel.body).items():
            if stream not in self._next or self._next[stream] > last:
                continue
            later = next(
                (number for number in sequences(folder, stream) if number >= self._next[stream]), None
            )
            if later == self._next[stream]:
                return None  # sealed since it was looked for: it goes before the checkpoint
            # What is gone here was sent and is past retention: the peer needs its marks only.
            self._next[stream] = later or last + 1
        return parcel

    def _base_of(self, system_id: str, folder: Path) -> Parcel:
        # Stamped before it is read: a checkpoint written in between goes once more.
        stamp = _stamp(folder / CHECKPOINT_NAME)
        return Parcel({"put": "base", "system": system_id}, _base(folder), stamp)

    def _streams(self, system_id: str) -> list[str]:
        return [f"{system_id}.{kind}{self._suffix}" for kind in KINDS]


def _segment(system_id: str, stream: str, number: int, path: Path) -> Parcel | None:
    try:
        manifest, payload = path.read_bytes(), path.with_suffix(".parquet").read_bytes()
    except FileNotFoundError:
        return None  # deleted just now, after its retention
    header = {"put": "segment", "system": system_id, "stream": stream, "number": number}
    return Parcel({**header, "manifest_size": len(manifest)}, manifest + payload)


def _base(folder: Path) -> bytes:
    path = folder / CHECKPOINT_NAME
    return path.read_bytes() if path.exists() else checkpoint_bytes(Committed())


def _reached(base: bytes) -> dict[str, int]:
    return {str(stream): int(last) for stream, last in json.loads(base)["last_sequences"].items()}


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return status.st_mtime_ns, status.st_ino
