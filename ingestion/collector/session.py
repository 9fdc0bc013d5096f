"""One secured session with one OPC UA server, resumed where the server still has the last one."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import Client, ua

from ingestion.collector.expiry import validity
from ingestion.collector.limits import ServerLimits, read_limits
from ingestion.collector.own_subscriptions import OwnSubscriptions, server_started
from ingestion.collector.security import POLICIES, choose_endpoint, wanted_mode
from ingestion.collector.trust import application_uri, require_trusted
from ingestion.collector.user_login import log_in_as, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ingestion.collector.expiry import Validity
    from ingestion.collector.settings import CollectorSettings, ServerSettings

# asyncua's watchdog drops a connection that is busy with a large history read; ours watches the publishing.
_WATCHDOG_S = 60.0
# How long a server is asked to keep a session whose connection is gone.
SESSION_TIMEOUT_MS = 120_000
_SESSION_GONE = frozenset(
    (
        ua.StatusCodes.BadSessionIdInvalid,
        ua.StatusCodes.BadSessionClosed,
        ua.StatusCodes.BadSessionNotActivated,
        ua.StatusCodes.BadSecureChannelIdInvalid,
        ua.StatusCodes.BadSecureChannelClosed,
        ua.StatusCodes.BadNoSubscription,
        ua.StatusCodes.BadSubscriptionIdInvalid,
        ua.StatusCodes.BadServerHalted,
        ua.StatusCodes.BadShutdown,
    )
)


class SessionLostError(ConnectionError):
    """The connection ended, or the server stopped publishing."""


class SessionDroppedError(ConnectionError):
    """The session is ended on purpose: the server is left for a better one, or its namespaces changed."""


def raise_if_gone(error: ua.UaStatusCodeError) -> None:
    """Do nothing unless an answer means that the session is of no more use.

    Raises:
        SessionLostError: it is gone, its subscription or the server.
    """
    if error.code in _SESSION_GONE:
        msg = f"the server no longer knows session or subscription: {type(error).__name__}"
        raise SessionLostError(msg) from error


@dataclass(frozen=True)
class Session:
    """A connected client and what was learned while connecting.

    Attributes:
        lost: set when the connection is lost.
        is_resumed: whether the server still had the last session, and with it its subscriptions.
        certificate: how long the server's is good for; none without security.
        own: our subscriptions at this server.
    """

    client: Client
    url: str
    namespaces: tuple[str, ...]
    limits: ServerLimits
    lost: asyncio.Event
    is_resumed: bool
    certificate: Validity | None
    own: OwnSubscriptions


@asynccontextmanager
async def open_session(
    server: ServerSettings, settings: CollectorSettings, url: str, token_path: Path
) -> AsyncIterator[Session]:
    """Connect as the settings say, to a server whose certificate is trusted.

    A session that is lost is left as it is at the server and its token kept, so that the next call can
    activate it on a new channel (Part 4 §6.7); one that is left in any other way is closed.

    Args:
        server: how it is secured, and who logs in.
        settings: own keys and patience.
        url: which of the server's addresses.
        token_path: where the token of the session is kept; the ids of its subscriptions lie beside it.

    Raises:
        TrustError: the server's certificate is not trusted, or it offers no such endpoint.
        LoginError: the server does not let our user in, or password or key cannot be used.
        OSError, asyncio.TimeoutError, ua.UaError: it cannot be reached or refuses.
    """
    client = Client(url, timeout=settings.request_timeout_s, watchdog_intervall=_WATCHDOG_S)
    client.name = client.description = f"chemlink collector {settings.collector_id}"
    client.session_timeout = SESSION_TIMEOUT_MS
    client.session_state_path = token_path
    certificate = await secure(client, server, settings, url)
    lost = asyncio.Event()

    async def on_lost(_: Exception) -> None:
        lost.set()

    client.connection_lost_callback = on_lost
    former = _token(token_path)
    try:
        await client.connect()
    except BaseException as error:
        client.disconnect_socket()
        told = refusal(error, server.user, url) if isinstance(error, ua.UaStatusCodeError) else None
        if told is not None:
            raise told from error
        raise
    try:
        is_resumed = former is not None and client.uaclient.session.authentication_token.to_string() == former
        namespaces = tuple(await client.get_namespace_array())
        limits = await read_limits(client)
        started = await server_started(client)
        beside = token_path.with_name(f"{token_path.stem}.subscriptions.json")
        own = OwnSubscriptions(beside, client, started, is_resumed=is_resumed)
        yield Session(client, url, namespaces, limits, lost, is_resumed, certificate, own)
    except (asyncio.CancelledError, SessionDroppedError):
        await _close(client)
        raise
    except BaseException as error:
        if _is_drop(error) or _is_full(error):
            await _close(client)
        else:
            _leave(client)
        raise
    else:
        await _close(client)


async def secure(
    client: Client, server: ServerSettings, settings: CollectorSettings, url: str
) -> Validity | None:
    """Give a client that is not connected yet the security and the user that the settings say.

    Returns:
        How long the server's certificate is good for; none without security.

    Raises:
        TrustError, LoginError: as `open_session`.
    """
    client.application_uri = application_uri(settings.pki.certificate)
    endpoint = choose_endpoint(await client.connect_and_get_server_endpoints(), server.security, url)
    # A resumed session is not told again which user tokens there are.
    client._policy_ids = endpoint.UserIdentityTokens
    found = None
    if server.security.policy != "None":
        certificate = _first_of_chain(endpoint.ServerCertificate or b"")
        require_trusted(certificate, settings.pki.trusted_dir, settings.pki.rejected_dir, url)
        await client.set_security(
            POLICIES[server.security.policy],
            settings.pki.certificate,
            settings.pki.private_key,
            server_certificate=certificate,
            mode=wanted_mode(server.security),
        )
        found = validity(certificate)
    log_in_as(client, server.user, is_plain_text_allowed=server.security.allow_plain_text)
    return found


def _first_of_chain(certificates: bytes) -> bytes:
    # DER: 30 82 and two bytes of length; a chain is one certificate after another.
    length = int.from_bytes(certificates[2:4], "big") + 4
    return certificates[:length] if certificates[:2] == b"\x30\x82" else certificates


def _token(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_bytes())["authentication_token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_drop(error: BaseException) -> bool:
    """Whether nothing but a dropped session lies in a group of errors."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_drop(inner) for inner in error.exceptions)
    return isinstance(error, SessionDroppedError | asyncio.CancelledError)


def _is_full(error: BaseException) -> bool:
    """Whether the server gives no subscription: one that nobody knows of ends with the session."""
    if isinstance(error, BaseExceptionGroup):
        return any(_is_full(inner) for inner in error.exceptions)
    return isinstance(error, ua.UaStatusCodeError) and error.code == ua.StatusCodes.BadTooManySubscriptions


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(5):
            await client.disconnect()
    except (OSError, TimeoutError, ua.UaError):
        client.disconnect_socket()  # the far side is gone already; there is nobody left to say goodbye to


def _leave(client: Client) -> None:
    """Drop the connection and say nothing to the server, which keeps the session for a while."""
    client.uaclient.request_disconnect()
    for task in (client._stale_watchdog_task, client._supervisor_task, client._renew_channel_task):
        if task is not None:
            task.cancel()
    client.disconnect_socket()
