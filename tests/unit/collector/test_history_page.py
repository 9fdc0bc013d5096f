"""History answers decode to the same values as asyncua's own decoder gives, and torn ones are refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from ingestion.collector.history_page import read_answer, read_values
from ingestion.collector.points import NO_TICKS, Page
from protocols import opcua_time

opcua_time.install()
AT = datetime(2026, 11, 16, tzinfo=UTC)

variants = st.one_of(
    st.floats(width=64).map(lambda v: ua.Variant(v, ua.VariantType.Double)),
    st.floats(width=32).map(lambda v: ua.Variant(v, ua.VariantType.Float)),
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ua.Variant(v, ua.VariantType.Int32)),
    st.booleans().map(lambda v: ua.Variant(v, ua.VariantType.Boolean)),
    st.text(max_size=5).map(lambda v: ua.Variant(v, ua.VariantType.String)),
    st.just(ua.Variant(None, ua.VariantType.Null)),
)
instants = st.integers(0, 10**9).map(lambda t: opcua_time.from_ticks(opcua_time.to_ticks(AT) + t))
data_values = st.builds(
    ua.DataValue,
    variants,
    st.sampled_from([0, 0x808C0000, 0x600, 0xFFFFFFFF]).map(ua.StatusCode) | st.none(),
    instants,
    instants | st.none(),
)


def body_of(values: list[ua.DataValue]) -> bytes:
    return struct_to_binary(ua.HistoryData(values))


def row(page: Page, index: int) -> tuple[Any, ...]:
    number = float(page.numbers[index]) if page.has_number[index] else None
    text = None if page.texts is None else page.texts[index]
    shown = "nan" if number is not None and math.isnan(number) else number
    return int(page.ticks[index]), shown, text, int(page.statuses[index]), int(page.server_ticks[index])


def expected(value: ua.DataValue) -> tuple[Any, ...]:
    content = value.Value.Value
    number = None if content is None or isinstance(content, str) else float(content)
    shown = "nan" if number is not None and math.isnan(number) else number
    server = NO_TICKS if value.ServerTimestamp is None else opcua_time.to_ticks(value.ServerTimestamp)
    status = 0 if value.StatusCode is None else value.StatusCode.value
    text = content if isinstance(content, str) else None
    return opcua_time.to_ticks(value.SourceTimestamp), shown, text, status, server


@given(st.lists(st.tuples(data_values, st.integers(1, 3)), max_size=12))
def test_any_mixture_of_values_is_read_as_it_was_sent(groups: list[tuple[ua.DataValue, int]]) -> None:
    values = [value for value, times in groups for _ in range(times)]
    page = read_values(body_of(values))
    assert [row(page, index) for index in range(len(page))] == [expected(value) for value in values]


@given(st.lists(data_values, min_size=1, max_size=5), st.data())
def test_a_body_that_is_cut_short_is_refused(values: list[ua.DataValue], data: st.DataObject) -> None:
    body = body_of(values)
    cut = data.draw(st.integers(4, len(body) - 1))
    with pytest.raises(ua.UaError):
        read_values(body[:cut])


def test_an_array_becomes_json_and_a_missing_source_time_the_servers() -> None:
    at = AT + timedelta(seconds=1)
    value = ua.DataValue(ua.Variant([1, 2], ua.VariantType.Int32), ua.StatusCode(0), None, at)
    page = read_values(body_of([value]))
    assert row(page, 0) == (opcua_time.to_ticks(at), None, "[1, 2]", 0, opcua_time.to_ticks(at))


def answer(result: ua.HistoryReadResult) -> Buffer:
    response = ua.HistoryReadResponse()
    response.Results = [result]
    return Buffer(struct_to_binary(response))


def test_an_answer_gives_status_continuation_point_and_values() -> None:
    result = ua.HistoryReadResult(
        StatusCode=ua.StatusCode(ua.StatusCodes.GoodMoreData),
        ContinuationPoint=b"next",
        HistoryData=ua.HistoryData([ua.DataValue(ua.Variant(1.5), SourceTimestamp=AT)]),
    )
    found = read_answer(answer(result))
    assert found.status == ua.StatusCodes.GoodMoreData
    assert found.continuation_point == b"next"
    assert found.page.numbers.tolist() == [1.5]


def test_an_answer_without_data_is_an_empty_page() -> None:
    found = read_answer(answer(ua.HistoryReadResult(StatusCode=ua.StatusCode(ua.StatusCodes.GoodNoData))))
    assert len(found.page) == 0
    assert found.continuation_point == b""


def test_an_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(ua.UaError, match="expected HistoryData"):
        read_answer(answer(ua.HistoryReadResult(HistoryData=ua.HistoryEvent([]))))
