"""The signed heartbeat of a sender: what it has sent, so that silence is told from idleness.

One small JSON object, replaced in place (`heartbeat.<collector_id>.json`) in a file drop, and a record of its
own on the UDP link. It says up to which number each stream was sent, so that the last segment of a stream is
missed even when no later one comes, and what still waits, so that a number on its way is not taken for lost.

    HeartbeatError  it is none, or not signed by the expected key
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature

from protocols.gateway_datagrams import COLLECTOR_ID
from protocols.segment_manifest import STREAM_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT_VERSION = 1
LIMIT_BYTES = 256 * 1024
FILE_NAME = re.compile(r"heartbeat\.([a-z][a-z0-9_]{0,62})\.json")
MAX_WAITING_RANGES = 32


class HeartbeatError(ValueError):
    """It is no heartbeat, or not signed by the expected key."""


@dataclass(frozen=True)
class StreamSent:
    """How far one stream was sent.

    Attributes:
        first: the lowest number this sender may still send.
        last: the highest number sent.
        waiting: ranges at or below `last` that are not sent yet and will be.
    """

    first: int
    last: int
    waiting: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class PairBeat:
    """What a collector of a pair says of itself and the other one.

    Attributes:
        is_main: whether it is the main one by its settings.
        is_active: whether it collects now.
        epoch: of its last activation; the higher one of two holds.
        peer_is_heard: whether it hears the other one.
    """

    is_main: bool
    is_active: bool
    epoch: int
    peer_is_heard: bool


@dataclass(frozen=True)
class Heartbeat:
    """A sender's sign of life.

    Attributes:
        collector_id: who sends.
        transport: `file_drop` or `udp`.
        number: counts up; nanoseconds of the sender's clock, so that a restart goes on above.
        sent_at_real_utc: the sender's machine time, ISO 8601.
        every_s: when the next one is to be expected.
        streams: how far each stream was sent.
        backlog_segments: sealed and not sent yet.
        pair: of a collector of a pair; older senders and single ones have none.
    """

    collector_id: str
    transport: str
    number: int
    sent_at_real_utc: str
    every_s: float
    backlog_segments: int
    streams: Mapping[str, StreamSent] = field(default_factory=dict)
    pair: PairBeat | None = None

    @property
    def sent_at(self) -> datetime:
        """The sender's machine time."""
        return datetime.fromisoformat(self.sent_at_real_utc)


def file_name(collector_id: str) -> str:
    """What the heartbeat of a collector is called in a file drop."""
    return f"heartbeat.{collector_id}.json"


def write_heartbeat(heartbeat: Heartbeat, sign_key: Ed25519PrivateKey) -> bytes:
    """The signed JSON of a heartbeat."""
    fields = {
        "format_version": FORMAT_VERSION,
        "collector_id": heartbeat.collector_id,
        "transport": heartbeat.transport,
        "number": heartbeat.number,
        "sent_at_real_utc": heartbeat.sent_at_real_utc,
        "every_s": heartbeat.every_s,
        "backlog_segments": heartbeat.backlog_segments,
        "streams": {
            name: [sent.first, sent.last, [list(pair) for pair in sent.waiting]]
            for name, sent in heartbeat.streams.items()
        },
    }
    if heartbeat.pair is not None:
        fields["pair"] = asdict(heartbeat.pair)
    signature = base64.b64encode(sign_key.sign(_canonical(fields))).decode()
    return _canonical({**fields, "signature": signature})


def read_heartbeat(data: bytes, verify_key: Ed25519PublicKey) -> Heartbeat:
    """The heartbeat that the expected key signed.

    Raises:
        HeartbeatError: it is none.
    """
    if len(data) > LIMIT_BYTES:
        msg = f"reading a heartbeat of {len(data)} bytes: expected at most {LIMIT_BYTES}"
        raise HeartbeatError(msg)
    try:
        fields: dict[str, Any] = json.loads(data)
        signature = base64.b64decode(fields.pop("signature"), validate=True)
        verify_key.verify(signature, _canonical(fields))
        if fields["format_version"] != FORMAT_VERSION:
            msg = f"format_version is {fields['format_version']!r}; upgrade the receiving side first"
            raise HeartbeatError(msg)
        return _heartbeat_of(fields)
    except InvalidSignature as error:
        msg = "reading a heartbeat: not signed by the expected gateway key"
        raise HeartbeatError(msg) from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        msg = f"reading a heartbeat: {error}; expected the signed JSON that the sender writes"
        raise HeartbeatError(msg) from error


def _heartbeat_of(fields: dict[str, Any]) -> Heartbeat:
    streams = {
        str(name): StreamSent(int(first), int(last), tuple((int(a), int(b)) for a, b in waiting))
        for name, (first, last, waiting) in fields["streams"].items()
    }
    found = Heartbeat(
        collector_id=str(fields["collector_id"]),
        transport=str(fields["transport"]),
        number=int(fields["number"]),
        sent_at_real_utc=str(fields["sent_at_real_utc"]),
        every_s=float(fields["every_s"]),
        backlog_segments=int(fields["backlog_segments"]),
        streams=streams,
        pair=_pair_of(fields["pair"]) if "pair" in fields else None,
    )
    is_sane = (
        COLLECTOR_ID.fullmatch(found.collector_id) is not None
        and found.sent_at.tzinfo is not None
        and all(STREAM_NAME.fullmatch(name) for name in streams)
        and all(sent.first > 0 and 0 <= sent.last < 10**12 for sent in streams.values())
    )
    if not is_sane:
        msg = f"found {fields!r}"
        raise ValueError(msg)
    return found


def _pair_of(found: dict[str, Any]) -> PairBeat:
    return PairBeat(
        is_main=bool(found["is_main"]),
        is_active=bool(found["is_active"]),
        epoch=int(found["epoch"]),
        peer_is_heard=bool(found["peer_is_heard"]),
    )


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
