"""Samples as OPC UA values: single ones for subscriptions, whole pages encoded at once for history.

A page of history is packed with NumPy straight into the binary HistoryData of Part 6 (5.2.2.17 DataValue):
asyncua's general encoder needs some 30 µs a value, and a day of one server is half a million.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from protocols.opcua_time import from_ticks
from reference_plant.plant.simulation import Series

VARIANT_TYPES = {
    "double": ua.VariantType.Double,
    "int32": ua.VariantType.Int32,
    "boolean": ua.VariantType.Boolean,
    "string": ua.VariantType.String,
}
_WIRE_TYPES = {"double": "<f8", "int32": "<i4", "boolean": "u1"}
_CASTS = {"double": float, "int32": int, "boolean": bool, "string": str}
_HAS_VALUE, _HAS_STATUS, _HAS_SOURCE, _HAS_SERVER = 0x01, 0x02, 0x04, 0x08
_HISTORY_DATA = ua.FourByteNodeId(ua.ObjectIds.HistoryData_Encoding_DefaultBinary)


def data_value(
    data_type: str, ticks: int, value: Any, status: int, server_at: datetime | None
) -> ua.DataValue:
    """One sample with its exact source time; null where the sample is NaN."""
    is_null = isinstance(value, float) and np.isnan(value)
    variant = ua.Variant(None) if is_null else ua.Variant(_CASTS[data_type](value), VARIANT_TYPES[data_type])
    return ua.DataValue(
        variant,
        StatusCode=ua.StatusCode(status),
        SourceTimestamp=from_ticks(ticks),
        ServerTimestamp=server_at,
    )


def history_data(data_type: str, series: Series, timestamps: ua.TimestampsToReturn) -> ua.ExtensionObject:
    """A page of history as the encoded HistoryData that goes into a HistoryReadResult."""
    encode = _encode_texts if data_type == "string" else _encode_numbers
    mask = _HAS_STATUS
    if timestamps in (ua.TimestampsToReturn.Source, ua.TimestampsToReturn.Both):
        mask |= _HAS_SOURCE
    if timestamps in (ua.TimestampsToReturn.Server, ua.TimestampsToReturn.Both):
        mask |= _HAS_SERVER
    body = len(series).to_bytes(4, "little") + encode(data_type, series, mask)
    return ua.ExtensionObject(TypeId=_HISTORY_DATA, Body=body)


def _encode_numbers(data_type: str, series: Series, mask: int) -> bytes:
    """Fixed-size records, in runs of values and of nulls: a null has no value field."""
    nulls = np.isnan(series.values)
    edges = [0, *(np.flatnonzero(nulls[1:] != nulls[:-1]) + 1).tolist(), len(series)]
    runs = [slice(first, last) for first, last in pairwise(edges) if last > first]
    return b"".join(_encode_run(data_type, series.part(run), mask, bool(nulls[run.start])) for run in runs)


def _encode_run(data_type: str, series: Series, mask: int, is_null: bool) -> bytes:
    columns: list[tuple[str, str, NDArray[Any] | int]] = [
        ("mask", "u1", mask if is_null else mask | _HAS_VALUE)
    ]
    if not is_null:
        columns.append(("type", "u1", int(VARIANT_TYPES[data_type])))
        columns.append(("value", _WIRE_TYPES[data_type], series.values))
    columns.append(("status", "<u4", series.status))
    columns += [(name, "<i8", series.ticks) for name, bit in _TIME_FIELDS if mask & bit]
    records = np.empty(len(series), dtype=[(name, wire) for name, wire, _ in columns])
    for name, _, values in columns:
        records[name] = values
    return records.tobytes()


_TIME_FIELDS = (("source_at", _HAS_SOURCE), ("server_at", _HAS_SERVER))


def _encode_texts(data_type: str, series: Series, mask: int) -> bytes:
    parts = []
    times = sum(1 for _, bit in _TIME_FIELDS if mask & bit)
    head = bytes([mask | _HAS_VALUE, int(VARIANT_TYPES[data_type])])
    for ticks, text, status in zip(series.ticks.tolist(), series.values, series.status.tolist(), strict=True):
        encoded = text.encode()
        parts.append(head + len(encoded).to_bytes(4, "little") + encoded)
        parts.append(status.to_bytes(4, "little") + ticks.to_bytes(8, "little") * times)
    return b"".join(parts)
