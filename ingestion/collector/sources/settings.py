"""`sources:` of `collector.yml`: MQTT brokers and HJ 212 listeners, each a system with streams of its own."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ingestion.collector.settings_base import SitePath, Strict, SystemId

MOSQUITTO_IN_FLIGHT = 20


class _SourceSettings(Strict):
    """What every source has."""

    system_id: SystemId
    tags: SitePath | None = None
    # Where tags that no table names stand, until somebody writes them into it.
    area: str = "unassigned"
    max_tags: int = Field(default=20_000, ge=1)
    # How long instants already sealed are remembered, to tell late points from repeated ones.
    remember_days: int = Field(default=7, ge=1, le=366)
    # Messages that may wait in memory; beyond, nothing more is read until they are sealed.
    max_waiting: int = Field(default=20_000, ge=100)


class TlsSettings(Strict):
    """Whom to trust, and who we are where the broker asks for a certificate. TLS 1.2 at least."""

    ca: SitePath
    certificate: SitePath | None = None
    private_key: SitePath | None = None

    @model_validator(mode="after")
    def _require_pair(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            msg = "certificate and private_key go together; give both or neither"
            raise ValueError(msg)
        return self


class SparkplugSettings(Strict):
    """Which Sparkplug groups are read."""

    groups: tuple[str, ...] = Field(default=("+",), min_length=1)
    # A rebirth request is a command to the plant: sent only where the site says so in so many words.
    may_request_rebirth: bool = False


class MqttSettings(_SourceSettings):
    """One MQTT broker and what is read from it."""

    kind: Literal["mqtt"]
    host: str = Field(min_length=1)
    port: int = Field(default=8883, ge=1, le=65_535)
    protocol: Literal["5", "3.1.1"] = "5"
    # The broker keeps what it could not deliver under this name: never change it, never use it twice.
    client_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    session_expiry_h: float = Field(default=168.0, gt=0, le=8760)
    keep_alive_s: int = Field(default=30, ge=5, le=600)
    in_flight: int = Field(default=5_000, ge=1, le=65_535)
    # So many unacknowledged messages and silence: the broker waits for us (Mosquitto's default is 20).
    stalled_at: int = Field(default=MOSQUITTO_IN_FLIGHT, ge=1)
    username: str | None = None
    password_file: SitePath | None = None
    tls: TlsSettings | None = None
    allow_plain_text: bool = False
    mapping: SitePath | None = None
    sparkplug: SparkplugSettings | None = None

    @model_validator(mode="after")
    def _require_consent(self) -> Self:
        if (self.tls is None) != self.allow_plain_text:
            msg = "give tls, or allow_plain_text: true where the broker offers none (never both)"
            raise ValueError(msg)
        if self.mapping is None and self.sparkplug is None:
            msg = "give a mapping for JSON messages, or sparkplug, or both: nothing would be read"
            raise ValueError(msg)
        if (self.username is None) != (self.password_file is None):
            msg = "username and password_file go together; give both or neither"
            raise ValueError(msg)
        return self


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


class DeviceSettings(Strict):
    """One instrument or data logger that may send."""

    mn: str = Field(pattern=r"^[0-9A-Za-z]{1,24}$")
    password_file: SitePath
    label_zh: str | None = None
    label_en: str | None = None
    area: str | None = None
    equipment_id: str | None = None


class Hj212Settings(_SourceSettings):
    """A listener for instruments and data loggers that speak HJ 212 over TCP."""

    kind: Literal["hj212"]
    # The address of the instruments' own network; never that of the way to the business zone.
    host: str = Field(min_length=1)
    port: int = Field(default=9212, ge=0, le=65_535)
    peers: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(min_length=1)
    devices: tuple[DeviceSettings, ...] = Field(min_length=1)
    max_connections: int = Field(default=256, ge=1)
    # A logger that says nothing for so long is gone; it connects again.
    idle_s: float = Field(default=900.0, gt=0)
    # How long packets of one message are waited for when the first, which carries the time, is missing.
    packets_wait_s: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _require_unique(self) -> Self:
        names = [device.mn for device in self.devices]
        if len(set(names)) != len(names):
            msg = f"devices {names} name an MN twice"
            raise ValueError(msg)
        if self.host in ("0.0.0.0", "::", "*"):  # noqa: S104 - it is refused here
            msg = f"host {self.host} listens on every network; name the address in the instruments' network"
            raise ValueError(msg)
        return self


SourceSettings = Annotated[MqttSettings | Hj212Settings, Field(discriminator="kind")]
