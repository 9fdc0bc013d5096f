"""The HJ 212 client against hosts that misbehave, over a real socket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from exports.endpoints import Hj212TcpSettings
from exports.errors import CredentialsError, PermanentError, SpecError, TransientError, UnreachableError
from exports.render import hj212
from exports.render.numbers import factor_decimals
from exports.transports.base import DeliveryRequest, Observation
from exports.transports.hj212_tcp import Hj212TcpTransport
from protocols.hj212 import (
    Frame,
    QnRtn,
    ReceivedFrame,
    StreamDecoder,
    answer_data,
    answer_request,
    encode_frame,
)
from tests.fakes.export_site import ZONE, local, province_rows

START = local("2026-11-17T01:00:00")
Host = Callable[[Frame, asyncio.StreamWriter], Awaitable[None]]


def requests(count: int = 1) -> list[DeliveryRequest]:
    previous, found = None, []
    rows = province_rows(START, outlets=["DA001"])
    body = hj212.render_period(rows, command="2061", decimals=factor_decimals(), zone=ZONE)
    for index in range(count):
        previous = hj212.number(body, now=START, zone=ZONE, previous=previous)
        found.append(DeliveryRequest(index, "province_hj212_hour", "DA001", f"key{index}", previous, 0))
    return found


@asynccontextmanager
async def client(
    host: Host, told: list[Observation] | None = None, resends: int = 2
) -> AsyncIterator[tuple[Hj212TcpTransport, list[Frame]]]:
    """A client connected to a host that does `host` with each frame; yields what the host received."""
    received: list[Frame] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = StreamDecoder()
        while data := await reader.read(4096):
            for item in decoder.feed(data):
                assert isinstance(item, ReceivedFrame)
                received.append(item.frame)
                await host(item.frame, writer)
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    settings = Hj212TcpSettings(
        type="hj212_tcp",
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        password_secret="any",
        resends=resends,
    )
    transport = Hj212TcpTransport(
        settings,
        password="aB3xYz",
        responsible={},
        timeout_s=0.1,
        observe=(told if told is not None else []).append,
    )
    await transport.open()
    try:
        yield transport, received
    finally:
        await transport.close()
        server.close()


async def acknowledge(frame: Frame, writer: asyncio.StreamWriter) -> None:
    writer.write(encode_frame(answer_data(frame)))


def test_an_upload_carries_the_password_and_is_done_with_its_9014() -> None:
    async def run() -> None:
        (request,) = requests()
        async with client(acknowledge) as (transport, received):
            delivery = await transport.deliver(request)
        (frame,) = received
        assert frame.pw == "aB3xYz"
        assert delivery.wire_sha256 == hashlib.sha256(encode_frame(frame)).hexdigest()
        assert delivery.body == encode_frame(answer_data(frame)).rstrip()
        assert delivery.reference == frame.qn
        assert replace(frame, pw="000000") == hj212.frames_of(request.content)[0]

    asyncio.run(run())


def test_silence_is_met_with_the_same_bytes_again_and_then_with_an_error() -> None:
    async def run() -> None:
        async def silent(_frame: Frame, _writer: asyncio.StreamWriter) -> None:
            pass

        async with client(silent) as (transport, received):
            with pytest.raises(TransientError, match="sent 3 times") as failed:
                await transport.deliver(requests()[0])
        assert not isinstance(failed.value, UnreachableError)
        assert len(received) == 3
        assert len(set(received)) == 1

    asyncio.run(run())


def test_answers_may_come_in_any_order_and_in_pieces() -> None:
    async def run() -> None:
        held: list[Frame] = []

        async def late_and_backwards(frame: Frame, writer: asyncio.StreamWriter) -> None:
            held.append(frame)
            if len(held) == 3:
                for one in reversed(held):
                    for byte in encode_frame(answer_data(one)):
                        writer.write(bytes([byte]))
                        await writer.drain()

        async with client(late_and_backwards) as (transport, received):
            deliveries = await asyncio.gather(*map(transport.deliver, requests(3)))
        assert [delivery.reference for delivery in deliveries] == [frame.qn for frame in received]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (QnRtn.PASSWORD_ERROR, CredentialsError),
        (QnRtn.REFUSED, PermanentError),
        (QnRtn.CRC_ERROR, TransientError),
        (QnRtn.UNKNOWN, TransientError),
    ],
)
def test_an_explicit_refusal_is_taken_for_what_it_says(result: QnRtn, error: type[Exception]) -> None:
    async def run() -> None:
        async def refuse(frame: Frame, writer: asyncio.StreamWriter) -> None:
            writer.write(encode_frame(answer_request(frame, result)))

        async with client(refuse) as (transport, received):
            with pytest.raises(error):
                await transport.deliver(requests()[0])
        assert len(received) == 1, "the next try is the worker's to decide"

    asyncio.run(run())


def test_a_lenient_answer_is_understood_and_its_deviation_told() -> None:
    async def run() -> None:
        async def lower_case_crc(frame: Frame, writer: asyncio.StreamWriter) -> None:
            raw = encode_frame(replace(answer_data(frame), mn=frame.mn))
            writer.write(raw[:-6] + raw[-6:].lower())

        async with client(lower_case_crc) as (transport, _):
            deliveries = [await transport.deliver(request) for request in requests(5)]
        assert any("lower_case_crc" in delivery.deviations for delivery in deliveries)

    asyncio.run(run())


def test_an_answer_to_another_device_is_not_taken_for_ours() -> None:
    async def run() -> None:
        async def mistaken(frame: Frame, writer: asyncio.StreamWriter) -> None:
            writer.write(encode_frame(replace(answer_data(frame), mn="F" * 24)))

        async with client(mistaken, resends=0) as (transport, _):
            with pytest.raises(TransientError):
                await transport.deliver(requests()[0])

    asyncio.run(run())


def test_noise_is_told_and_costs_no_answer() -> None:
    async def run() -> list[Observation]:
        told: list[Observation] = []

        async def noisy(frame: Frame, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x00garbage##12")
            writer.write(encode_frame(answer_data(frame)))

        async with client(noisy, told) as (transport, _):
            await transport.deliver(requests()[0])
        return told

    told = asyncio.run(run())
    assert {observation.kind for observation in told} == {"protocol_deviation"}


def test_a_broken_connection_fails_what_is_under_way_and_can_be_opened_again() -> None:
    async def run() -> None:
        seen: list[Frame] = []

        async def hang_up_once(frame: Frame, writer: asyncio.StreamWriter) -> None:
            seen.append(frame)
            if len(seen) == 1:
                writer.transport.abort()
            else:
                await acknowledge(frame, writer)

        async with client(hang_up_once) as (transport, _):
            with pytest.raises(UnreachableError, match="connection lost"):
                await transport.deliver(requests()[0])
            with pytest.raises(UnreachableError, match="not connected"):
                await transport.deliver(requests()[0])
            await transport.open()
            assert (await transport.deliver(requests()[0])).reference == seen[0].qn

    asyncio.run(run())


def test_a_password_of_another_shape_is_refused_without_showing_it() -> None:
    settings = Hj212TcpSettings(type="hj212_tcp", host="127.0.0.1", port=1, password_secret="province")
    with pytest.raises(SpecError, match=r"secret province: .* found 8 characters") as refused:
        Hj212TcpTransport(settings, password="tooLong1", responsible={}, timeout_s=1, observe=lambda _: None)
    assert "tooLong1" not in str(refused.value)


def test_nobody_listening_is_unreachable() -> None:
    async def run() -> None:
        async with client(acknowledge) as (transport, _):
            pass
        with pytest.raises(UnreachableError, match="connecting"):
            await transport.open()

    asyncio.run(run())
