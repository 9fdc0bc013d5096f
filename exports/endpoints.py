"""Endpoints: where reports go. One YAML an endpoint; product defaults in `exports/endpoints/`.

A site's `endpoints/<endpoint_id>.yml` lies over the product's file of the same name, key by key. The
product's own files are inactive: only a site makes an endpoint active, in the environments it lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from exports.errors import ExportError, SpecError
from exports.secrets import SiteSecrets

PRODUCT_ENDPOINTS = Path(__file__).parent / "endpoints"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hj212TcpSettings(_Strict):
    """HJ 212-2017 over one long-lived TCP connection that carries every device number of the site."""

    type: Literal["hj212_tcp"]
    host: str
    port: int = Field(gt=0, lt=65536)
    password_secret: str
    resends: int = Field(default=3, ge=0)
    connect_timeout_s: float = Field(default=5, gt=0)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Secrets that sending needs."""
        return (self.password_secret,)


class HttpsJsonSettings(_Strict):
    """JSON over HTTPS, signed by a shared key; the server is known by a private authority."""

    type: Literal["https_json"]
    url: str = Field(pattern=r"^https://")
    ca_file: str  # within the site directory
    enterprise_code: str
    hmac_key_secret: str

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Secrets that sending needs."""
        return (self.hmac_key_secret,)


class Backoff(_Strict):
    """Waiting after a failure, in seconds of this machine: each `factor` times the last, up to a limit."""

    first_s: float = Field(default=1, gt=0)
    factor: float = Field(default=2, ge=1)
    limit_s: float = Field(default=60, gt=0)


class Retry(_Strict):
    """How long to wait for an answer and how often to ask again.

    `attempts` bounds the tries of one submission at an endpoint that answers others; while the endpoint
    answers nobody, submissions wait and their tries are not counted.
    """

    timeout_s: float = Field(default=10, gt=0)
    attempts: int = Field(default=5, ge=1)
    backoff: Backoff = Backoff()


class Rate(_Strict):
    """How fast the receiver allows itself to be addressed."""

    per_second: float = Field(default=20, gt=0)


class Order(_Strict):
    """How many submissions of one report and subject may be under way at once; 1 keeps strict order."""

    window: int = Field(default=1, ge=1)


class Expiry(_Strict):
    """After how many plant minutes a submission is given up; null means never."""

    stream_after_minutes: float | None = 1440
    scheduled_after_minutes: float | None = None


class EndpointSpec(_Strict):
    """One receiver of reports."""

    schema_version: Literal[1]
    endpoint_id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label_zh: str
    label_en: str
    status: Literal["inactive", "testing", "active"]
    environments: tuple[str, ...]
    transport: Annotated[Hj212TcpSettings | HttpsJsonSettings, Field(discriminator="type")]
    retry: Retry = Retry()
    rate: Rate = Rate()
    batch: int = Field(default=16, ge=1)  # submissions under way at once
    order: Order = Order()
    expire: Expiry = Expiry()

    @model_validator(mode="after")
    def _refuse_unordered_sequences(self) -> Self:
        if self.transport.type == "https_json" and self.order.window != 1:
            msg = "https_json numbers its reports one after the other: order.window must be 1"
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Refusal:
    """Why an endpoint gets nothing."""

    code: str
    reason_zh: str
    reason_en: str


def refusal_of(endpoint: EndpointSpec, environment: str, secrets: SiteSecrets) -> Refusal | None:
    """Why `endpoint` gets nothing in `environment`, or None when it may be addressed."""
    if endpoint.status != "active":
        return Refusal(
            f"status_{endpoint.status}",
            f"接收端 {endpoint.endpoint_id} 的状态是 {endpoint.status}，只有 active 才发送",
            f"endpoint {endpoint.endpoint_id} has status {endpoint.status}; only an active one gets reports",
        )
    if environment not in endpoint.environments:
        listed = ", ".join(endpoint.environments) or "none"
        return Refusal(
            "environment_not_listed",
            f"接收端 {endpoint.endpoint_id} 只允许环境 {listed}，当前环境是 {environment}",
            f"endpoint {endpoint.endpoint_id} lists environments {listed}; this one is {environment}",
        )
    for name in endpoint.transport.secret_names:
        try:
            secrets.read(name)
        except ExportError as error:
            return Refusal(
                f"secret_{name}", f"接收端 {endpoint.endpoint_id} 的凭据不可用：{error}", str(error)
            )
    return None


def load_endpoints(
    site_folder: Path | None, product_folder: Path = PRODUCT_ENDPOINTS
) -> dict[str, EndpointSpec]:
    """Every endpoint of the product and the site, by id; all faulty files are named in one error.

    Raises:
        SpecError: a file is no mapping, is named otherwise than its `endpoint_id`, or cannot be followed.
    """
    merged: dict[str, dict[str, Any]] = {}
    for folder in (product_folder, site_folder):
        for path in sorted(folder.glob("*.yml")) if folder else ():
            merged[path.stem] = _laid_over(merged.get(path.stem, {}), _read_mapping(path))
    endpoints: dict[str, EndpointSpec] = {}
    faults: list[str] = []
    for stem, declared in merged.items():
        try:
            endpoints[stem] = EndpointSpec.model_validate(declared)
        except ValidationError as error:
            faults += [f"{stem}.yml: {_told(found)}" for found in error.errors()]
        if declared.get("endpoint_id") != stem:
            faults.append(
                f"{stem}.yml: endpoint_id is {declared.get('endpoint_id')!r}; expected the file's name"
            )
    if faults:
        msg = "endpoints cannot be read; correct these files:\n" + "\n".join(faults)
        raise SpecError(msg)
    return endpoints


def _told(fault: ErrorDetails) -> str:
    """One fault of a file: the key, what is wrong with it, what was found."""
    key = ".".join(map(str, fault["loc"])) or "file"
    found = "" if fault["type"] in ("missing", "extra_forbidden") else f", found {fault['input']!r}"
    return f"{key}: {fault['msg']}{found}"


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        msg = f"{path}: not readable as YAML: {error}; correct the file"
        raise SpecError(msg) from error
    if not isinstance(found, dict):
        msg = f"{path}: expected a mapping of endpoint settings, found {type(found).__name__}"
        raise SpecError(msg)
    return found


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            merged[key] = _laid_over(under, value)
        else:
            merged[key] = value
    return merged
