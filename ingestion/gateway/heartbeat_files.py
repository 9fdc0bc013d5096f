"""The heartbeats that lie in the inbox, each read when it changed; what is none goes to quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.heartbeat import FILE_NAME, LIMIT_BYTES, Heartbeat, HeartbeatError, read_heartbeat
from protocols.segment_manifest import SegmentTornError
from protocols.segment_reading import read_plain

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from ingestion.gateway.quarantine import Quarantine, Quarantined


class HeartbeatFiles:
    """Looks at `heartbeat.<collector_id>.json` in an inbox.

    Args:
        inbox: written by the gateway or the UDP receiver.
        verify_key: the control zone's public gateway key.
        quarantine: where forged ones go.
    """

    def __init__(self, inbox: Path, verify_key: Ed25519PublicKey, quarantine: Quarantine) -> None:
        self._inbox = inbox
        self._verify_key = verify_key
        self._quarantine = quarantine
        self._seen: dict[str, tuple[int, int]] = {}

    def changed(self) -> tuple[list[Heartbeat], list[Quarantined]]:
        """The verified heartbeats that changed since the last look, and what was refused."""
        found: list[Heartbeat] = []
        refused: list[Quarantined] = []
        for path in sorted(self._inbox.glob("heartbeat.*.json")):
            match = FILE_NAME.fullmatch(path.name)
            if match is None or not self._is_new(path):
                continue
            try:
                heartbeat = read_heartbeat(read_plain(path, LIMIT_BYTES), self._verify_key)
                if heartbeat.collector_id != match[1]:
                    msg = f"it is of {heartbeat.collector_id} and lies in the place of {match[1]}"
                    raise HeartbeatError(msg)  # noqa: TRY301 - refused like a forged one
            except (HeartbeatError, SegmentTornError) as error:
                refused.append(self._quarantine.take(path, str(error)))
            else:
                found.append(heartbeat)
        return found, refused

    def _is_new(self, path: Path) -> bool:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return False  # replaced just now
        stamp = (status.st_mtime_ns, status.st_ino)
        if self._seen.get(path.name) == stamp:
            return False
        self._seen[path.name] = stamp
        return True
