"""The instruments that may send, by MN: their passwords, their packets, what is noticed of them."""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingestion.collector.settings_base import SettingsError
from ingestion.collector.sources.hj212_packets import Packets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingestion.collector.sources.hj212_connection import Connection
    from ingestion.collector.sources.settings import DeviceSettings


@dataclass
class Device:
    """One instrument or data logger."""

    settings: DeviceSettings
    password: str
    packets: Packets[Connection] = field(default_factory=Packets)
    frames: int = 0
    last_frame_real_utc: str | None = None
    last_peer: str | None = None
    deviations: Counter[str] = field(default_factory=Counter)

    def is_password(self, text: str | None) -> bool:
        """Whether a frame's PW is this device's; takes as long either way."""
        return hmac.compare_digest((text or "").encode(), self.password.encode())

    def hear(self, peer: str) -> None:
        """Note a frame of it."""
        self.frames += 1
        self.last_peer = peer
        self.last_frame_real_utc = datetime.now(UTC).isoformat(timespec="seconds")

    def content(self) -> dict[str, Any]:
        """What the state file says of it."""
        return {
            "frames": self.frames,
            "last_frame_real_utc": self.last_frame_real_utc,
            "last_peer": self.last_peer,
            "deviations": dict(self.deviations),
        }


class Devices:
    """Every device of a listener.

    Raises:
        SettingsError: a password file cannot be read or is empty.
    """

    def __init__(self, settings: Iterable[DeviceSettings]) -> None:
        self._devices = {device.mn: Device(device, _password(device)) for device in settings}

    def __iter__(self) -> Iterator[Device]:
        return iter(self._devices.values())

    def find(self, mn: str | None) -> Device | None:
        """The device of an MN, None when it is not one of ours."""
        return self._devices.get(mn or "")


def _password(device: DeviceSettings) -> str:
    try:
        found = device.password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"reading the password of {device.mn}: {error}; write the PW of its frames into that file"
        raise SettingsError(msg) from error
    if not found:
        msg = f"reading the password of {device.mn}: {device.password_file} is empty; write its PW there"
        raise SettingsError(msg)
    return found
