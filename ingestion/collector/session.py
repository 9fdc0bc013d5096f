"""One secured session with one OPC UA server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from ingestion.collector.trust import TrustError, application_uri, require_trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ingestion.collector.settings import CollectorSettings, ServerSettings

# asyncua's watchdog drops a connection that is busy with a large history read; ours watches the publishing.
_WATCHDOG_S = 60.0


class SessionLostError(ConnectionError):
    """The connection ended, or the server stopped publishing."""


@dataclass(frozen=True)
class Session:
    """A connected client, the server's namespaces, and an event that is set when the connection is lost."""

    client: Client
    namespaces: tuple[str, ...]
    lost: asyncio.Event


@asynccontextmanager
async def open_session(server: ServerSettings, settings: CollectorSettings) -> AsyncIterator[Session]:
    """Connect with Basic256Sha256, SignAndEncrypt, to a server whose certificate is trusted.

    Raises:
        TrustError: the server's certificate is not trusted, or it offers no such endpoint.
        OSError, asyncio.TimeoutError, ua.UaError: it cannot be reached or refuses.
    """
    client = Client(server.url, timeout=settings.request_timeout_s, watchdog_intervall=_WATCHDOG_S)
    client.name = client.description = f"chemlink collector {settings.collector_id}"
    client.application_uri = application_uri(settings.pki.certificate)
    certificate = await _server_certificate(client, server)
    require_trusted(certificate, settings.pki.trusted_dir, settings.pki.rejected_dir, server.url)
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        settings.pki.certificate,
        settings.pki.private_key,
        server_certificate=certificate,
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    lost = asyncio.Event()

    async def on_lost(_: Exception) -> None:
        lost.set()

    client.connection_lost_callback = on_lost
    await client.connect()
    try:
        namespaces = tuple(await client.get_namespace_array())
        yield Session(client, namespaces, lost)
    finally:
        await _close(client)


async def _server_certificate(client: Client, server: ServerSettings) -> bytes:
    endpoints = await client.connect_and_get_server_endpoints()
    for endpoint in endpoints:
        is_wanted = (
            endpoint.SecurityPolicyUri == SecurityPolicyBasic256Sha256.URI
            and endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
        )
        if is_wanted and endpoint.ServerCertificate:
            return _first_of_chain(endpoint.ServerCertificate)
    offered = sorted({f"{e.SecurityPolicyUri.rpartition('#')[2]}/{e.SecurityMode.name}" for e in endpoints})
    msg = (
        f"connecting to {server.url}: it offers {offered}, expected Basic256Sha256/SignAndEncrypt; "
        "switch that endpoint on at the server"
    )
    raise TrustError(msg)


def _first_of_chain(certificates: bytes) -> bytes:
    # DER: 30 82 and two bytes of length; a chain is one certificate after another.
    length = int.from_bytes(certificates[2:4], "big") + 4
    return certificates[:length] if certificates[:2] == b"\x30\x82" else certificates


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(5):
            await client.disconnect()
    except (OSError, TimeoutError, ua.UaError):
        client.disconnect_socket()  # the far side is gone already; there is nobody left to say goodbye to
