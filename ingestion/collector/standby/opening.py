"""A collector's part of a pair, made from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingestion.collector.sealing import Pairing
from ingestion.collector.standby.copies import adopt_holes, copy_folder, peer_marks
from ingestion.collector.standby.pair import Pair, suffixes
from ingestion.collector.system import SystemCollector

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings
    from protocols.clock import Clock


def open_pair(settings: CollectorSettings, sign_key: Ed25519PrivateKey, clock: Clock) -> Pair | None:
    """The pair that the settings name a peer for; None without one.

    Raises:
        SettingsError: a certificate cannot be read.
    """
    standby = settings.standby
    if standby is None:
        return None
    own_suffix, peer_suffix = suffixes(standby)

    def open_systems() -> list[SystemCollector]:
        for server in settings.servers:
            adopt_holes(settings.state_dir, server.system_id, own_suffix, peer_suffix)
        return [
            SystemCollector(
                server,
                settings,
                sign_key,
                clock,
                Pairing(
                    own_suffix,
                    peer_marks(settings.state_dir, server.system_id, peer_suffix),
                    copy_folder(settings.state_dir, server.system_id),
                    peer_suffix,
                ),
            )
            for server in settings.servers
        ]

    return Pair(settings, sign_key, clock, open_systems)
