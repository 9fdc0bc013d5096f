"""When the disk runs full: what is stopped or dropped, by the operator's setting, and how it is told."""

from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING

from ingestion.gateway.sent_ledger import SentLedger
from protocols.opcua_time import to_ticks
from protocols.pair_streams import family_of
from protocols.segments import manifest_path, sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ingestion.collector.gaps import GapLog
    from ingestion.collector.settings import DiskSettings
    from ingestion.collector.status import Status
    from protocols.clock import Clock

_MB = 1024 * 1024
# Reading goes on once there is this much more room than was missing, so that it does not flicker.
_RESUME_FACTOR = 1.2
# What the last segments and the status file need, whatever the operator says.
_LEAST_MB = 1.0
# Segments dropped at a time before the room is looked at again.
_DROP_AT_ONCE = 20
_log = logging.getLogger(__name__)


class DiskGuard:
    """Watches the room on the disk of one system's folder.

    Args:
        directory: the system's folder.
        settings: how much must stay free, and what to do when it is not.
        clock: plant time.
        status: shows the alarm.
        gaps: seals the note once there is room.
        pause: called with whether reading must stand still.
    """

    def __init__(
        self,
        directory: Path,
        settings: DiskSettings,
        clock: Clock,
        status: Status,
        gaps: GapLog,
        pause: Callable[[bool], None],
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._status = status
        self._gaps = gaps
        self._pause = pause
        self._stopped_at: int | None = None
        self.free_mb = 0.0

    @property
    def is_stopped(self) -> bool:
        """Whether reading stands still."""
        return self._stopped_at is not None

    def look(self) -> None:
        """Look at the room, and stop or go on.

        Raises:
            OSError: the disk cannot even be asked.
        """
        needed = max(self._settings.min_free_mb, _LEAST_MB) * (_RESUME_FACTOR if self.is_stopped else 1.0)
        self.free_mb = shutil.disk_usage(self._directory).free / _MB
        if self.free_mb < needed and self._settings.when_full == "drop_oldest_sent":
            self._drop(needed)
        if self.free_mb < needed:
            self.stop()
        elif self.is_stopped:
            self._go_on()

    def stop(self) -> None:
        """Let reading stand still: what is not read waits in the server's queues and history."""
        text = (
            f"磁盘将满（剩余 {self.free_mb:.0f} MB，需要 {self._settings.min_free_mb:.0f} MB），已暂停读取；"
            f"请腾出空间 / the disk is almost full ({self.free_mb:.0f} MB free, "
            f"{self._settings.min_free_mb:.0f} MB needed), reading stands still; make room"
        )
        self._status.alarm("disk_full", text)
        if not self.is_stopped:
            _log.error("%s: %s", self._status.system_id, text)
            self._stopped_at = to_ticks(self._clock.now())
            self._pause(True)

    def _go_on(self) -> None:
        assert self._stopped_at is not None
        self._gaps.tell(
            None,
            self._stopped_at,
            to_ticks(self._clock.now()),
            "disk_full",
            is_open=False,
            detail="reading stood still; queues and history of the server are read now",
        )
        self._stopped_at = None
        self._status.alarm("disk_full", None)
        self._pause(False)

    def _drop(self, needed: float) -> None:
        """Delete the oldest segments that were sent and are below the marks checkpoint."""
        for stream, numbers in _sent_segments(self._directory).items():
            for begin in range(0, len(numbers), _DROP_AT_ONCE):
                if self.free_mb >= needed:
                    return
                self._drop_part(stream, numbers[begin : begin + _DROP_AT_ONCE])

    def _drop_part(self, stream: str, numbers: Sequence[int]) -> None:
        for number in numbers:
            path = manifest_path(self._directory, stream, number)
            path.unlink(missing_ok=True)
            for payload in path.parent.glob(f"{path.stem}.*"):
                payload.unlink(missing_ok=True)
        self.free_mb = shutil.disk_usage(self._directory).free / _MB
        now = to_ticks(self._clock.now())
        self._gaps.tell(
            None,
            now,
            now,
            "segments_dropped",
            is_open=False,
            detail=f"{stream} up to {numbers[-1]}: sent, and deleted before the end of their retention",
        )


def _sent_segments(directory: Path) -> dict[str, list[int]]:
    """By stream, points first, the segments that were sent and that the marks no longer need."""
    sent, needed_after = _sent_up_to(directory), _checkpointed(directory / "marks.json")
    found = {}
    for stream in sorted(sent, key=lambda name: not family_of(name).endswith(".points")):
        # The last one stays in any case: the next start compares the tag table with it.
        last = min(sent[stream], needed_after.get(stream, 0)) - 1
        found[stream] = [number for number in sequences(directory, stream) if number <= last]
    return found


def _sent_up_to(directory: Path) -> dict[str, int]:
    try:
        return {stream: sent.complete_to for stream, sent in SentLedger(directory).streams.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # what was sent is not known, so nothing is deleted


def _checkpointed(path: Path) -> dict[str, int]:
    try:
        return {str(k): int(v) for k, v in json.loads(path.read_bytes())["last_sequences"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
