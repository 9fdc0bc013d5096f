"""Answers to Publish and Republish from their bytes: live points as columns, events as field lists.

Layout: OPC UA Part 4 §5.13.5 (Publish), §5.13.6 (Republish), §7.25 (notification data).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_from_binary

from ingestion.collector.data_values import read_page
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
    import numpy as np
    import numpy.typing as npt
    from asyncua.common.utils import Buffer

    from ingestion.collector.points import Page

_PUBLISH_RESPONSE = ua.ObjectIds.PublishResponse_Encoding_DefaultBinary
_REPUBLISH_RESPONSE = ua.ObjectIds.RepublishResponse_Encoding_DefaultBinary
_DATA_CHANGES = ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary
_EVENTS = ua.ObjectIds.EventNotificationList_Encoding_DefaultBinary
_STATUS_CHANGE = ua.ObjectIds.StatusChangeNotification_Encoding_DefaultBinary


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


def read_publish_answer(data: Buffer) -> PublishAnswer:
    """An answer to Publish.

    Raises:
        ua.UaStatusCodeError: the service failed.
        ua.UaError: the bytes are no such answer.
    """
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
        return _message(_open(data, _REPUBLISH_RESPONSE))


def _open(data: Buffer, expected: int) -> BoundedBuffer:
    own = BoundedBuffer(data.copy().read(len(data)))
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
            points.append(_live_points(body))
        elif kind.NamespaceIndex == 0 and kind.Identifier == _EVENTS:
            events.append(_event_fields(BoundedBuffer(body)))
        elif kind.NamespaceIndex == 0 and kind.Identifier == _STATUS_CHANGE:
            status_change = read_uint32(BoundedBuffer(body))
        else:
            # Passing it over could be a silent loss.
            msg = f"notification data of type {kind.to_string()}, expected data changes, events or a status"
            raise ua.UaError(msg)
    return NotificationMessage(sequence, published, tuple(points), tuple(events), status_change)


def _live_points(body: bytes) -> LivePoints:
    count = read_count(BoundedBuffer(body))
    handles, page, _ = read_page(body, 4, count, has_handles=True)
    return LivePoints(handles, page)


def _event_fields(data: BoundedBuffer) -> list[list[ua.Variant]]:
    return [_one_event(data) for _ in range(read_count(data))]


def _one_event(data: BoundedBuffer) -> list[ua.Variant]:
    read_uint32(data)  # the client handle: one item monitors all events
    return [read_variant(data) for _ in range(read_count(data))]
