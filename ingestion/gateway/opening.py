"""A collector's sender, made from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingestion.gateway.file_drop import FileDrop
from ingestion.gateway.sender import Beats, Sender, Transport
from protocols.keys import load_box_public_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings, GatewaySettings, UdpSettings
    from protocols.heartbeat import PairBeat

_MB = 1e6


def open_sender(
    settings: CollectorSettings, sign_key: Ed25519PrivateKey, pair: Callable[[], PairBeat] | None = None
) -> Sender | None:
    """The sender of a collector, or None where it has no gateway.

    Args:
        settings: the collector's.
        sign_key: signs heartbeats.
        pair: what a collector of a pair says of itself and the other one.

    Raises:
        KeyFileError: the receiver's public key cannot be read.
    """
    gateway = settings.gateway
    if gateway is None:
        return None
    return Sender(
        settings.state_dir,
        _transport(gateway, settings.collector_id, sign_key, settings.state_dir),
        gateway.retain_hours,
        backlog_bytes_s=gateway.backlog_mb_s * _MB,
        # A certified gateway hands over what it took; only a bare link needs everything twice.
        repeat_bytes_s=gateway.repeat_share * gateway.udp.rate_mb_s * _MB if gateway.udp else 0.0,
        beats=Beats(settings.collector_id, sign_key, gateway.heartbeat_s, pair),
    )


def _transport(
    gateway: GatewaySettings, collector_id: str, sign_key: Ed25519PrivateKey, state_dir: Path
) -> Transport:
    if gateway.drop_dir is not None:
        return FileDrop(gateway.drop_dir)
    assert gateway.udp is not None, "settings have exactly one"
    return _udp(gateway.udp, collector_id, sign_key, state_dir)


def _udp(udp: UdpSettings, collector_id: str, sign_key: Ed25519PrivateKey, state_dir: Path) -> Transport:
    from ingestion.gateway.udp_link import UdpLink, UdpTarget  # a file drop needs no error correction

    target = UdpTarget(
        host=udp.host,
        port=udp.port,
        bytes_s=udp.rate_mb_s * _MB,
        survives_loss=udp.survives_loss,
        receiver_key=load_box_public_key(udp.receiver_key) if udp.receiver_key else None,
    )
    return UdpLink(target, collector_id, sign_key, state_dir)
