"""Writes verified segments into the inbox that landing reads, and never more than the disk may hold.

Names come from verified stream names and numbers only. Files are renamed into place, payload first, and not
fsynced: what a power cut tears is refused by its hash, shows as a gap and is sent again by order.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from protocols.heartbeat import file_name
from protocols.segments import SegmentError, manifest_path, verify_content

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from ingestion.gateway.segment_assembly import WholeSegment

QUOTA_BYTES = 20 * 1024**3
LEAST_FREE_BYTES = 1024**3
_MEASURE_EVERY_S = 5.0


class Inbox:
    """The folder between the receiver and landing.

    Args:
        folder: one folder a stream below it.
        verify_key: the control zone's public gateway key.
        quota_bytes: how much may wait there for landing.
        least_free_bytes: how much of the disk stays free.
    """

    def __init__(
        self,
        folder: Path,
        verify_key: Ed25519PublicKey,
        *,
        quota_bytes: int = QUOTA_BYTES,
        least_free_bytes: int = LEAST_FREE_BYTES,
    ) -> None:
        self._folder = folder
        self._verify_key = verify_key
        self._quota_bytes = quota_bytes
        self._least_free_bytes = least_free_bytes
        self._room = 0
        self._measured_at = float("-inf")

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be written."""
        now = time.monotonic()
        if now - self._measured_at > _MEASURE_EVERY_S:
            self._measured_at = now
            self._folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._folder).free - self._least_free_bytes
            used = sum(_size(file) for file in self._folder.glob("*/*.parquet"))
            self._room = min(free, self._quota_bytes - used)
        return size <= self._room

    def put(self, segment: WholeSegment) -> bool:
        """Write a segment; False when the control zone did not sign it.

        Raises:
            OSError: the disk refuses it.
        """
        try:
            verify_content(
                segment.manifest, segment.payload, segment.stream, segment.sequence, self._verify_key
            )
        except SegmentError:
            return False
        path = manifest_path(self._folder, segment.stream, segment.sequence)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path.with_suffix(".parquet"), segment.payload)
        _replace(path, segment.manifest)
        self._room -= len(segment.payload) + len(segment.manifest)
        return True

    def put_heartbeat(self, collector_id: str, data: bytes) -> None:
        """Replace the heartbeat of a collector in place.

        Raises:
            OSError: the disk refuses it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        _replace(self._folder / file_name(collector_id), data)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # landed meanwhile
        return 0


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
