"""Security of a session: which policy, and which of the server's endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.crypto.security_policies import (
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
    SecurityPolicyNone,
)

from ingestion.collector.trust import TrustError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingestion.collector.settings import SecuritySettings

POLICIES = {
    "Basic256Sha256": SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": SecurityPolicyAes256Sha256RsaPss,
    "None": SecurityPolicyNone,
}


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
