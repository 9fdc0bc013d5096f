"""Security of a session: which policy, which endpoint, and who logs in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.crypto.security_policies import (
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
    SecurityPolicyNone,
)
from cryptography import x509

from ingestion.collector.trust import TrustError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asyncua import Client

    from ingestion.collector.settings import SecuritySettings, UserSettings

POLICIES = {
    "Basic256Sha256": SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": SecurityPolicyAes256Sha256RsaPss,
    "None": SecurityPolicyNone,
}
# Days before the end of a certificate from which it is warned of.
WARN_DAYS = 30


@dataclass(frozen=True)
class Validity:
    """How long a certificate is good for."""

    not_after: datetime

    @property
    def days_left(self) -> float:
        """Days from now, by the machine's clock; negative once it is over."""
        return (self.not_after - datetime.now(UTC)).total_seconds() / 86400


def validity(certificate: bytes) -> Validity:
    """When a certificate (DER) ends."""
    return Validity(x509.load_der_x509_certificate(certificate).not_valid_after_utc)


def wanted_mode(security: SecuritySettings) -> ua.MessageSecurityMode:
    """The message mode of a connection."""
    return ua.MessageSecurityMode["None_" if security.policy == "None" else security.mode]


def choose_endpoint(
    endpoints: Sequence[ua.EndpointDescription], security: SecuritySettings, url: str
) -> ua.EndpointDescription:
    """The server's endpoint of the wanted policy and mode.

    Raises:
        TrustError: it offers none.
    """
    uri, mode = POLICIES[security.policy].URI, wanted_mode(security)
    for endpoint in endpoints:
        if endpoint.SecurityPolicyUri == uri and endpoint.SecurityMode == mode:
            return endpoint
    offered = sorted({f"{e.SecurityPolicyUri.rpartition('#')[2]}/{e.SecurityMode.name}" for e in endpoints})
    msg = (
        f"connecting to {url}: it offers {offered}, expected {security.policy}/{mode.name}; "
        "switch that endpoint on at the server or name another under security in collector.yml"
    )
    raise TrustError(msg)


async def log_in_as(client: Client, user: UserSettings | None) -> None:
    """Give the client the user that its next session is activated with.

    Raises:
        TrustError: the password or the certificate is not where the settings say.
    """
    if user is None:
        return
    if user.name is not None:
        client.set_user(user.name)
        client.set_password(_password(user))
        return
    assert user.certificate is not None
    assert user.private_key is not None
    try:
        await client.load_client_certificate(user.certificate)
        await client.load_private_key(user.private_key)
    except (OSError, ValueError) as error:
        msg = f"reading the user's certificate {user.certificate} and key {user.private_key}: {error}"
        raise TrustError(msg) from error


def _password(user: UserSettings) -> str:
    if user.password_env is not None:
        found = os.environ.get(user.password_env)
        if not found:
            msg = f"logging in as {user.name}: no {user.password_env} in the environment; set it"
            raise TrustError(msg)
        return found
    assert user.password_file is not None
    return _first_line(user.password_file, user.name)


def _first_line(path: Path, name: str | None) -> str:
    try:
        line = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        msg = f"logging in as {name}: {error}; expected the password on the first line of that file"
        raise TrustError(msg) from error
    if not line or not line[0]:
        msg = f"logging in as {name}: {path} is empty; expected the password on its first line"
        raise TrustError(msg)
    return line[0]
