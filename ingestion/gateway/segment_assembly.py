"""Fragments to whole segments, in memory and within bounds; what never becomes whole is dropped, counted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from protocols.gateway_blocks import Fragment

HELD_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class WholeSegment:
    """A segment's two files as they were sent; verified by nobody yet but as the sender's own bytes."""

    stream: str
    sequence: int
    manifest: bytes
    payload: bytes


@dataclass
class _Pieces:
    manifest_bytes: int
    total_bytes: int
    held_bytes: int = 0
    by_offset: dict[int, bytes] = field(default_factory=dict)


class SegmentAssembly:
    """Segments of one sender while their fragments arrive.

    Args:
        held_bytes: how much may be held; beyond it the segment begun first is dropped.
    """

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._limit = held_bytes
        self._held = 0
        self._open: OrderedDict[tuple[str, int], _Pieces] = OrderedDict()
        self.dropped = 0

    def add(self, fragment: Fragment) -> WholeSegment | None:
        """Take a fragment; the segment, when this one completes it."""
        key = (fragment.stream, fragment.sequence)
        if len(fragment.data) == fragment.total_bytes:
            self._drop(key)
            return _whole(key, fragment.manifest_bytes, fragment.data)
        pieces = self._open.get(key)
        shape = (fragment.manifest_bytes, fragment.total_bytes)
        if pieces is None or shape != (pieces.manifest_bytes, pieces.total_bytes):
            self._drop(key)
            pieces = self._open[key] = _Pieces(*shape)
        if fragment.offset in pieces.by_offset:
            return None  # repeated
        pieces.by_offset[fragment.offset] = fragment.data
        pieces.held_bytes += len(fragment.data)
        self._held += len(fragment.data)
        whole = self._joined(key, pieces)
        while self._held > self._limit and self._open:
            self._drop(next(iter(self._open)))
            self.dropped += 1
        return whole

    def _joined(self, key: tuple[str, int], pieces: _Pieces) -> WholeSegment | None:
        if pieces.held_bytes < pieces.total_bytes:
            return None
        offset = 0
        for found in sorted(pieces.by_offset):
            if found != offset:
                self._drop(key)  # cut at other places the second time; a later repeat makes it whole
                return None
            offset += len(pieces.by_offset[found])
        content = b"".join(pieces.by_offset[found] for found in sorted(pieces.by_offset))
        self._drop(key)
        return _whole(key, pieces.manifest_bytes, content) if offset == pieces.total_bytes else None

    def _drop(self, key: tuple[str, int]) -> None:
        pieces = self._open.pop(key, None)
        if pieces is not None:
            self._held -= pieces.held_bytes


def _whole(key: tuple[str, int], manifest_bytes: int, content: bytes) -> WholeSegment:
    return WholeSegment(*key, content[:manifest_bytes], content[manifest_bytes:])
