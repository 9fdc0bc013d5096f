"""What this collector holds of the peer's sealed segments: a copy that is as good as the peer's own folder.

A sealed segment is the commit of its points and marks, so a copy of the segments is a copy of everything that
must be known to go on: marks, gaps told, the tag table, alarms. Below `peer/<system_id>` lie the peer's marks
checkpoint and the segments after it, or not sent by the peer yet.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ingestion.collector.conditions import FILE_NAME as CONDITIONS_NAME
from ingestion.collector.marks import (
    CHECKPOINT_NAME,
    Committed,
    load_committed,
    read_checkpoint,
    write_checkpoint,
)
from ingestion.collector.open_holes import HOLES_NAME, HoleStore
from ingestion.collector.sealing import KINDS
from protocols.durable_files import write_durably
from protocols.segments import manifest_path, sequences, verify_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PEER_FOLDER = "peer"
COPIED_FILES = (HOLES_NAME, CONDITIONS_NAME)
ADOPTED_PREFIX = "adopted_"


def copy_folder(state_dir: Path, system_id: str) -> Path:
    """Where the peer's streams of a system are kept."""
    return state_dir / PEER_FOLDER / system_id


def peer_streams(system_id: str, peer_suffix: str) -> list[str]:
    """The names of the peer's streams of a system."""
    return [f"{system_id}.{kind}{peer_suffix}" for kind in KINDS]


class Copies:
    """Takes the peer's segments in.

    Args:
        state_dir: own folder.
        system_ids: the systems that both collect.
        peer_suffix: ends the names of the peer's streams.
        verify_key: both seal with the same key.
    """

    def __init__(
        self, state_dir: Path, system_ids: Sequence[str], peer_suffix: str, verify_key: Ed25519PublicKey
    ) -> None:
        self._state_dir, self._verify_key = state_dir, verify_key
        self._streams = {system_id: peer_streams(system_id, peer_suffix) for system_id in system_ids}
        self._sent: dict[str, int] = {}
        self._last: dict[str, int] = {}
        for system_id, streams in self._streams.items():
            for stream in streams:
                self._last[stream] = max(sequences(self._folder(system_id), stream), default=0)

    def held(self) -> dict[str, Any]:
        """Up to where the peer's streams are held, for the peer to go on from."""
        return {
            system_id: {
                "has_base": (self._folder(system_id) / CHECKPOINT_NAME).exists(),
                "last": {stream: self._last[stream] for stream in streams if self._last[stream]},
            }
            for system_id, streams in self._streams.items()
        }

    def note_sent(self, sent: Mapping[str, int]) -> None:
        """Up to which number the peer has sent its streams through the gateway."""
        self._sent.update(sent)

    def put_base(self, system_id: str, content: bytes) -> None:
        """Take the peer's marks checkpoint, and drop segments that it and the gateway make superfluous.

        Raises:
            ValueError: it is none, or of a system that is not ours.
            OSError: the disk refuses.
        """
        self._require(system_id in self._streams, system_id)
        folder = self._folder(system_id)
        folder.mkdir(parents=True, exist_ok=True)
        incoming = folder / f".{CHECKPOINT_NAME}.incoming"
        incoming.write_bytes(content)
        reached = read_checkpoint(incoming).last_sequences
        write_durably(folder / CHECKPOINT_NAME, content)
        incoming.unlink()
        for stream in self._streams[system_id]:
            # The last one stays, so that the peer goes on after it.
            last = min(reached.get(stream, 0), self._sent.get(stream, 0), self._last[stream] - 1)
            for number in sequences(folder, stream):
                if number > last:
                    break
                _remove(manifest_path(folder, stream, number))

    def put_file(self, system_id: str, name: str, content: bytes) -> None:
        """Take the holes in history that the peer keeps trying to fill, or the conditions it knows as open.

        Raises:
            ValueError: it is of a system that is not ours, or another file.
            OSError: the disk refuses.
        """
        self._require(system_id in self._streams, system_id)
        if name not in COPIED_FILES:
            msg = (
                f"the peer sends a file {name!r}, expected one of {COPIED_FILES}; give both the same version"
            )
            raise ValueError(msg)
        write_durably(self._folder(system_id) / name, content)

    def put_segment(self, system_id: str, stream: str, number: int, manifest: bytes, payload: bytes) -> None:
        """Take a segment.

        Raises:
            ValueError: it is not of a system that is ours, or not sealed with our key.
            OSError: the disk refuses.
        """
        self._require(stream in self._streams.get(system_id, ()), stream)
        verify_content(manifest, payload, stream, number, self._verify_key)
        path = manifest_path(self._folder(system_id), stream, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path.with_suffix(".parquet"), payload)
        write_durably(path, manifest)
        self._last[stream] = max(self._last[stream], number)

    def adopt(self) -> int:
        """Give what the peer has not said to have sent to our own sender; how many segments.

        The peer may send them too, later: the far side knows a number that it has.
        """
        count = 0
        for system_id, streams in self._streams.items():
            adopted = self._state_dir / f"{ADOPTED_PREFIX}{system_id}"
            reached = Committed()
            for stream in streams:
                for number in sequences(self._folder(system_id), stream):
                    if number > self._sent.get(stream, 0):
                        count += _link(self._folder(system_id), adopted, stream, number)
                        reached.last_sequences[stream] = number
            if reached.last_sequences:
                # The sender deletes after retention what is below a checkpoint; nothing else reads this one.
                write_checkpoint(adopted, reached)
        return count

    def _folder(self, system_id: str) -> Path:
        return copy_folder(self._state_dir, system_id)

    def _require(self, is_ours: bool, name: str) -> None:
        if not is_ours:
            known = sorted(self._streams)
            msg = f"the peer sends {name!r}, expected one of {known}; give both the same servers"
            raise ValueError(msg)


def peer_marks(state_dir: Path, system_id: str, peer_suffix: str) -> dict[str, dict[str, int]]:
    """The marks that the peer has committed, by kind of stream, as far as they are known here.

    Raises:
        MarksError: the copy is damaged.
    """
    folder = copy_folder(state_dir, system_id)
    if not (folder / CHECKPOINT_NAME).exists():
        return {}  # the peer was never heard, or did not get so far
    marks = load_committed(folder, peer_streams(system_id, peer_suffix)).marks
    return {kind: marks.get(f"{system_id}.{kind}{peer_suffix}", {}) for kind in KINDS}


def adopt_holes(state_dir: Path, system_id: str, own_suffix: str, peer_suffix: str) -> None:
    """Keep the peer's holes beside our own: whoever collects goes on trying to fill them.

    Raises:
        MarksError: a newer version kept them.
        OSError: the disk refuses.
    """
    own = HoleStore(state_dir / system_id, f"{system_id}.gaps{own_suffix}")
    peer = HoleStore(copy_folder(state_dir, system_id), f"{system_id}.gaps{peer_suffix}")
    kept = {(hole.tag_id, hole.start): hole for hole in own.load()}
    new = {(hole.tag_id, hole.start): hole for hole in peer.load()}
    if not new.keys() <= kept.keys():
        (state_dir / system_id).mkdir(parents=True, exist_ok=True)
        own.write((new | kept).values())


def _link(source: Path, target: Path, stream: str, number: int) -> int:
    manifest, copy = manifest_path(source, stream, number), manifest_path(target, stream, number)
    if copy.exists():
        return 0
    copy.parent.mkdir(parents=True, exist_ok=True)
    payload = copy.with_suffix(".parquet")
    if not payload.exists():
        os.link(manifest.with_suffix(".parquet"), payload)
    os.link(manifest, copy)
    return 1


def _remove(manifest: Path) -> None:
    manifest.unlink(missing_ok=True)
    manifest.with_suffix(".parquet").unlink(missing_ok=True)
