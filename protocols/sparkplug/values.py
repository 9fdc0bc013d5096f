"""Values of Sparkplug's data types: signed numbers out of unsigned fields, arrays out of bytes (§6.4.16)."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from protocols.sparkplug.wire import SparkplugError, read_fields

# kind of the field that held it, and what it held
RawValue = tuple[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DataType(IntEnum):
    """Index of a data type."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTYSET = 20
    PROPERTYSETLIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


_KNOWN = frozenset(int(kind) for kind in DataType)
_SIGNED_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
_UNSIGNED_BITS = {DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64}
# struct's letters, little endian
_ARRAYS = {
    DataType.INT8_ARRAY: "b", DataType.INT16_ARRAY: "h", DataType.INT32_ARRAY: "i", DataType.INT64_ARRAY: "q",
    DataType.UINT8_ARRAY: "B", DataType.UINT16_ARRAY: "H", DataType.UINT32_ARRAY: "I",
    DataType.UINT64_ARRAY: "Q", DataType.FLOAT_ARRAY: "f", DataType.DOUBLE_ARRAY: "d",
    DataType.DATETIME_ARRAY: "Q",
}  # fmt: skip


def plain_value(raw: RawValue, datatype: int) -> Any:
    """A value as its type says: number, boolean, text, list or object. A date is ISO text in UTC.

    Raises:
        SparkplugError: what was sent is not of that type.
    """
    kind, value = raw
    if kind in ("int", "long"):
        return _integer(value, datatype)
    if kind == "bytes":
        return _from_bytes(value, datatype)
    return value


def _integer(value: int, datatype: int) -> Any:
    if datatype == DataType.DATETIME:
        return iso_of_ms(value)
    if datatype == DataType.BOOLEAN:
        return bool(value)
    bits = _SIGNED_BITS.get(DataType(datatype)) if datatype in _KNOWN else None
    if bits is not None:
        # Two's complement in an unsigned field; some senders fill 32 bits, some only the type's own.
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value
    bits = _UNSIGNED_BITS.get(DataType(datatype)) if datatype in _KNOWN else None
    return value if bits is None else value & ((1 << bits) - 1)


def _from_bytes(data: bytes, datatype: int) -> Any:
    if datatype == DataType.BOOLEAN_ARRAY:
        return _booleans(data)
    if datatype == DataType.STRING_ARRAY:
        return [part.decode("utf-8", "replace") for part in data.split(b"\0")[:-1]]
    letter = _ARRAYS.get(DataType(datatype)) if datatype in _KNOWN else None
    if letter is None:
        return base64.b64encode(data).decode()
    size = struct.calcsize(f"<{letter}")
    if len(data) % size:
        msg = f"reading a Sparkplug array: {len(data)} bytes are no multiple of {size}"
        raise SparkplugError(msg)
    values = list(struct.unpack(f"<{len(data) // size}{letter}", data))
    return [iso_of_ms(value) for value in values] if datatype == DataType.DATETIME_ARRAY else values


def _booleans(data: bytes) -> list[bool]:
    if len(data) < 4:
        msg = f"reading a Sparkplug array of booleans: {len(data)} bytes, expected a count of four"
        raise SparkplugError(msg)
    (count,) = struct.unpack("<I", data[:4])
    if count > 8 * (len(data) - 4):
        msg = f"reading a Sparkplug array of booleans: {count} in {len(data) - 4} bytes"
        raise SparkplugError(msg)
    return [bool(data[4 + index // 8] & (0x80 >> index % 8)) for index in range(count)]


def iso_of_ms(milliseconds: int) -> str:
    """Milliseconds since 1970 as ISO text in UTC.

    Raises:
        SparkplugError: the instant is beyond the calendar.
    """
    try:
        return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")
    except OverflowError as error:
        msg = f"reading a Sparkplug date: {milliseconds} ms since 1970 is beyond the calendar"
        raise SparkplugError(msg) from error


def read_packed(data: bytes) -> list[int]:
    """The numbers of a packed repeated field."""
    # A varint field's key before each number makes it a message that the field reader knows.
    found, position = [], 0
    while position < len(data):
        end = position
        while end < len(data) and data[end] & 0x80:
            end += 1
        ((_, _, value),) = read_fields(b"\x08" + data[position : end + 1])
        assert isinstance(value, int)
        found.append(value)
        position = end + 1
    return found
