"""Variants and service headers read one by one, from a far side that may lie.

asyncua decodes the elements; counts and lengths are checked here first, because its own buffer moves
backwards on a negative length and its own arrays are made as long as the sender claims. What a length
delimits and asyncua cannot read (a structure of an unknown or broken type) is kept as its bytes, so that one
tag never costs the others their values.

Layout: OPC UA Part 6 §5.2.2.16 (Variant), §5.2.2.15 (ExtensionObject), §5.2.2.17 (DataValue).
"""

from __future__ import annotations

import functools
import math
import struct
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua.ua_binary import from_binary, get_safe_type_hints, nodeid_from_binary, unpack_uatype

if TYPE_CHECKING:
    from collections.abc import Iterator

HAS_VALUE, HAS_STATUS, HAS_SOURCE, HAS_SERVER, HAS_SOURCE_PICO, HAS_SERVER_PICO = 1, 2, 4, 8, 16, 32
NULL, EXTENSION_OBJECT, DATA_VALUE, VARIANT, DIAGNOSTIC = 0, 22, 23, 24, 25
# Part 6 §5.1.5 asks decoders for at least 100 levels.
MAX_DEPTH = 100
_XML = 2
_UNKNOWN_LENGTH = b"\xff\xff\xff\xff"
_IS_ARRAY, _HAS_DIMENSIONS, _TYPE_BITS = 0x80, 0x40, 0x3F
_DIAGNOSTIC_NUMBERS = ((1, "SymbolicId"), (2, "NamespaceURI"), (8, "Locale"), (4, "LocalizedText"))
# A structure may hold these, whose arrays asyncua makes as long as the sender claims.
_UNBOUNDED = ("Variant", "DataValue", "ExtensionObject")
MALFORMED = (
    struct.error, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip


class BoundedBuffer(Buffer):
    """A buffer that only moves forward, and never past its end."""

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            NotEnoughData: there are fewer, or `size` is negative.
        """
        if size < 0:
            msg = f"a length of {size} bytes, expected 0 or more"
            raise NotEnoughData(msg)
        return bytes(super().read(size))

    def skip(self, size: int) -> None:
        """Pass the next bytes over; raises as `read` does."""
        self.read(size)

    def copy(self, size: int = -1) -> BoundedBuffer:
        """The same place again, the next `size` bytes of it."""
        return BoundedBuffer(self._data, self._cur_pos, min(size, self._size) if size >= 0 else self._size)


@contextmanager
def refuse_malformed(what: str) -> Iterator[None]:
    """Turn every way in which decoding can fail into `ua.UaError`, which a session treats as loss."""
    try:
        yield
    except MALFORMED as error:
        msg = f"the bytes are no {what}: {error!r}"
        raise ua.UaError(msg) from error


def read_int32(data: Buffer) -> int:
    """A signed 32-bit number."""
    return int(struct.unpack("<i", data.read(4))[0])


def read_uint32(data: Buffer) -> int:
    """An unsigned 32-bit number."""
    return int(struct.unpack("<I", data.read(4))[0])


def read_count(data: Buffer) -> int:
    """The length of an array, 0 for a null one, when that many elements of a byte can still follow.

    Raises:
        ua.UaError: they cannot.
    """
    count = read_int32(data)
    if not -1 <= count <= len(data):
        msg = f"an array claims {count} elements with {len(data)} bytes to come"
        raise ua.UaError(msg)
    return max(count, 0)


def read_byte_string(data: Buffer) -> bytes | None:
    """A ByteString, or the bytes of a String; None when it is null."""
    length = read_int32(data)
    return None if length == -1 else data.read(length)


def read_response_header(data: Buffer) -> None:
    """Pass a ResponseHeader over.

    Raises:
        ua.UaStatusCodeError: it says that the service failed.
    """
    data.skip(12)
    status = read_uint32(data)
    _read_diagnostic(data, 0)
    for _ in range(read_count(data)):
        read_byte_string(data)
    read_extension_body(data)
    ua.StatusCode(status).check()


def read_extension_body(data: Buffer) -> tuple[Any, bytes | None]:
    """The type id and the bytes of an ExtensionObject."""
    kind = nodeid_from_binary(data)
    encoding = data.read(1)[0]
    return kind, read_byte_string(data) if encoding else None


def read_variant(data: BoundedBuffer, depth: int = 0) -> ua.Variant:
    """One Variant, whatever it holds.

    Raises:
        ua.UaError, ValueError, struct.error: it cannot be read; see `refuse_malformed`.
    """
    _require_depth(depth)
    encoding = data.read(1)[0]
    kind = ua.datatype_to_varianttype(encoding & _TYPE_BITS)
    if not encoding & _IS_ARRAY:
        value = _read_scalar(kind, data, depth)
        dimensions = _read_dimensions(data) if encoding & _HAS_DIMENSIONS else None
        return ua.Variant(value, kind, dimensions, is_array=False)
    is_null = data.copy(4).read(4) == _UNKNOWN_LENGTH
    flat = [_read_scalar(kind, data, depth) for _ in range(read_count(data))]
    dimensions = _read_dimensions(data) if encoding & _HAS_DIMENSIONS else None
    value = None if is_null else _reshape(flat, dimensions)
    return ua.Variant(value, kind, dimensions, is_array=True)


def _read_scalar(kind: Any, data: BoundedBuffer, depth: int) -> Any:
    if kind.value == VARIANT:
        return read_variant(data, depth + 1)
    if kind.value == DATA_VALUE:
        return _read_data_value(data, depth + 1)
    if kind.value == DIAGNOSTIC:
        return _read_diagnostic(data, depth + 1)
    if kind.value == EXTENSION_OBJECT:
        return _read_structure(data)
    return unpack_uatype(kind, data)


def _read_data_value(data: BoundedBuffer, depth: int) -> ua.DataValue:
    mask = data.read(1)[0]
    value = ua.DataValue(read_variant(data, depth) if mask & HAS_VALUE else None)
    status = ua.StatusCode(read_uint32(data) if mask & HAS_STATUS else 0)  # left out it is Good
    source, source_pico = _read_time(data, mask & HAS_SOURCE, mask & HAS_SOURCE_PICO)
    server, server_pico = _read_time(data, mask & HAS_SERVER, mask & HAS_SERVER_PICO)
    return ua.DataValue(value.Value, status, source, server, source_pico, server_pico)


def _read_time(data: BoundedBuffer, has_time: int, has_pico: int) -> tuple[Any, Any]:
    """An instant and its picoseconds, which follow it at once; asyncua expects both instants first."""
    at = unpack_uatype(ua.VariantType.DateTime, data) if has_time else None
    return at, unpack_uatype(ua.VariantType.UInt16, data) if has_pico else None


def _read_diagnostic(data: Buffer, depth: int) -> ua.DiagnosticInfo:
    """Part 6 §5.2.2.12; asyncua takes the inner one for an ExtensionObject."""
    _require_depth(depth)
    mask = data.read(1)[0]
    numbers = {name: read_int32(data) for bit, name in _DIAGNOSTIC_NUMBERS if mask & bit}
    text = read_byte_string(data) if mask & 0x10 else None
    status = ua.StatusCode(read_uint32(data)) if mask & 0x20 else None
    inner = _read_diagnostic(data, depth + 1) if mask & 0x40 else None
    shown = None if text is None else text.decode(errors="backslashreplace")
    return ua.DiagnosticInfo(
        **numbers, AdditionalInfo=shown, InnerStatusCode=status, InnerDiagnosticInfo=inner
    )


def _require_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        msg = f"a value nests more than {MAX_DEPTH} levels"
        raise ua.UaError(msg)


def _read_dimensions(data: Buffer) -> list[int]:
    return [read_int32(data) for _ in range(read_count(data))]


def _reshape(flat: list[Any], dimensions: list[int] | None) -> list[Any]:
    """The matrix, or the flat list when the dimensions do not fit it: nothing of it is lost either way."""
    if not dimensions or min(dimensions) < 1 or math.prod(dimensions) != len(flat):
        return flat
    for size in reversed(dimensions[1:]):
        flat = [flat[begin : begin + size] for begin in range(0, len(flat), size)]
    return flat


def _read_structure(data: BoundedBuffer) -> Any:
    """A structure of a known type, else its type and bytes."""
    kind = nodeid_from_binary(data)
    encoding = data.read(1)[0]
    if encoding > _XML:
        msg = f"a structure encoded as {encoding}, expected 0 (none), 1 (binary) or 2 (XML)"
        raise ua.UaError(msg)
    known = ua.extension_objects_by_typeid.get(kind) if encoding != _XML else None
    if encoding and kind.Identifier != 0 and data.copy(4).read(4) == _UNKNOWN_LENGTH:
        # Old servers leave the length out: where such a structure ends, only its type can tell.
        if known is None or not _is_bounded(known):
            msg = f"a structure of type {kind.to_string()} without its length"
            raise ua.UaError(msg)
        data.skip(4)
        return from_binary(known, data)
    body = read_byte_string(data) if encoding else None
    if known is not None and body is not None and _is_bounded(known):
        try:
            with refuse_malformed(known.__name__):
                return from_binary(known, BoundedBuffer(body))
        except ua.UaError:
            pass  # its length says where it ends: only this value is unreadable, and its bytes are kept
    return ua.ExtensionObject(kind, body)


@functools.cache
def _is_bounded(known: type) -> bool:
    """Whether every element of every list in a structure takes a byte at least."""
    seen: set[Any] = set()
    waiting: list[Any] = [known]
    while waiting:
        found = waiting.pop()
        if found in seen:
            continue
        seen.add(found)
        if getattr(found, "__name__", "") in _UNBOUNDED:
            return False
        waiting += getattr(found, "__args__", ())
        if isinstance(found, type) and is_dataclass(found):
            if not fields(found):
                return False
            waiting += get_safe_type_hints(found, {"ua": ua}).values()
    return True
