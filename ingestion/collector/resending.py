"""Sending sealed segments again by an operator's order: at once, or by the collector when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.collector.exclusion import AlreadyRunningError, hold_state
from ingestion.collector.settings import SettingsError, load_settings
from ingestion.gateway.lanes import write_order
from ingestion.gateway.opening import open_sender
from protocols.keys import load_sign_key
from protocols.segments import STREAM_NAME, sequences

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
        sent: how many of them were still here and went out again, or will.
        is_ordered: the collector runs and sends them as soon as nothing live waits.
    """

    stream: str
    first: int
    last: int
    sent: int
    is_ordered: bool = False

    @property
    def absent(self) -> int:
        """How many are no longer here: past retention, or never sealed."""
        return self.last - self.first + 1 - self.sent


def resend(config_path: Path, stream: str, first: int, last: int) -> ResendReport:
    """Send segments `first` to `last` of `stream` through the gateway once more.

    Raises:
        SettingsError: the configuration cannot be used, names no gateway, or the range is none.
        KeyFileError: a key of the gateway cannot be read.
    """
    settings = load_settings(config_path)
    if settings.gateway is None:
        msg = f"sending again: {config_path} names no gateway; give it one with a drop_dir or udp"
        raise SettingsError(msg)
    if not 1 <= first <= last:
        msg = f"sending again: found numbers {first} to {last}; expected 1 <= from <= to"
        raise SettingsError(msg)
    system_id = _system_of(settings, stream)
    try:
        with hold_state(settings.state_dir, "sending segments again"):
            sender = open_sender(settings, load_sign_key(settings.pki.sign_key))
            assert sender is not None, "it has a gateway"
            sent = sender.resend(system_id, stream, first, last)
            sender.close()
    except AlreadyRunningError:
        write_order(settings.state_dir, system_id, stream, first, last)
        held = sequences(settings.state_dir / system_id, stream)
        here = sum(first <= number <= last for number in held)
        return ResendReport(stream, first, last, here, is_ordered=True)
    return ResendReport(stream, first, last, sent)


def _system_of(settings: CollectorSettings, stream: str) -> str:
    """The system below which the stream's folder lies."""
    found = {
        folder.name: folder.parent.name
        for folder in settings.state_dir.glob("*/*")
        if folder.is_dir() and STREAM_NAME.fullmatch(folder.name)
    }
    if stream not in found:
        known = ", ".join(sorted(found)) or "none yet"
        msg = f"sending again: {settings.state_dir} holds no stream {stream!r}; it holds {known}"
        raise SettingsError(msg)
    return found[stream]
