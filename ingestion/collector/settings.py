"""The control zone's own configuration: `collector.yml`, read strictly.

Relative paths are resolved against the folder of the file. No secret stands in it; keys are files named by
path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AwareDatetime, Field, ValidationError, model_validator

from ingestion.collector.settings_base import SettingsError, SitePath, Strict, SystemId
from ingestion.collector.sources.settings import SourceSettings
from ingestion.collector.standby.settings import StandbySettings

__all__ = ["CollectorSettings", "SettingsError", "SitePath", "SystemId", "load_settings"]


class SecuritySettings(Strict):
    """How the connection is secured. Plain text is refused unless it is asked for in so many words."""

    policy: Literal["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss", "None"] = (
        "Basic256Sha256"
    )
    mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"
    allow_plain_text: bool = False

    @model_validator(mode="after")
    def _require_consent(self) -> Self:
        if (self.policy == "None") != self.allow_plain_text:
            msg = (
                "policy None sends everything in plain text and believes any server; to have it all the same "
                "write both policy: None and allow_plain_text: true"
            )
            raise ValueError(msg)
        return self


class UserSettings(Strict):
    """Who logs in: a name and a password kept elsewhere, or a certificate and its key. None: anonymous.

    A key that is encrypted has its password kept elsewhere too.
    """

    name: str | None = None
    password_file: SitePath | None = None
    password_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    certificate: SitePath | None = None
    private_key: SitePath | None = None
    private_key_password_file: SitePath | None = None
    private_key_password_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")

    @model_validator(mode="after")
    def _require_one_kind(self) -> Self:
        given = {name for name, value in self.__dict__.items() if value is not None}
        key_passwords = {"private_key_password_file", "private_key_password_env"}
        by_certificate = given - key_passwords == {"certificate", "private_key"}
        by_name = given in ({"name", "password_file"}, {"name", "password_env"})
        if not by_name and not (by_certificate and len(given & key_passwords) <= 1):
            msg = (
                "expected name with password_file or password_env, or certificate with private_key and, "
                "where the key is encrypted, private_key_password_file or private_key_password_env; no "
                "password itself ever stands here"
            )
            raise ValueError(msg)
        return self


ServerUrl = Annotated[str, Field(pattern=r"^opc\.tcp://")]


class ServerSettings(Strict):
    """One OPC UA server, or a set of redundant ones, and what is read from it.

    Attributes:
        url: the only address, or the first of several.
        urls: a set of redundant servers of the same tags, the preferred one first; the one with the highest
            ServiceLevel is read.
    """

    system_id: SystemId
    url: ServerUrl
    urls: tuple[ServerUrl, ...] = Field(min_length=1)
    security: SecuritySettings = SecuritySettings()
    user: UserSettings | None = None
    tags: SitePath
    collect_alarms: bool = True
    # Where history begins for a tag that was never read; none: only what comes from now on.
    history_start_utc: AwareDatetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_addresses(cls, found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        if found.get("url") and found.get("urls"):
            msg = "url and urls are both given; write url for one server, urls for a redundant set"
            raise ValueError(msg)
        if found.get("url"):
            return {**found, "urls": [found["url"]]}
        urls = found.get("urls")
        return {**found, "url": urls[0]} if isinstance(urls, list | tuple) and urls else found


class PkiSettings(Strict):
    """Own certificate and key, whom to trust, and the key that signs segments."""

    certificate: SitePath = Path("pki/own/cert.der")
    private_key: SitePath = Path("pki/own/key.pem")
    trusted_dir: SitePath = Path("pki/trusted")
    rejected_dir: SitePath = Path("pki/rejected")
    sign_key: SitePath = Path("pki/gateway_sign.pem")


class CertificateSettings(Strict):
    """How many days before a certificate ends it is warned of, and from when that is critical."""

    warn_days: float = Field(default=60.0, gt=0)
    critical_days: float = Field(default=7.0, ge=0)

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.critical_days > self.warn_days:
            msg = f"critical_days {self.critical_days:g} is before warn_days {self.warn_days:g}; warn earlier"
            raise ValueError(msg)
        return self


class HistorySettings(Strict):
    """How history is asked for, so that no server is asked for too much at once."""

    slice_hours: float = Field(default=24.0, gt=0)
    values_per_read: int = Field(default=10_000, ge=1)
    concurrency: int = Field(default=2, ge=1, le=16)
    # A historian may write later than it publishes: how long to wait for it to reach the first live value.
    settle_s: float = Field(default=10.0, ge=0)
    # Several tags in one request while each wants little; a server's own limit is obeyed besides.
    nodes_per_read: int = Field(default=20, ge=1)
    # A tag whose history fails this often in a row, and for this long, gets its live values through; the hole
    # is a gap row, and is tried again ever more slowly, at least this often.
    give_up_tries: int = Field(default=20, ge=1)
    give_up_s: float = Field(default=600.0, ge=0)
    retry_within_s: float = Field(default=3600.0, gt=0)


class DiskSettings(Strict):
    """What happens when the disk runs full.

    `stop_reading`: nothing more is asked of the servers, whose queues and history hold the rest.
    `drop_oldest_sent`: first the oldest segments that went out already are deleted, within their retention.
    """

    min_free_mb: float = Field(default=100.0, ge=0)
    when_full: Literal["stop_reading", "drop_oldest_sent"] = "stop_reading"


class UdpSettings(Strict):
    """A bare diode: where the receiver listens, how fast to send, what loss to survive."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    # What the link may carry, headers and repair included.
    rate_mb_s: float = Field(default=20.0, gt=0)
    # The share of datagrams that may be lost at random before a block is.
    survives_loss: float = Field(default=0.1, ge=0, le=0.5)
    # The receiver's public X25519 key; with it everything is encrypted.
    receiver_key: SitePath | None = None


class GatewaySettings(Strict):
    """How sealed segments leave: a folder to drop them in, or UDP; and how long they stay here."""

    drop_dir: SitePath | None = None
    udp: UdpSettings | None = None
    retain_hours: float = Field(default=72.0, gt=0)
    heartbeat_s: float = Field(default=5.0, ge=0.2)
    # What waited while the gateway was closed follows this fast, behind everything live.
    backlog_mb_s: float = Field(default=10.0, gt=0)
    # Recent segments are sent a second time at this share of the rate; 0 for never.
    repeat_share: float = Field(default=0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _is_one_way(self) -> GatewaySettings:
        if (self.drop_dir is None) == (self.udp is None):
            msg = "expected exactly one of drop_dir and udp"
            raise ValueError(msg)
        return self


class CollectorSettings(Strict):
    """All of `collector.yml`. Seconds are real seconds of this machine unless a name says plant."""

    schema_version: Literal[1]
    collector_id: SystemId
    servers: tuple[ServerSettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    pki: PkiSettings
    certificates: CertificateSettings = CertificateSettings()
    state_dir: SitePath = Path("var/collector")
    seal_every_s: float = Field(default=1.0, gt=0)
    seal_rows: int = Field(default=200_000, ge=1)
    publish_every_ms: float = Field(default=200.0, ge=10)
    request_timeout_s: float = Field(default=30.0, gt=0)
    # A server that is away is tried again ever more slowly, but at least this often.
    reconnect_within_s: float = Field(default=15.0, ge=0.5)
    retry_every_s: float = Field(default=30.0, gt=0)
    units_every_s: float = Field(default=30.0, gt=0)
    history: HistorySettings = HistorySettings()
    disk: DiskSettings = DiskSettings()
    # A message out of order is waited for this long before it counts as missing.
    reorder_wait_s: float = Field(default=1.0, ge=0)
    # Publish requests that wait at the server at any time.
    publish_requests: int = Field(default=4, ge=1, le=50)
    # How often the servers of a redundant set are asked how they are.
    service_level_every_s: float = Field(default=5.0, gt=0)
    gateway: GatewaySettings | None = None
    standby: StandbySettings | None = None
    clock: SitePath | None = None

    @model_validator(mode="after")
    def _require_servers_of_a_pair(self) -> Self:
        if self.standby is not None and self.sources:
            msg = "a pair with standby collects OPC UA servers only; give sources a collector of their own"
            raise ValueError(msg)
        return self


def load_settings(path: Path) -> CollectorSettings:
    """The settings in a file.

    Raises:
        SettingsError: the file is missing, is no YAML, or has unknown, missing or impossible keys.
    """
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        msg = f"reading collector settings {path}: {error}; expected the YAML that `chemlink init` writes"
        raise SettingsError(msg) from error
    if isinstance(found, dict):
        _require_servers(path, found)
        found.setdefault(
            "pki", {}
        )  # here and not in the class: its paths are resolved against this file's folder
    try:
        settings = CollectorSettings.model_validate(found, context={"root": path.resolve().parent})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        msg = f"reading collector settings {path}: {wrong}; correct these keys"
        raise SettingsError(msg) from error
    names = [system.system_id for system in (*settings.servers, *settings.sources)]
    if len(set(names)) != len(names):
        msg = f"reading collector settings {path}: {names} name a system twice; each has own streams"
        raise SettingsError(msg)
    return settings


def _require_servers(path: Path, found: dict[str, Any]) -> None:
    if found.get("servers") or found.get("sources"):
        return
    msg = (
        f"reading collector settings {path}: servers names no OPC UA server; uncomment the example there and "
        "write your server's system_id, url and tag table"
    )
    raise SettingsError(msg)
