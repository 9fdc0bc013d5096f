"""The two datagrams of the UDP gateway: symbols of a block, and the signed index that vouches for them.

A symbol carries no proof of its own: 64 bytes of signature on each would cost more than the link. The sender
hashes every symbol of a block and signs lists of these hashes, some 150 to a datagram; the receiver admits a
symbol when its hash stands in a signed list, so a forged one never reaches the decoder. A hash is cut to 8
bytes: to forge a symbol an attacker needs a second preimage, 2^64 trials within the life of a block.

Layout, big endian. Both: magic "CG", version, kind, session u64, block u32. Symbol: symbol number u32, data.
Index: collector id (u8 length, text), lane u8, flags u8, ephemeral key 32 B if encrypted, content bytes u32,
symbols u32, SHA-256 of the content 32 B, first symbol u32, count u16, count hashes of 8 B, signature 64 B.

    DatagramError  the bytes are no datagram of the gateway, or not signed by the expected key
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from protocols.fec import (
    MAX_BLOCK_BYTES,
    PACKET_ID_BYTES,
    SYMBOL_BYTES,
    source_count,
    symbol_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAGIC, VERSION = b"CG", 1
SYMBOL, INDEX = 1, 2
PREFIX = struct.Struct(">2sBBQI")
MAX_DATAGRAM_BYTES = PREFIX.size + PACKET_ID_BYTES + SYMBOL_BYTES
DIGEST_BYTES = 8
MAX_SYMBOLS = 4 * (MAX_BLOCK_BYTES // SYMBOL_BYTES + 1)
COLLECTOR_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
LANES = ("heartbeat", "live", "ordered", "backlog", "repeat")

_FIXED = struct.Struct(">BB")
_SHAPE = struct.Struct(">II32sIH")
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_ENCRYPTED = 1


class DatagramError(ValueError):
    """The bytes are no datagram of the gateway, or not signed by the expected key."""


@dataclass(frozen=True)
class BlockIndex:
    """What one index datagram says of its block.

    Attributes:
        session: the sender's session; each start of a sender has a higher one.
        block: the block's number within the session, from 1.
        collector_id: who sends.
        lane: index into LANES.
        ephemeral_key: the session's X25519 public key; empty where the content is not encrypted.
        content_bytes: how long the content is, as it is cut into symbols.
        symbols: how many symbols were sent, repair included.
        sha256: of the content.
        first: number of the symbol whose hash is the first here.
        digests: the hashes, one after the other.
    """

    session: int
    block: int
    collector_id: str
    lane: int
    ephemeral_key: bytes
    content_bytes: int
    symbols: int
    sha256: bytes
    first: int
    digests: bytes

    @property
    def shape(self) -> tuple[object, ...]:
        """What every index of the same block says alike."""
        return (
            self.collector_id,
            self.lane,
            self.ephemeral_key,
            self.content_bytes,
            self.symbols,
            self.sha256,
        )


def packet_digest(packet: bytes | memoryview) -> bytes:
    """The hash of a numbered symbol, as an index lists it."""
    return hashlib.sha256(packet).digest()[:DIGEST_BYTES]


def prefix(kind: int, session: int, block: int) -> bytes:
    """The first bytes of every datagram."""
    return PREFIX.pack(MAGIC, VERSION, kind, session, block)


def digests_per_index(collector_id: str, *, is_encrypted: bool) -> int:
    """How many hashes fit in one index datagram."""
    overhead = PREFIX.size + 1 + len(collector_id) + _FIXED.size + _SHAPE.size + _SIGNATURE_BYTES
    overhead += _KEY_BYTES if is_encrypted else 0
    return (MAX_DATAGRAM_BYTES - overhead) // DIGEST_BYTES


def write_index(index: BlockIndex, sign_key: Ed25519PrivateKey) -> bytes:
    """The signed datagram of an index."""
    name = index.collector_id.encode("ascii")
    flags = _ENCRYPTED if index.ephemeral_key else 0
    count = len(index.digests) // DIGEST_BYTES
    body = b"".join(
        (
            prefix(INDEX, index.session, index.block),
            bytes([len(name)]),
            name,
            _FIXED.pack(index.lane, flags),
            index.ephemeral_key,
            _SHAPE.pack(index.content_bytes, index.symbols, index.sha256, index.first, count),
            index.digests,
        )
    )
    return body + sign_key.sign(body)


def write_indexes(whole: BlockIndex, packets: Sequence[bytes], sign_key: Ed25519PrivateKey) -> list[bytes]:
    """The index datagrams of a block's packets.

    Args:
        whole: what they say alike; its `first` and `digests` are not looked at.
        packets: every packet of the block, in order.
        sign_key: the control zone's gateway key.
    """
    step = digests_per_index(whole.collector_id, is_encrypted=bool(whole.ephemeral_key))
    found = []
    for first in range(0, len(packets), step):
        digests = b"".join([packet_digest(packet) for packet in packets[first : first + step]])
        index = BlockIndex(
            whole.session,
            whole.block,
            whole.collector_id,
            whole.lane,
            whole.ephemeral_key,
            whole.content_bytes,
            whole.symbols,
            whole.sha256,
            first,
            digests,
        )
        found.append(write_index(index, sign_key))
    return found


def read_index(datagram: bytes, verify_key: Ed25519PublicKey) -> BlockIndex:
    """The index in a datagram that the expected key signed. The signature is looked at before the content.

    Raises:
        DatagramError: it is none.
    """
    if not PREFIX.size + _SIGNATURE_BYTES < len(datagram) <= MAX_DATAGRAM_BYTES:
        msg = f"reading an index of {len(datagram)} bytes: expected at most {MAX_DATAGRAM_BYTES}"
        raise DatagramError(msg)
    body, signature = datagram[:-_SIGNATURE_BYTES], datagram[-_SIGNATURE_BYTES:]
    try:
        verify_key.verify(signature, body)
    except InvalidSignature as error:
        msg = "reading an index: not signed by the expected gateway key"
        raise DatagramError(msg) from error
    try:
        index = _parse(body)
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        msg = f"reading an index: {error}; expected the layout of version {VERSION}"
        raise DatagramError(msg) from error
    _require_sane(index)
    return index


def _parse(body: bytes) -> BlockIndex:
    magic, version, kind, session, block = PREFIX.unpack_from(body)
    if (magic, version, kind) != (MAGIC, VERSION, INDEX):
        msg = f"reading an index: found {magic!r} version {version} kind {kind}; upgrade the receiver first"
        raise DatagramError(msg)
    at = PREFIX.size
    length = body[at]
    name = body[at + 1 : at + 1 + length].decode("ascii")
    at += 1 + length
    lane, flags = _FIXED.unpack_from(body, at)
    at += _FIXED.size
    key = body[at : at + _KEY_BYTES] if flags & _ENCRYPTED else b""
    at += len(key)
    content_bytes, symbols, sha256, first, count = _SHAPE.unpack_from(body, at)
    digests = body[at + _SHAPE.size :]
    if len(digests) != count * DIGEST_BYTES or (flags & _ENCRYPTED and len(key) != _KEY_BYTES):
        msg = f"reading an index: {count} hashes announced, {len(digests)} bytes of them found"
        raise DatagramError(msg)
    return BlockIndex(session, block, name, lane, key, content_bytes, symbols, sha256, first, digests)


def _require_sane(index: BlockIndex) -> None:
    """Bounds that hold for every block of ours, so that a number in it never becomes memory."""
    count = len(index.digests) // DIGEST_BYTES
    is_sane = (
        COLLECTOR_ID.fullmatch(index.collector_id) is not None
        and index.lane < len(LANES)
        and 0 < index.content_bytes <= MAX_BLOCK_BYTES
        and source_count(index.content_bytes) <= index.symbols <= MAX_SYMBOLS
        and count > 0
        and index.first + count <= index.symbols
        and index.block > 0
    )
    if not is_sane:
        msg = f"reading an index: {index.shape!r} from symbol {index.first} is no block of this version"
        raise DatagramError(msg)


def packet_bytes(content_bytes: int) -> int:
    """How long each numbered symbol of a block is."""
    return PACKET_ID_BYTES + symbol_bytes(content_bytes)
