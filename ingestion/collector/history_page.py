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

from ingestion.collector.points import NO_TICKS, Page
from ingestion.collector.values import split_value

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
        return read_values(b"\x00\x00\x00\x00")
    if kind.Identifier != ua.ObjectIds.HistoryData_Encoding_DefaultBinary:
        msg = f"HistoryRead answered {kind}, expected HistoryData"
        raise ua.UaError(msg)
    return read_values(body)


def read_values(body: bytes) -> Page:
    """The DataValues of a HistoryData body, its leading count included."""
    (count,) = struct.unpack_from("<i", body)
    if count <= 0:
        return _page([], [], [], None, [], [])
    layout = _common_layout(body)
    if layout is not None and len(body) >= 4 + count * layout.itemsize:
        records = np.frombuffer(body, layout, count, 4)
        if (records["mask"] == body[4]).all() and (
            "kind" not in (layout.names or ()) or (records["kind"] == body[5]).all()
        ):
            return _page_of_records(records)
    return _page_one_by_one(body, count)


def _common_layout(body: bytes) -> np.dtype[Any] | None:
    mask = body[4]
    parts: list[tuple[str, str]] = [("mask", "u1")]
    if mask & (HAS_SOURCE_PICO | HAS_SERVER_PICO) or not mask & HAS_SOURCE:
        return None
    if mask & HAS_VALUE:
        scalar = _SCALARS.get(body[5])
        if scalar is None:
            return None
        parts += [("kind", "u1"), ("value", scalar)]
    parts += [("status", "<u4")] if mask & HAS_STATUS else []
    parts += [("source", "<i8")]
    parts += [("server", "<i8")] if mask & HAS_SERVER else []
    return np.dtype(parts)


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


def _page_one_by_one(body: bytes, count: int) -> Page:
    data = Buffer(body, 4)
    rows = [_data_value(data) for _ in range(count)]
    numbers, texts, statuses, ticks, server_ticks = zip(*rows, strict=True)
    has_text = any(text is not None for text in texts)
    return _page(
        [server if tick == NO_TICKS else tick for tick, server in zip(ticks, server_ticks, strict=True)],
        [0.0 if number is None else number for number in numbers],
        [number is not None for number in numbers],
        list(texts) if has_text else None,
        statuses,
        server_ticks,
    )


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


def _page(
    ticks: Any, numbers: Any, has_number: Any, texts: list[str | None] | None, statuses: Any, servers: Any
) -> Page:
    return Page(
        np.array(ticks, np.int64),
        np.array(numbers, np.float64),
        np.array(has_number, np.bool_),
        texts,
        np.array(statuses, np.int64),
        np.array(servers, np.int64),
    )


def _int32(data: Buffer) -> int:
    return int(struct.unpack("<i", data.read(4))[0])


def _bytes(data: Buffer) -> bytes:
    length = _int32(data)
    return data.read(length) if length > 0 else b""
