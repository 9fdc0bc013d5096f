"""One request and the bytes of its answer, over asyncua's session and channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingestion.collector.variants import refuse_malformed

if TYPE_CHECKING:
    from asyncua import Client
    from asyncua.common.utils import Buffer


async def ask(client: Client, request: Any, what: str, timeout_s: float | None = None) -> Buffer:
    """The answer to a request, undecoded.

    Args:
        client: a connected one.
        request: any service's.
        what: names the service in messages.
        timeout_s: how long to wait; none is the client's own, 0 for ever.

    Raises:
        ua.UaStatusCodeError: the service failed.
        ua.UaError: the answer's head cannot be read.
        OSError, TimeoutError: the connection failed, or there was no answer in time.
    """
    protocol = client.uaclient.protocol
    if protocol is None:
        msg = f"{what}: the connection is closed"
        raise ConnectionError(msg)
    with refuse_malformed(f"answer to {what}"):
        return await protocol.send_request(request, timeout_s)
