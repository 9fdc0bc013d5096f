"""JSON over HTTPS: one POST a submission, signed with a shared key, acknowledged by a receipt.

A repeat carries the same idempotency key and the same body, so the receiver answers with the same receipt.
Not supported: client certificates, OAuth, proxies, redirects, bodies in several parts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from pathlib import Path
from typing import Any

import httpx

from exports.endpoints import HttpsJsonSettings
from exports.errors import CredentialsError, PermanentError, SpecError, TransientError, UnreachableError
from exports.render.park_json import with_sequence
from exports.transports.base import Delivery, DeliveryRequest

_LATER = {408, 429}
_WHO_ARE_YOU = {401, 403}
_NOT_HERE = {404, 405, 407, 410}


class HttpsJsonTransport:
    """A client of one JSON receiver.

    Args:
        settings: where it is and what it knows us by.
        hmac_key: the shared key.
        site_root: `ca_file` lies within it.
        timeout_s: how long to wait for an answer.
    """

    def __init__(
        self, settings: HttpsJsonSettings, *, hmac_key: str, site_root: Path, timeout_s: float
    ) -> None:
        self._settings = settings
        self._hmac_key = hmac_key.encode()
        self._client = httpx.AsyncClient(
            verify=_trusting(site_root / settings.ca_file), timeout=timeout_s, trust_env=False
        )

    async def open(self) -> None:
        """Nothing to do: connections are made when needed and kept by the client."""

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def deliver(self, request: DeliveryRequest) -> Delivery:
        """Post one submission.

        Raises:
            UnreachableError: no connection, or what answers is not the receiver (a redirect, 404, …).
            CredentialsError: 401 or 403.
            TransientError: 408, 429, 5xx, no answer, or another sequence number is expected.
            PermanentError: any other answer.
        """
        body = with_sequence(request.content, request.sequence)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": request.idempotency_key,
            "X-Signature": hmac.new(self._hmac_key, body, hashlib.sha256).hexdigest(),
        }
        try:
            response = await self._client.post(self._settings.url, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            msg = f"connecting to {self._settings.url}: {error!r}"
            raise UnreachableError(msg) from error
        except httpx.RequestError as error:
            msg = (
                f"posting {request.idempotency_key} to {self._settings.url}: no answer to be read: {error!r}"
            )
            raise TransientError(msg) from error
        return self._judge(request, response, hashlib.sha256(body).hexdigest())

    def _judge(self, request: DeliveryRequest, response: httpx.Response, wire_sha256: str) -> Delivery:
        told = (
            f"{request.idempotency_key}: {self._settings.url} answered {response.status_code} "
            f"{response.text[:300]!r}"
        )
        answer = _read_json(response)
        if response.status_code == httpx.codes.OK:
            if not isinstance(answer.get("receipt_id"), str):
                msg = f"{told}, which has no receipt_id; asking again"
                raise TransientError(msg, body=response.content)
            return Delivery(response.content, answer["receipt_id"], wire_sha256, sequence=request.sequence)
        if response.status_code in _WHO_ARE_YOU:
            msg = f"{told}: it does not accept our signature; check secret {self._settings.hmac_key_secret}"
            raise CredentialsError(msg, body=response.content)
        if response.is_redirect or response.status_code in _NOT_HERE:
            msg = f"{told}: that is not the receiver; check the endpoint's url and the proxies before it"
            raise UnreachableError(msg, body=response.content)
        if response.status_code in _LATER or response.is_server_error:
            raise TransientError(told, body=response.content)
        if response.status_code == httpx.codes.CONFLICT and isinstance(answer.get("expected_sequence"), int):
            expected = answer["expected_sequence"]
            msg = f"{told}: it expects number {expected}, got {request.sequence}"
            raise TransientError(msg, body=response.content, expected_sequence=expected)
        raise PermanentError(told, body=response.content)


def _read_json(response: httpx.Response) -> dict[str, Any]:
    """The answer's object; empty where it is none, because an error page may be anything."""
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _trusting(ca_file: Path) -> ssl.SSLContext:
    if not ca_file.is_file():
        msg = f"{ca_file}: the receiver is known by this certificate authority, and the file is not there"
        raise SpecError(msg)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except ssl.SSLError as error:
        msg = f"{ca_file}: {error}; expected the receiver's certificate authority as PEM"
        raise SpecError(msg) from error
