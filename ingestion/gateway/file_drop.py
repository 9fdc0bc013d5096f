"""Sending by file drop: sealed segments are copied to the folder where a certified gateway takes files from.

Not supported: knowing what the gateway took. What lies in the folder is the gateway's affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.durable_files import write_durably
from protocols.heartbeat import file_name
from protocols.segments import manifest_path

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.gateway.lanes import Item


class FileDrop:
    """The drop folder as a way to send.

    Args:
        drop_dir: where the gateway takes files from.
    """

    name = "file_drop"
    holds_back = False

    def __init__(self, drop_dir: Path) -> None:
        self._drop_dir = drop_dir

    def send(self, item: Item) -> int:
        """Copy a segment; how many bytes it has.

        Raises:
            OSError: the folder cannot be written.
        """
        target = manifest_path(self._drop_dir, item.stream, item.number)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        for suffix in (".parquet", ".json"):  # the manifest last: it says that the payload is whole
            content = item.manifest.with_suffix(suffix).read_bytes()
            write_durably(target.with_suffix(suffix), content)
            size += len(content)
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def send_heartbeat(self, collector_id: str, data: bytes) -> None:
        """Replace the heartbeat in place.

        Raises:
            OSError: the folder cannot be written.
        """
        self._drop_dir.mkdir(parents=True, exist_ok=True)
        write_durably(self._drop_dir / file_name(collector_id), data)

    def close(self) -> None:
        """Nothing is open."""
