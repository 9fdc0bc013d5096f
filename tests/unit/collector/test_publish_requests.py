"""Publish requests are those asyncua would send; answers of one burst are read as each alone would be."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.collector.notifications import (
    PublishAnswer,
    join_live,
    read_publish_answer,
    read_publish_answers,
    read_usual,
)
from ingestion.collector.publish_requests import PublishRequests, publish_request
from protocols import opcua_time
from tests.fakes.data_values import AT_TICKS, data_values, publish_bytes, rows_of_points, variants

opcua_time.install()
TOKENS = [ua.NodeId(5, 1), ua.NodeId(70_000, 3), ua.NodeId("token", 2), ua.NodeId(b"\x01\x02", 1)]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.NodeIdType.name)
@pytest.mark.parametrize("acknowledgements", [[], [(3, 4), (3, 2**32 - 1)]], ids=["none", "two"])
def test_a_request_is_what_asyncua_would_send(
    token: ua.NodeId, acknowledgements: list[tuple[int, int]]
) -> None:
    request = ua.PublishRequest()
    request.RequestHeader.AuthenticationToken = token
    request.RequestHeader.RequestHandle = 77
    request.RequestHeader.Timestamp = opcua_time.from_ticks(AT_TICKS)
    request.Parameters.SubscriptionAcknowledgements = [
        ua.SubscriptionAcknowledgement(*pair) for pair in acknowledgements
    ]
    ours = publish_request(nodeid_to_binary(token), 77, AT_TICKS, acknowledgements)
    assert ours == struct_to_binary(request)


answers = st.lists(data_values(variants), max_size=5).map(publish_bytes)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(st.tuples(answers, st.booleans()), min_size=1, max_size=4))
def test_a_burst_is_read_as_each_answer_alone(burst: list[tuple[bytes, bool]]) -> None:
    contents = [data[:-13] if is_cut else data for data, is_cut in burst]
    found = read_publish_answers([read_usual(content) or content for content in contents])
    for content, answer in zip(contents, found, strict=True):
        expected = alone(content)
        if isinstance(expected, ua.UaError) or isinstance(answer, ua.UaError):
            assert str(answer) == str(expected)
            continue
        assert (answer.subscription_id, answer.available_sequences) == (7, expected.available_sequences)
        assert (answer.more_notifications, answer.results) == (expected.more_notifications, expected.results)
        assert answer.message.sequence == expected.message.sequence
        assert [rows_of_points(points) for points in answer.message.points] == [
            rows_of_points(points) for points in expected.message.points
        ]


def test_one_answer_that_lies_spoils_no_other() -> None:
    values = [ua.DataValue(ua.Variant(number / 4, ua.VariantType.Double)) for number in range(40)]
    good = publish_bytes(values)
    place = good.index(b"\x28\x00\x00\x00")  # the number of values, which then reaches into the next answer
    lying = good[:place] + b"\x29" + good[place + 1 :]
    usual = read_usual(lying)
    assert usual is not None
    assert usual.values.count == 41
    first, second, third = read_publish_answers([read_usual(data) or data for data in (good, lying, good)])
    assert isinstance(second, ua.UaError)
    assert isinstance(first, PublishAnswer)
    assert isinstance(third, PublishAnswer)
    assert len(join_live([*first.message.points, *third.message.points])) == 80


class Channel:
    """What the requests need of asyncua's protocol."""

    def __init__(self) -> None:
        self.transport: Any = self
        self.authentication_token = ua.NodeId(5, 1)
        self._request_id = self._request_handle = 0
        self._callbackmap: dict[int, Any] = {}
        self._connection = self
        self.writes: list[int] = []

    def revolve_security_token(self) -> None:
        pass

    def message_to_binary(self, request: bytes, request_id: int) -> bytes:
        return bytes([request_id])

    def write(self, data: bytes) -> None:
        self.writes.append(len(data))

    def answer(self, number: int) -> None:
        """The server answers."""
        data = publish_bytes([ua.DataValue(ua.Variant(1.5, ua.VariantType.Double))])
        self._callbackmap.pop(number).set_result(Buffer(data))


def make(most: int) -> tuple[PublishRequests, Channel]:
    channel = Channel()
    client: Any = SimpleNamespace(uaclient=SimpleNamespace(protocol=channel))
    return PublishRequests(client, most), channel


def alone(content: bytes) -> PublishAnswer | ua.UaError:
    try:
        return read_publish_answer(Buffer(content))
    except ua.UaError as error:
        return error


def test_a_burst_is_taken_at_once_and_asked_for_again_at_once() -> None:
    async def scene() -> None:
        requests, channel = make(3)
        requests.ask(list)
        for number in (1, 2, 3):
            channel.answer(number)
        assert len(await requests.answers()) == 3
        requests.ask(list)
        assert channel.writes == [3, 3]

    asyncio.run(scene())


def test_a_request_that_rests_is_not_sent_and_comes_back() -> None:
    async def scene() -> None:
        requests, channel = make(2)
        requests.rest(0.01)
        requests.ask(list)
        assert channel.writes == [1]
        assert await requests.answers() == []
        requests.ask(list)
        assert channel.writes == [1, 1]

    asyncio.run(scene())


def test_acknowledgements_are_taken_only_when_something_is_sent() -> None:
    async def scene() -> None:
        requests, channel = make(1)
        requests.ask(lambda: [(7, 1)])
        requests.ask(lambda: pytest.fail("nothing can be sent"))
        channel._callbackmap.pop(1).set_exception(ua.UaStatusCodeError(ua.StatusCodes.BadTimeout))
        (answered,) = await requests.answers()
        assert answered.acknowledgements == [(7, 1)]

    asyncio.run(scene())
