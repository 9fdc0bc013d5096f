"""Whether an event comes from who it says, and is of now: the Standard Webhooks scheme.

Signed is `<id>.<timestamp>.<body>` with HMAC-SHA256; `webhook-signature` holds one or more `v1,<base64>`, so
that a secret can be changed without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from ingestion.errors import PermanentError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
WINDOW_S = 300
_SECRET_PREFIX = "whsec_"  # noqa: S105 - how such secrets begin, no secret
_LONGEST_ID = 200


class RefusedEventError(Exception):
    """An event that is not believed; `status` is the HTTP answer."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


def signing_key(secret: str) -> bytes:
    """The key in a secret: `whsec_<base64>`, or any other text as it is.

    Raises:
        PermanentError: the secret is empty, or no base64 after its prefix.
    """
    try:
        coded = secret.removeprefix(_SECRET_PREFIX)
        key = base64.b64decode(coded, validate=True) if coded != secret else secret.encode()
    except binascii.Error as error:
        msg = f"a secret of events begins with {_SECRET_PREFIX} and goes on with no base64; correct it"
        raise PermanentError(msg) from error
    if not key:
        msg = "a secret of events is empty; anybody could sign with it"
        raise PermanentError(msg)
    return key


def sign(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """The value of the signature header."""
    digest = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verified_id(headers: Mapping[str, str], body: bytes, key: bytes, *, now_s: float) -> tuple[str, int]:
    """Id and timestamp of an event whose signature holds.

    Raises:
        RefusedEventError: a header is missing, the time is not of now, or the signature is another.
    """
    event_id, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not event_id or len(event_id) > _LONGEST_ID or not (timestamp.isascii() and timestamp.isdigit()):
        raise RefusedEventError(400, f"expected {ID} and {TIMESTAMP} (seconds since 1970)")
    expected = sign(key, event_id, timestamp, body).encode()
    given = headers.get(SIGNATURE, "").split(" ")
    if not any(hmac.compare_digest(expected, one.encode(errors="replace")) for one in given):
        raise RefusedEventError(401, f"{SIGNATURE} is not that of id, timestamp and body")
    if abs(now_s - int(timestamp)) > WINDOW_S:
        raise RefusedEventError(
            401, f"{TIMESTAMP} is not within {WINDOW_S} s of now; send again, signed anew"
        )
    return event_id, int(timestamp)
