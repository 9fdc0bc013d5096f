"""What a site says of a system it has: how it is reached, in `systems/<system_id>.yml`.

The shape only; a secret is named, never written.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class StrictFile(BaseModel):
    """A file of a system: nothing in it is unknown, and it says whose it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1]
    system_id: str


class SftpSite(BaseModel):
    """A folder on an SFTP server whose files are fetched into the drop folder.

    Attributes:
        host: name or address of the server.
        port: where it listens.
        user: the account; reading rights are enough unless files are moved.
        folder: the remote folder.
        host_key: the server's public key (`ssh-ed25519 AAAA…`); any other key is refused.
        password_secret: name of the secret with the password, or
        key_secret: name of the secret with the private key in OpenSSH form.
        pattern: of the file names wanted, with * and ?.
        afterwards: whether a fetched file stays, or is moved away on the server.
        done_folder: where to, below `folder`.
        timeout_s: how long the server may stay silent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = Field(min_length=1)
    port: int = Field(default=22, ge=1, le=65535)
    user: str = Field(min_length=1)
    folder: str = "."
    host_key: str = Field(min_length=1)
    password_secret: str | None = None
    key_secret: str | None = None
    pattern: str = "*"
    afterwards: Literal["keep", "move"] = "keep"
    done_folder: str = Field(default="done", min_length=1)
    timeout_s: float = Field(default=30.0, gt=0, le=600)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.password_secret is None) == (self.key_secret is None):
            msg = "name one of password_secret and key_secret"
            raise ValueError(msg)
        return self


class BasicLogin(BaseModel):
    """User and password, as HTTP basic authentication has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    user: str = Field(min_length=1)
    password_secret: str


class ApiKey(BaseModel):
    """A key in a header of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    header: str = Field(default="X-API-Key", pattern=r"^[A-Za-z0-9-]+$")
    secret: str


class RestSite(BaseModel):
    """Where an HTTP interface answers and what it allows us.

    Attributes:
        base_url: what the paths of the contracts are added to.
        bearer_secret: name of the secret with a token; or `basic`, or `api_key`, or none of them.
        basic: user and password.
        api_key: a key in a header.
        ca_file: certificates of a private authority, within the site directory.
        requests_per_s: how often it may be asked.
        attempts: how often one page is asked for before the run gives up.
        timeout_s: how long an answer may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    base_url: str = Field(pattern=r"^https?://[^/@\s]+")
    bearer_secret: str | None = None
    basic: BasicLogin | None = None
    api_key: ApiKey | None = None
    ca_file: str | None = None
    requests_per_s: float = Field(default=5.0, gt=0, le=1000)
    attempts: int = Field(default=5, ge=1, le=20)
    timeout_s: float = Field(default=30.0, gt=0, le=600)

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if sum(one is not None for one in (self.bearer_secret, self.basic, self.api_key)) > 1:
            msg = "say only one of bearer_secret, basic and api_key"
            raise ValueError(msg)
        return self


class SiteFile(StrictFile):
    """How this site reaches a system.

    Attributes:
        secret: the name of the secret with the URL, whose scheme says which database it is.
        connections: how many the source allows us for reading one table (PostgreSQL).
        sftp: where the files of a drop folder are fetched from; people or programs drop them by default.
        rest: where an HTTP interface answers.
        events_secret: name of the secret that a system signs its events with.
    """

    secret: str | None = None
    connections: int = Field(default=1, ge=1, le=16)
    sftp: SftpSite | None = None
    rest: RestSite | None = None
    events_secret: str | None = None
