"""The control zone's own configuration: `collector.yml`, read strictly.

Relative paths are resolved against the folder of the file. No secret stands in it; keys are files named by
path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

SystemId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class SettingsError(ValueError):
    """The configuration cannot be used; the message names the file and the keys."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    root: Path = (info.context or {}).get("root", Path.cwd())
    return (root / path).resolve()


SitePath = Annotated[Path, AfterValidator(_resolve)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class SecuritySettings(_Strict):
    """How the connection is secured. Nothing weaker is offered."""

    policy: Literal["Basic256Sha256"] = "Basic256Sha256"
    mode: Literal["SignAndEncrypt"] = "SignAndEncrypt"


class ServerSettings(_Strict):
    """One OPC UA server and what is read from it."""

    system_id: SystemId
    url: str = Field(pattern=r"^opc\.tcp://")
    security: SecuritySettings = SecuritySettings()
    tags: SitePath
    collect_alarms: bool = True
    # Where history begins for a tag that was never read; none: only what comes from now on.
    history_start_utc: AwareDatetime | None = None


class PkiSettings(_Strict):
    """Own certificate and key, whom to trust, and the key that signs segments."""

    certificate: SitePath = Path("pki/own/cert.der")
    private_key: SitePath = Path("pki/own/key.pem")
    trusted_dir: SitePath = Path("pki/trusted")
    rejected_dir: SitePath = Path("pki/rejected")
    sign_key: SitePath = Path("pki/gateway_sign.pem")


class HistorySettings(_Strict):
    """How history is asked for, so that no server is asked for too much at once."""

    slice_hours: float = Field(default=24.0, gt=0)
    values_per_read: int = Field(default=10_000, ge=1)
    concurrency: int = Field(default=2, ge=1, le=16)
    # A historian may write later than it publishes: how long to wait for it to reach the first live value.
    settle_s: float = Field(default=10.0, ge=0)


class GatewaySettings(_Strict):
    """Where sealed segments are dropped, and how long they stay here for sending again."""

    drop_dir: SitePath
    retain_hours: float = Field(default=72.0, gt=0)


class CollectorSettings(_Strict):
    """All of `collector.yml`. Seconds are real seconds of this machine unless a name says plant."""

    schema_version: Literal[1]
    collector_id: SystemId
    servers: tuple[ServerSettings, ...] = Field(min_length=1)
    pki: PkiSettings
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
    gateway: GatewaySettings | None = None
    clock: SitePath | None = None


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
    names = [server.system_id for server in settings.servers]
    if len(set(names)) != len(names):
        msg = f"reading collector settings {path}: servers {names} name a system twice; each has own streams"
        raise SettingsError(msg)
    return settings


def _require_servers(path: Path, found: dict[str, Any]) -> None:
    if found.get("servers"):
        return
    msg = (
        f"reading collector settings {path}: servers names no OPC UA server; uncomment the example there and "
        "write your server's system_id, url and tag table"
    )
    raise SettingsError(msg)
