"""A HistoryRead answer from its bytes to columns, without a Python object a value.

asyncua's own decoder makes five objects of each value. Here a page whose values are alike (one scalar type,
one set of fields) is read as one NumPy record array; any other page value by value.

Layout: OPC UA Part 6 §5.2.2.17 (DataValue) and Part 4 §5.11.3 (HistoryRead).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, variant_from_binary

from ingestion.collector.points import NO_TICKS, Page, join_pages
from ingestion.collector.values import split_value

NULL = 0
HAS_VALUE, HAS_STATUS, HAS_SOURCE, HAS_SERVER, HAS_SOURCE_PICO, HAS_SERVER_PICO = 1, 2, 4, 8, 16, 32
# Variant type of a scalar: its NumPy form
_SCALARS = {
    1: "?", 2: "<i1", 3: "<u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8",
    10: "<f4", 11: "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class HistoryAnswer:
    """What a server says about one node: a status, values, and where to go on (empty: nowhere)."""

    status: int
    continuation_point: bytes
    page: Page


def read_answer(data: Buffer) -> HistoryAnswer:
    """The one result of a HistoryRead of one node.

    Raises:
        ua.UaStatusCodeError: the service itself failed.
        ua.UaError: the bytes are no such answer.
    """
    nodeid_from_binary(data)
    header = struct_from_binary(ua.ResponseHeader, data)
    header.ServiceResult.check()
    count = _int32(data)
    if count != 1:
        msg = f"HistoryRead of one node answered {count} results, expected 1"
        raise ua.UaError(msg)
    (status,) = struct.unpack("<I", data.read(4))
    continuation_point = _bytes(data)
    return HistoryAnswer(status, continuation_point, _history_data(data))


def _history_data(data: Buffer) -> Page:
    kind = nodeid_from_binary(data)
    encoding = data.read(1)[0]
    body = _bytes(data) if encoding else b""
    if not body:
        return join_pages([])
    if kind.Identifier != ua.ObjectIds.HistoryData_Encoding_DefaultBinary:
        msg = f"HistoryRead answered {kind}, expected HistoryData"
        raise ua.UaError(msg)
    return read_values(body)


def read_values(body: bytes) -> Page:
    """The DataValues of a HistoryData body, its leading count included.

    Raises:
        ua.UaError: the body ends before its count is reached.
    """
    (left,) = struct.unpack_from("<i", body)
    position = 4
    parts: list[Page] = []
    while left > 0:
        layout = _layout(body, position)
        if layout is None:
            page, position = _read_singly(body, position, left)
        else:
            page, position = _read_run(body, position, left, layout)
        parts.append(page)
        left -= len(page)
    return join_pages(parts)


def _layout(body: bytes, position: int) -> np.dtype[Any] | None:
    """The record of the value at a position when its size is known beforehand."""
    if position + 1 >= len(body):
        return None  # reading it singly says what is missing
    mask, kind = body[position], body[position + 1]
    parts: list[tuple[str, str]] = [("mask", "u1")]
    if mask & (HAS_SOURCE_PICO | HAS_SERVER_PICO) or not mask & HAS_SOURCE:
        return None
    if mask & HAS_VALUE:
        if kind != NULL and kind not in _SCALARS:
            return None
        parts += [("kind", "u1")] if kind == NULL else [("kind", "u1"), ("value", _SCALARS[kind])]
    parts += [("status", "<u4")] if mask & HAS_STATUS else []
    parts += [("source", "<i8")]
    parts += [("server", "<i8")] if mask & HAS_SERVER else []
    return np.dtype(parts)


def _read_run(body: bytes, position: int, left: int, layout: np.dtype[Any]) -> tuple[Page, int]:
    """The values from a position on that are alike, and the position after them."""
    whole = min(left, (len(body) - position) // layout.itemsize)
    if not whole:
        msg = f"HistoryData ends after {len(body)} bytes with {left} values to come"
        raise ua.UaError(msg)
    records = np.frombuffer(body, layout, whole, position)
    alike = records["mask"] == records["mask"][0]
    if "kind" in (layout.names or ()):
        alike &= records["kind"] == records["kind"][0]
    # Only up to the first other one: behind it the records no longer lie where this layout looks for them.
    count = whole if alike.all() else int(alike.argmin())
    return _page_of_records(records[:count]), position + count * layout.itemsize


def _page_of_records(records: Any) -> Page:
    count, names = len(records), records.dtype.names
    has_value = "value" in names
    return Page(
        ticks=records["source"].astype(np.int64),
        numbers=records["value"].astype(np.float64) if has_value else np.zeros(count),
        has_number=np.full(count, has_value),
        texts=None,
        statuses=records["status"].astype(np.int64) if "status" in names else np.zeros(count, np.int64),
        server_ticks=records["server"].astype(np.int64) if "server" in names else np.full(count, NO_TICKS),
    )


def _read_singly(body: bytes, position: int, left: int) -> tuple[Page, int]:
    """Values of other kinds from a position on, and the position after them."""
    data = Buffer(body, position)
    rows: list[tuple[float | None, str | None, int, int, int]] = []
    while len(rows) < left and (not rows or _layout(body, position) is None):
        rows.append(_data_value(data))
        position = len(body) - len(data)
    numbers, texts, statuses, ticks, server_ticks = zip(*rows, strict=True)
    sources = [server if tick == NO_TICKS else tick for tick, server in zip(ticks, server_ticks, strict=True)]
    page = Page(
        np.array(sources, np.int64),
        np.array([0.0 if number is None else number for number in numbers], np.float64),
        np.array([number is not None for number in numbers], np.bool_),
        list(texts),
        np.array(statuses, np.int64),
        np.array(server_ticks, np.int64),
    )
    return page, position


def _data_value(data: Buffer) -> tuple[float | None, str | None, int, int, int]:
    mask = data.read(1)[0]
    number, text = split_value(variant_from_binary(data).Value) if mask & HAS_VALUE else (None, None)
    status = struct.unpack("<I", data.read(4))[0] if mask & HAS_STATUS else 0
    source = struct.unpack("<q", data.read(8))[0] if mask & HAS_SOURCE else NO_TICKS
    if mask & HAS_SOURCE_PICO:
        data.skip(2)
    server = struct.unpack("<q", data.read(8))[0] if mask & HAS_SERVER else NO_TICKS
    if mask & HAS_SERVER_PICO:
        data.skip(2)
    return number, text, status, source, server


def _int32(data: Buffer) -> int:
    return int(struct.unpack("<i", data.read(4))[0])


def _bytes(data: Buffer) -> bytes:
    length = _int32(data)
    return data.read(length) if length > 0 else b""
