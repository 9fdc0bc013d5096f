"""Sending sealed segments again by an operator's order, while the collector stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.collector.exclusion import hold_state
from ingestion.collector.settings import SettingsError, load_settings
from ingestion.gateway.sender import Sender
from protocols.segments import STREAM_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.collector.settings import CollectorSettings


@dataclass(frozen=True)
class ResendReport:
    """What was sent again.

    Attributes:
        stream: the stream.
        first: the first number asked for.
        last: the last number asked for.
        sent: how many of them were still here and went out again.
    """

    stream: str
    first: int
    last: int
    sent: int

    @property
    def absent(self) -> int:
        """How many are no longer here: past retention, or never sealed."""
        return self.last - self.first + 1 - self.sent


def resend(config_path: Path, stream: str, first: int, last: int) -> ResendReport:
    """Copy segments `first` to `last` of `stream` to the gateway's folder once more.

    Raises:
        SettingsError: the configuration cannot be used, names no gateway, or the range is none.
        AlreadyRunningError: the collector runs.
    """
    settings = load_settings(config_path)
    if settings.gateway is None:
        msg = f"sending again: {config_path} names no gateway; give it a gateway with a drop_dir"
        raise SettingsError(msg)
    if not 1 <= first <= last:
        msg = f"sending again: found numbers {first} to {last}; expected 1 <= from <= to"
        raise SettingsError(msg)
    system_id = _system_of(settings, stream)
    with hold_state(settings.state_dir, "sending segments again"):
        gateway = settings.gateway
        sender = Sender(settings.state_dir, gateway.drop_dir, gateway.retain_hours)
        return ResendReport(stream, first, last, sender.resend(system_id, stream, first, last))


def _system_of(settings: CollectorSettings, stream: str) -> str:
    """The system below which the stream's folder lies."""
    found = {
        folder.name: server.system_id
        for server in settings.servers
        for folder in (settings.state_dir / server.system_id).glob("*")
        if folder.is_dir() and STREAM_NAME.fullmatch(folder.name)
    }
    if stream not in found:
        known = ", ".join(sorted(found)) or "none yet"
        msg = f"sending again: {settings.state_dir} holds no stream {stream!r}; it holds {known}"
        raise SettingsError(msg)
    return found[stream]
