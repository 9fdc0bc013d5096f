"""The content of a block: fragments of segments, and heartbeats.

A segment crosses as its manifest followed by its payload, cut where a block is full. Each fragment says where
it belongs, so a block is readable without any other: a lost one costs only what it held.

    BlockContentError  the content is no list of fragments
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.segment_manifest import MANIFEST_LIMIT_BYTES, STREAM_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENT_LIMIT_BYTES = 1024 * 1024 * 1024
_SEGMENT, _HEARTBEAT = 1, 2
_KIND = struct.Struct(">BI")
_HEAD = struct.Struct(">BQIQQ")  # stream's length, sequence, manifest bytes, total bytes, offset
FRAGMENT_OVERHEAD = _KIND.size + _HEAD.size + 128


class BlockContentError(ValueError):
    """The content of a block is no list of fragments."""


@dataclass(frozen=True)
class Fragment:
    """A piece of a segment: `data` stands at `offset` of manifest and payload, `total_bytes` together."""

    stream: str
    sequence: int
    manifest_bytes: int
    total_bytes: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class HeartbeatRecord:
    """A signed heartbeat, as `protocols.heartbeat` reads it."""

    data: bytes


def write_fragment(fragment: Fragment) -> bytes:
    """The bytes of a fragment within a block."""
    name = fragment.stream.encode("ascii")
    head = _HEAD.pack(
        len(name), fragment.sequence, fragment.manifest_bytes, fragment.total_bytes, fragment.offset
    )
    length = len(head) + len(name) + len(fragment.data)
    return b"".join((_KIND.pack(_SEGMENT, length), head, name, fragment.data))


def write_heartbeat_record(data: bytes) -> bytes:
    """The bytes of a heartbeat within a block."""
    return _KIND.pack(_HEARTBEAT, len(data)) + data


def read_records(content: bytes) -> Iterator[Fragment | HeartbeatRecord]:
    """The records of a block in order; kinds of a later version are passed over.

    Raises:
        BlockContentError: it is no such list.
    """
    at, view = 0, memoryview(content)  # so that a fragment is copied once
    while at < len(content):
        if at + _KIND.size > len(content):
            msg = f"reading a block: cut short at byte {at} of {len(content)}"
            raise BlockContentError(msg)
        kind, length = _KIND.unpack_from(content, at)
        at += _KIND.size
        record = view[at : at + length]
        if len(record) != length:
            msg = f"reading a block: a record of {length} bytes at {at} runs past the end {len(content)}"
            raise BlockContentError(msg)
        at += length
        if kind == _SEGMENT:
            yield _fragment(record)
        elif kind == _HEARTBEAT:
            yield HeartbeatRecord(bytes(record))


def _fragment(record: memoryview) -> Fragment:
    try:
        name_bytes, sequence, manifest_bytes, total_bytes, offset = _HEAD.unpack_from(record)
        stream = bytes(record[_HEAD.size : _HEAD.size + name_bytes]).decode("ascii")
    except (struct.error, UnicodeDecodeError) as error:
        msg = f"reading a fragment: {error}"
        raise BlockContentError(msg) from error
    data = bytes(record[_HEAD.size + name_bytes :])
    fragment = Fragment(stream, sequence, manifest_bytes, total_bytes, offset, data)
    is_sane = (
        STREAM_NAME.fullmatch(stream) is not None
        and 0 < sequence < 10**12
        and 0 < manifest_bytes <= MANIFEST_LIMIT_BYTES
        and manifest_bytes < total_bytes <= SEGMENT_LIMIT_BYTES
        and offset + len(fragment.data) <= total_bytes
    )
    if not is_sane:
        msg = (
            f"reading a fragment of {stream!r} {sequence}: {offset} + {len(fragment.data)} of {total_bytes} "
            f"bytes, manifest {manifest_bytes}; expected a stream's name and a piece within its segment"
        )
        raise BlockContentError(msg)
    return fragment
