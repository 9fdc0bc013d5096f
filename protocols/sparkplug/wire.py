"""Protocol Buffers as bytes: fields out of a message, without a schema compiler.

Only what Sparkplug B uses: varints, 32-bit, 64-bit and length-delimited fields. Groups are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MASK = 2**64 - 1

# number, wire type, varint or bytes
Field = tuple[int, int, "int | bytes"]


class SparkplugError(ValueError):
    """Bytes that are no Sparkplug B payload; the message says where."""


def read_fields(data: bytes) -> Iterator[Field]:
    """The fields of a message in their order.

    Raises:
        SparkplugError: the bytes end inside a field or a field has no known wire type.
    """
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        value: int | bytes
        if number == 0:
            msg = f"reading a Sparkplug payload: field number 0 at byte {position}"
            raise SparkplugError(msg)
        if wire_type == VARINT:
            value, position = _read_varint(data, position)
        else:
            length, position = _length(data, position, wire_type)
            value = data[position : position + length]
            position += length
            if position > len(data):
                msg = f"reading a Sparkplug payload: field {number} ends behind the last byte {len(data)}"
                raise SparkplugError(msg)
        yield number, wire_type, value


def _length(data: bytes, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == BYTES:
        return _read_varint(data, position)
    if wire_type == FIXED64:
        return 8, position
    if wire_type == FIXED32:
        return 4, position
    msg = f"reading a Sparkplug payload: wire type {wire_type} at byte {position} is none of Sparkplug's"
    raise SparkplugError(msg)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, position
    msg = f"reading a Sparkplug payload: no whole number at byte {position}"
    raise SparkplugError(msg)


def write_varint(value: int) -> bytes:
    """A number from 0 as a varint."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def write_field(number: int, value: int | bytes) -> bytes:
    """A varint field, or a length-delimited one."""
    if isinstance(value, int):
        return write_varint(number << 3 | VARINT) + write_varint(value)
    return write_varint(number << 3 | BYTES) + write_varint(len(value)) + value
