"""Sealing one system's streams: one writer of segments, their sequence numbers and the marks checkpoint."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingestion.collector.marks import Committed, format_marks, load_committed, write_checkpoint
from protocols.segments import read_manifest, write_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from protocols.clock import Clock

CHECKPOINT_EVERY = 100
KINDS = ("points", "alarms", "tags", "gaps", "events", "quarantine")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pairing:
    """How a collector of a pair names its streams, and what the other one has committed.

    Attributes:
        suffix: ends the names of its streams.
        peer_marks: the other's committed marks, by kind of stream.
        peer_folder: where its streams are copied to; none when it was never heard.
        peer_suffix: ends the names of its streams.
    """

    suffix: str = ""
    peer_marks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    peer_folder: Path | None = None
    peer_suffix: str = ""


class Sealer:
    """Seals tables of one system in order; remembers what is committed.

    Args:
        directory: the system's folder, which holds its streams.
        system_id: names the streams `<system_id>.<kind>`, with a suffix for the spare of a pair.
        sign_key: the control zone's gateway key.
        clock: tells when a segment was sealed.
        pairing: what the other collector of a pair has committed; none for a single one.

    Raises:
        MarksError: what was sealed before cannot be read.
    """

    def __init__(
        self,
        directory: Path,
        system_id: str,
        sign_key: Ed25519PrivateKey,
        clock: Clock,
        pairing: Pairing | None = None,
    ) -> None:
        self._pairing = pairing or Pairing()
        self.directory = directory
        self._system_id = system_id
        self._sign_key = sign_key
        self._clock = clock
        self._lock = asyncio.Lock()
        self._since_checkpoint = 0
        directory.mkdir(parents=True, exist_ok=True)
        self.committed: Committed = load_committed(directory, [self.stream(kind) for kind in KINDS])

    def stream(self, kind: str) -> str:
        """The stream's name of a kind."""
        return f"{self._system_id}.{kind}{self._pairing.suffix}"

    def peer_stream(self, kind: str) -> tuple[Path, str] | None:
        """Where the other collector of a pair's stream of a kind is copied to, and its name."""
        folder = self._pairing.peer_folder
        return None if folder is None else (folder, f"{self._system_id}.{kind}{self._pairing.peer_suffix}")

    def marks(self, kind: str) -> Mapping[str, int]:
        """The committed marks of a kind's stream; of a pair, for each key the later one of the two."""
        own = self.committed.marks.get(self.stream(kind), {})
        peer = self._pairing.peer_marks.get(kind, {})
        return {**peer, **{key: max(mark, peer.get(key, mark)) for key, mark in own.items()}} if peer else own

    def forget(self, kind: str, keys: Iterable[str]) -> None:
        """Drop marks of keys that can never come again."""
        own = self.committed.marks.get(self.stream(kind), {})
        for key in keys:
            own.pop(key, None)

    def last_sequence(self, kind: str) -> int:
        """The last sealed sequence of a kind's stream, 0 when there is none."""
        return self.committed.last_sequences.get(self.stream(kind), 0)

    async def seal(
        self, kind: str, table: pa.Table, marks: Mapping[str, int], *, marks_are_in_rows: bool = False
    ) -> Path:
        """Seal a table as the next segment of its stream; on return it is committed.

        Args:
            kind: which of the system's streams.
            table: its rows.
            marks: what is committed with them.
            marks_are_in_rows: whether each tag's mark is its last source time in the table, so that the
                manifest need not repeat it.

        Raises:
            OSError: the disk refused; nothing was committed and the same table may be sealed again.
        """
        return await asyncio.shield(self._seal(kind, table, marks, marks_are_in_rows))

    async def _seal(self, kind: str, table: pa.Table, marks: Mapping[str, int], are_in_rows: bool) -> Path:
        # Shielded: a thread cannot be cancelled, so a write that was begun is also taken into account.
        async with self._lock:
            path = await asyncio.to_thread(self._write, kind, table, marks, are_in_rows)
            self.committed.add(read_manifest(path), marks)
            self._since_checkpoint += 1
            if self._since_checkpoint >= CHECKPOINT_EVERY:
                await self._checkpoint_if_possible()
            return path

    async def _checkpoint_if_possible(self) -> None:
        try:
            await asyncio.to_thread(self.checkpoint)
        except OSError:
            # The segment is sealed: failing now would have its points sealed once more. The next seal tries.
            _log.exception("writing the marks checkpoint of %s", self._system_id)

    def checkpoint(self) -> None:
        """Write the marks checkpoint now."""
        write_checkpoint(self.directory, self.committed)
        self._since_checkpoint = 0

    def _write(self, kind: str, table: pa.Table, marks: Mapping[str, int], are_in_rows: bool) -> Path:
        path = write_segment(
            self.directory,
            self.stream(kind),
            self.last_sequence(kind) + 1,
            table,
            kind,
            {} if are_in_rows else format_marks(marks),
            self._sign_key,
            self._clock.now(),
            marks_are_in_rows=are_in_rows,
        )
        _log.debug("sealed %s, %d rows", path, table.num_rows)
        return path
