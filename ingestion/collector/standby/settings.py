"""The `standby:` block of `collector.yml`: the other collector of the pair."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ingestion.collector.settings_base import SitePath, Strict


class StandbySettings(Strict):
    """Where the other collector is and who is who. Both have the same systems, tag tables and sealing key.

    Attributes:
        preference: `main` collects when both could; the two collectors must differ, for the streams of the
            spare carry a suffix.
        listen_host: own address that the peer connects to, in the control zone only.
        peer_certificate: the peer's `pki/own/cert.der`; nobody else is listened to or spoken with.
        takeover_after_seconds: how long the peer may be silent.
        unreached_after_seconds: how long the active collector may be without one of its servers before the
            other one, if it can have a session with all of them, takes over.
    """

    preference: Literal["main", "spare"]
    listen_host: str = Field(min_length=1)
    listen_port: int = Field(ge=1, le=65535)
    peer_host: str = Field(min_length=1)
    peer_port: int = Field(ge=1, le=65535)
    peer_certificate: SitePath = Path("pki/peer/cert.der")
    takeover_after_seconds: float = Field(default=5.0, ge=0.5)
    unreached_after_seconds: float = Field(default=20.0, ge=0.5)

    @property
    def is_main(self) -> bool:
        """Whether this one collects when both could."""
        return self.preference == "main"
