"""A HistoryRead answer from its bytes to columns; the values themselves are read by `data_values`.

Layout: OPC UA Part 4 §5.11.3 (HistoryRead) and Part 11 §6.6 (HistoryData).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_from_binary

from ingestion.collector.data_values import read_page
from ingestion.collector.points import Page, join_pages
from ingestion.collector.variants import (
    BoundedBuffer,
    read_byte_string,
    read_count,
    read_extension_body,
    read_int32,
    read_response_header,
    read_uint32,
    refuse_malformed,
)

if TYPE_CHECKING:
    from asyncua.common.utils import Buffer


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
    return read_answers(data, 1)[0]


def read_answers(data: Buffer, count: int) -> list[HistoryAnswer]:
    """The results of a HistoryRead of `count` nodes, in their order.

    Raises:
        ua.UaStatusCodeError: the service itself failed.
        ua.UaError: the bytes are no such answer.
    """
    with refuse_malformed("answer to HistoryRead"):
        own = BoundedBuffer(data.copy().read(len(data)))
        nodeid_from_binary(own)
        read_response_header(own)
        found = read_int32(own)
        if found != count:
            msg = f"HistoryRead of {count} nodes answered {found} results"
            raise ua.UaError(msg)
        return [_answer(own) for _ in range(count)]


def _answer(data: BoundedBuffer) -> HistoryAnswer:
    status = read_uint32(data)
    continuation_point = read_byte_string(data) or b""
    kind, body = read_extension_body(data)
    if not body:
        return HistoryAnswer(status, continuation_point, join_pages([]))
    if kind.Identifier != ua.ObjectIds.HistoryData_Encoding_DefaultBinary:
        msg = f"HistoryRead answered {kind}, expected HistoryData"
        raise ua.UaError(msg)
    return HistoryAnswer(status, continuation_point, read_values(body))


def read_values(body: bytes) -> Page:
    """The DataValues of a HistoryData body, its leading count included.

    Raises:
        ua.UaError: the body ends before its count is reached.
    """
    with refuse_malformed("HistoryData"):
        count = read_count(BoundedBuffer(body))
    _, page, _ = read_page(body, 4, count, has_handles=False)
    return page
