"""What `site.yml` may say: who the plant is, where it stands, when its data begins.

Only the shape of the file. Where it is found and what the environment adds is `orchestration.settings`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class SettingsError(ValueError):
    """The site directory or its settings cannot be used; the message says what to correct."""


class GatewayUdpSpec(BaseModel):
    """The receiving end of a bare diode; the file drop needs none.

    Attributes:
        host: the address to listen on: the diode's network only.
        port: the port.
        sender_host: take datagrams from this address only.
        quota_gib: how much may wait in the inbox for landing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="0.0.0.0", min_length=1)  # noqa: S104 - one way: nothing answers on it
    port: int = Field(ge=1, le=65535)
    sender_host: str | None = None
    quota_gib: float = Field(default=20.0, gt=0)


class EventsSpec(BaseModel):
    """Where events of other systems are received.

    Attributes:
        host: the address to listen on; this machine only by default, behind a proxy.
        port: the port.
        certificate: file of a TLS certificate, within the site.
        certificate_key: file of its key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(ge=1, le=65535)
    certificate: str | None = None
    certificate_key: str | None = None


class SiteSpec(BaseModel):
    """One plant, as its `site.yml` describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    site_id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label_zh: str = Field(min_length=1)
    label_en: str = Field(min_length=1)
    kind: Literal["park", "monitoring_point"]
    park: str | None = None
    county: str
    zone: str = "Asia/Shanghai"
    environment: Literal["demo", "production"]
    first_date: date
    webserver_port: int = Field(default=3000, ge=1, le=65535)
    state_url: str | None = None
    gateway_udp: GatewayUdpSpec | None = None
    events: EventsSpec | None = None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"zone {value!r} is not in the time zone database; expected a name like Asia/Shanghai"
            raise ValueError(msg) from error
        return value


def read_site(path: Path) -> SiteSpec:
    """The site described by `path`.

    Raises:
        SettingsError: the file is missing, is not YAML, or says something it may not; names each wrong key.
    """
    if not path.is_file():
        msg = f"{path}: no such file; make a site with `chemlink init {path.parent}` or give --site"
        raise SettingsError(msg)
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return SiteSpec.model_validate(found)
    except yaml.YAMLError as error:
        msg = f"{path}: not readable as YAML: {error}; correct the file"
        raise SettingsError(msg) from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
        )
        msg = f"{path}: {wrong}. Expected the keys that `chemlink init` writes; correct the file"
        raise SettingsError(msg) from error
