"""DataValues of every kind, made by Hypothesis, and what asyncua's own decoder makes of their bytes."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import strategies as st

from ingestion.collector.notifications import LivePoints
from ingestion.collector.points import NO_TICKS
from ingestion.collector.values import split_value
from ingestion.collector.variants import BoundedBuffer
from protocols import opcua_time

AT_TICKS = opcua_time.to_ticks(datetime(2026, 11, 16, tzinfo=UTC))
# handle, source ticks, number, text, status, server ticks
Row = tuple[int, int, Any, str | None, int, int]

_INTEGERS = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}
instants = st.integers(1, 10**9).map(lambda ticks: opcua_time.from_ticks(AT_TICKS + ticks))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def _of(kind: ua.VariantType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[ua.Variant]:
    scalars = values.map(lambda value: ua.Variant(value, kind))
    arrays = st.lists(values, max_size=3).map(lambda value: ua.Variant(value, kind, is_array=True))
    return st.one_of(scalars, scalars, scalars, arrays)


fixed_variants = st.one_of(
    *(st.integers(*bounds).map(lambda v, k=kind: ua.Variant(v, k)) for kind, bounds in _INTEGERS.items()),
    st.floats(width=64).map(lambda value: ua.Variant(value, ua.VariantType.Double)),
    st.floats(width=32).map(lambda value: ua.Variant(value, ua.VariantType.Float)),
    st.booleans().map(lambda value: ua.Variant(value, ua.VariantType.Boolean)),
    st.just(ua.Variant(None, ua.VariantType.Null)),
)
_plain_variants = st.one_of(
    *(_of(kind, st.integers(*bounds)) for kind, bounds in _INTEGERS.items()),
    _of(ua.VariantType.Double, st.floats(width=64)),
    _of(ua.VariantType.Float, st.floats(width=32)),
    _of(ua.VariantType.Boolean, st.booleans()),
    _of(ua.VariantType.String, texts | st.none()),
    _of(ua.VariantType.ByteString, st.binary(max_size=5) | st.none()),
    _of(ua.VariantType.DateTime, instants),
    _of(ua.VariantType.Guid, st.uuids().map(lambda value: UUID(int=value.int))),
    _of(ua.VariantType.LocalizedText, texts.map(lambda text: ua.LocalizedText(text, "zh"))),
    _of(ua.VariantType.QualifiedName, texts.map(lambda text: ua.QualifiedName(text, 2))),
    _of(ua.VariantType.NodeId, texts.map(lambda text: ua.NodeId(text, 3))),
    _of(ua.VariantType.StatusCode, st.integers(0, 2**32 - 1).map(ua.StatusCode)),
    st.just(ua.Variant([1.5, 2.5, 3.5, 4.5], ua.VariantType.Double, [2, 2])),
)
_structures = st.builds(ua.Range, st.floats(width=64), st.floats(width=64)) | st.builds(
    ua.EUInformation, texts, st.integers(-5, 5), texts.map(ua.LocalizedText)
)
variants = st.one_of(
    fixed_variants,
    _plain_variants,
    _of(ua.VariantType.ExtensionObject, _structures),
    st.lists(_plain_variants, max_size=3).map(lambda v: ua.Variant(v, ua.VariantType.Variant, is_array=True)),
)
statuses = st.sampled_from([0, 0x808C0000, 0x480, 0xFFFFFFFF]).map(ua.StatusCode) | st.none()


def data_values(kinds: st.SearchStrategy[ua.Variant]) -> st.SearchStrategy[ua.DataValue]:
    """Data values with any mask asyncua encodes as the standard says: it misplaces picoseconds."""
    return st.builds(ua.DataValue, kinds, statuses, instants | st.none(), instants | st.none())


def publish_bytes(values: list[ua.DataValue], *, sequence: int = 5) -> bytes:
    """An answer to Publish with one data change notification; handles count from 0."""
    items = [ua.MonitoredItemNotification(ClientHandle=n, Value=value) for n, value in enumerate(values)]
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 7
    response.Parameters.AvailableSequenceNumbers = [sequence]
    response.Parameters.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=sequence, NotificationData=[ua.DataChangeNotification(MonitoredItems=items)]
    )
    return struct_to_binary(response)


def rows_of_asyncua(data: bytes) -> list[Row] | None:
    """What asyncua's own decoder reads from an answer to Publish, given a buffer that only moves forward.

    None where it departs from the standard: it looks for the source's picoseconds behind the server's time,
    and fills or cuts a matrix whose dimensions do not fit.
    """
    response = struct_from_binary(ua.PublishResponse, BoundedBuffer(data))
    rows = []
    for notification in response.Parameters.NotificationMessage.NotificationData:
        for item in notification.MonitoredItems:
            value = item.Value
            if value.SourcePicoseconds is not None and value.ServerTimestamp is not None:
                return None
            if value.Value is not None and value.Value.Dimensions not in (None, [2, 2]):
                return None
            rows.append(_row(item.ClientHandle, item.Value))
    return rows


def _row(handle: int, value: ua.DataValue) -> Row:
    number, text = split_value(None if value.Value is None else value.Value.Value)
    source, server = _ticks(value.SourceTimestamp), _ticks(value.ServerTimestamp)
    status = 0 if value.StatusCode is None else int(value.StatusCode.value)
    return handle, source if source > 0 else server, _shown(number), text, status, server


def _ticks(at: datetime | None) -> int:
    ticks = NO_TICKS if at is None else opcua_time.to_ticks(at)
    return ticks if ticks > 0 else NO_TICKS


def rows_of_points(points: LivePoints) -> list[Row]:
    """Our columns as such rows; an instant after the year 9999 is what a datetime can hold of it."""
    page = points.page
    rows = []
    for index in range(len(page)):
        number = float(page.numbers[index]) if page.has_number[index] else None
        text = None if page.texts is None else page.texts[index]
        source, server = (int(ticks[index]) for ticks in (page.ticks, page.server_ticks))
        at, server_at = (
            t if t < 0 else opcua_time.to_ticks(opcua_time.from_ticks(t)) for t in (source, server)
        )
        handle = int(points.handles[index])
        rows.append((handle, at, _shown(number), text, int(page.statuses[index]), server_at))
    return rows


def _shown(number: float | None) -> Any:
    return "nan" if number is not None and math.isnan(number) else number


def encoded_item(handle: int, mask: int, kind: int, value: bytes, tail: tuple[int, ...]) -> bytes:
    """A notification's item by hand, field by field as Part 6 §5.2.2.17 has them.

    Args:
        handle: the client handle.
        mask: which fields there are.
        kind: the Variant's encoding byte.
        value: the Variant's bytes after it.
        tail: status, source ticks, source picoseconds, server ticks, server picoseconds; what the mask has.
    """
    fields = [(2, "<I"), (4, "<q"), (16, "<H"), (8, "<q"), (32, "<H")]
    head = struct.pack("<IB", handle, mask) + (bytes([kind]) + value if mask & 1 else b"")
    return head + b"".join(
        struct.pack(form, part) for (bit, form), part in zip(fields, tail, strict=True) if mask & bit
    )
