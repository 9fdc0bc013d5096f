"""A source by its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingestion.collector.sources.hj212_source import Hj212Source
from ingestion.collector.sources.mqtt_source import MqttSource
from ingestion.collector.sources.settings import MqttSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings
    from ingestion.collector.sources.settings import Hj212Settings
    from ingestion.collector.sources.source import Source
    from protocols.clock import Clock


def open_source(
    source: MqttSettings | Hj212Settings,
    settings: CollectorSettings,
    sign_key: Ed25519PrivateKey,
    clock: Clock,
) -> Source:
    """The collector of one source.

    Raises:
        SettingsError, TagTableError, MarksError: what it needs cannot be read.
    """
    if isinstance(source, MqttSettings):
        return MqttSource(source, settings, sign_key, clock)
    return Hj212Source(source, settings, sign_key, clock)
