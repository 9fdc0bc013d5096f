"""Answers to Publish and Republish from their bytes: live points as columns, events as field lists.

Layout: OPC UA Part 4 §5.13.5 (Publish), §5.13.6 (Republish), §7.25 (notification data).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from asyncua import ua
from asyncua.ua.ua_binary import nodeid_from_binary

from ingestion.collector.data_values import Array, read_arrays, read_page
from ingestion.collector.points import join_pages
from ingestion.collector.variants import (
    BoundedBuffer,
    read_byte_string,
    read_count,
    read_response_header,
    read_uint32,
    read_variant,
    refuse_malformed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from asyncua.common.utils import Buffer

    from ingestion.collector.points import Page

_PUBLISH_RESPONSE = ua.ObjectIds.PublishResponse_Encoding_DefaultBinary
_REPUBLISH_RESPONSE = ua.ObjectIds.RepublishResponse_Encoding_DefaultBinary
_DATA_CHANGES = ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary
_EVENTS = ua.ObjectIds.EventNotificationList_Encoding_DefaultBinary
_STATUS_CHANGE = ua.ObjectIds.StatusChangeNotification_Encoding_DefaultBinary
# The usual answer up to the message: type, three numbers of its header, its diagnostics, strings and further
# header, the subscription and how many numbers are available. Then the message up to its values.
_USUAL_HEAD = struct.Struct("<4s8x4xIBi3sIi")
_USUAL_MESSAGE = struct.Struct("<BIqi5sii")
_USUAL_TYPE = struct.pack("<BBH", 1, 0, int(_PUBLISH_RESPONSE))
_USUAL_DATA = struct.pack("<BBHB", 1, 0, int(_DATA_CHANGES), 1)
_NO_HEADER = bytes(3)


@dataclass(frozen=True)
class LivePoints:
    """One DataChangeNotification: client handles, and the values in the order sent."""

    handles: npt.NDArray[np.int64]
    page: Page

    def __len__(self) -> int:
        return len(self.handles)


@dataclass(frozen=True)
class NotificationMessage:
    """What a subscription had to say under one sequence number."""

    sequence: int
    published_ticks: int
    points: tuple[LivePoints, ...] = ()
    events: tuple[list[list[ua.Variant]], ...] = ()
    status_change: int | None = None

    @property
    def is_keep_alive(self) -> bool:
        """Whether it holds nothing: its number is the one that the next message will use."""
        return not self.points and not self.events and self.status_change is None


@dataclass(frozen=True)
class PublishAnswer:
    """One answer to Publish; `results` are the statuses of the acknowledgements sent with it."""

    subscription_id: int
    available_sequences: tuple[int, ...]
    more_notifications: bool
    message: NotificationMessage
    results: tuple[int, ...]


@dataclass(frozen=True)
class UsualAnswer:
    """An answer with one data change and nothing out of the ordinary, its values not read yet."""

    subscription_id: int
    available_sequences: tuple[int, ...]
    more_notifications: bool
    sequence: int
    published_ticks: int
    values: Array
    results: tuple[int, ...]

    def with_points(self, points: LivePoints) -> PublishAnswer:
        """The whole answer."""
        message = NotificationMessage(self.sequence, self.published_ticks, (points,))
        return PublishAnswer(
            self.subscription_id, self.available_sequences, self.more_notifications, message, self.results
        )


def read_usual(data: bytes) -> UsualAnswer | None:
    """What the usual answer to Publish says before its values; None where an answer is any other."""
    try:
        kind, status, diagnostics, strings, header, subscription, count = _USUAL_HEAD.unpack_from(data)
        is_usual = kind == _USUAL_TYPE and header == _NO_HEADER and not (status or diagnostics or strings > 0)
        if not is_usual or count < 0:
            return None
        available = struct.unpack_from(f"<{count}I", data, _USUAL_HEAD.size)
        place = _USUAL_HEAD.size + 4 * count
        more, sequence, published, parts, kind, size, values = _USUAL_MESSAGE.unpack_from(data, place)
        begin = place + _USUAL_MESSAGE.size - 4  # of the body, which the number of values is part of
        if parts != 1 or kind != _USUAL_DATA or size < 4 or values < 0:
            return None
        (count,) = struct.unpack_from("<i", data, begin + size)
        results = struct.unpack_from(f"<{max(count, 0)}I", data, begin + size + 4)
    except struct.error:
        return None
    body = Array(data[begin : begin + size], 4, values)
    return UsualAnswer(subscription, available, bool(more), sequence, published, body, results)


def read_publish_answers(answers: Sequence[bytes | UsualAnswer]) -> list[PublishAnswer | ua.UaError]:
    """Several answers to Publish, or why one cannot be read; values of the usual ones are read at once."""
    usual = [answer for answer in answers if isinstance(answer, UsualAnswer)]
    try:
        handles, page = read_arrays([answer.values for answer in usual], has_handles=True)
    except ua.UaError:
        return [_read_alone(answer) for answer in answers]
    found: list[PublishAnswer | ua.UaError] = []
    start = 0
    for answer in answers:
        if isinstance(answer, UsualAnswer):
            end = start + answer.values.count
            found.append(answer.with_points(LivePoints(handles[start:end], page.part(start, end))))
            start = end
        else:
            found.append(_read_alone(answer))
    return found


def _read_alone(answer: bytes | UsualAnswer) -> PublishAnswer | ua.UaError:
    try:
        if isinstance(answer, UsualAnswer):
            return answer.with_points(_live_points(answer.values))
        return _read_any(answer)
    except ua.UaError as error:
        return error


def join_live(parts: Sequence[LivePoints]) -> LivePoints:
    """Live points one after another as one; there must be some."""
    if len(parts) == 1:
        return parts[0]
    return LivePoints(
        np.concatenate([part.handles for part in parts]), join_pages([part.page for part in parts])
    )


def read_publish_answer(data: Buffer) -> PublishAnswer:
    """An answer to Publish.

    Raises:
        ua.UaStatusCodeError: the service failed.
        ua.UaError: the bytes are no such answer.
    """
    content = data.copy().read(len(data))
    found = _read_alone(read_usual(content) or content)
    if isinstance(found, ua.UaError):
        raise found
    return found


def _read_any(data: bytes) -> PublishAnswer:
    with refuse_malformed("answer to Publish"):
        own = _open(data, _PUBLISH_RESPONSE)
        subscription_id = read_uint32(own)
        available = _uint32s(own)
        more = own.read(1) != b"\0"
        message = _message(own)
        return PublishAnswer(subscription_id, available, more, message, _uint32s(own))


def read_republish_answer(data: Buffer) -> NotificationMessage:
    """An answer to Republish.

    Raises:
        ua.UaStatusCodeError: the service failed.
        ua.UaError: the bytes are no such answer.
    """
    with refuse_malformed("answer to Republish"):
        return _message(_open(data.copy().read(len(data)), _REPUBLISH_RESPONSE))


def _open(data: bytes, expected: int) -> BoundedBuffer:
    own = BoundedBuffer(data)
    kind = nodeid_from_binary(own)
    is_fault = kind.Identifier == ua.ObjectIds.ServiceFault_Encoding_DefaultBinary
    if not is_fault and (kind.NamespaceIndex != 0 or kind.Identifier != expected):
        msg = f"the answer is of type {kind.to_string()}, expected i={int(expected)}"
        raise ua.UaError(msg)
    read_response_header(own)
    return own


def _uint32s(data: BoundedBuffer) -> tuple[int, ...]:
    count = read_count(data)
    return struct.unpack(f"<{count}I", data.read(4 * count))


def _message(data: BoundedBuffer) -> NotificationMessage:
    sequence = read_uint32(data)
    (published,) = struct.unpack("<q", data.read(8))
    points: list[LivePoints] = []
    events: list[list[list[ua.Variant]]] = []
    status_change: int | None = None
    for _ in range(read_count(data)):
        kind = nodeid_from_binary(data)
        body = (read_byte_string(data) if data.read(1)[0] else None) or b""
        if kind.NamespaceIndex == 0 and kind.Identifier == _DATA_CHANGES:
            points.append(_live_points(Array(body, 4, read_count(BoundedBuffer(body)))))
        elif kind.NamespaceIndex == 0 and kind.Identifier == _EVENTS:
            events.append(_event_fields(BoundedBuffer(body)))
        elif kind.NamespaceIndex == 0 and kind.Identifier == _STATUS_CHANGE:
            status_change = read_uint32(BoundedBuffer(body))
        else:
            # Passing it over could be a silent loss.
            msg = f"notification data of type {kind.to_string()}, expected data changes, events or a status"
            raise ua.UaError(msg)
    return NotificationMessage(sequence, published, tuple(points), tuple(events), status_change)


def _live_points(values: Array) -> LivePoints:
    handles, page, _ = read_page(values.body, values.position, values.count, has_handles=True)
    return LivePoints(handles, page)


def _event_fields(data: BoundedBuffer) -> list[list[ua.Variant]]:
    return [_one_event(data) for _ in range(read_count(data))]


def _one_event(data: BoundedBuffer) -> list[ua.Variant]:
    read_uint32(data)  # the client handle: one item monitors all events
    return [read_variant(data) for _ in range(read_count(data))]
