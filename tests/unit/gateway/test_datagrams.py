"""Datagrams over a real port: in bursts where the system has them, one by one where it has not."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from ingestion.gateway import datagram_receiving, datagram_sending
from ingestion.gateway.datagram_receiving import DatagramReceiver
from ingestion.gateway.datagram_sending import DatagramSender

_NO_SUCH_OPTION = 9999


@pytest.fixture
def port() -> Iterator[DatagramReceiver]:
    made = DatagramReceiver("127.0.0.1", 0)
    yield made
    made.close()


def received(port: DatagramReceiver) -> list[bytes]:
    """Every datagram that waits, in order."""
    return [
        bytes(burst[at : at + size])
        for burst, size, _ in port.receive(0.05)
        for at in range(0, len(burst), size)
    ]


@pytest.mark.parametrize("lacking", ["nothing", "UDP_SEGMENT", "UDP_GRO", "both"])
def test_datagrams_cross_whole_and_in_order_whatever_the_system_lacks(
    monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking in ("UDP_SEGMENT", "both"):
        monkeypatch.setattr(datagram_sending, "_UDP_SEGMENT", _NO_SUCH_OPTION)
    if lacking in ("UDP_GRO", "both"):
        monkeypatch.setattr(datagram_receiving, "_UDP_GRO", _NO_SUCH_OPTION)
    chance = random.Random(5)
    port = DatagramReceiver("127.0.0.1", 0)
    sender = DatagramSender("127.0.0.1", port.port, 1e9)
    sent = []
    for count, size in ((1, 900), (100, 1432), (3, 17), (1, 1432), (60, 1432), (2, 1)):
        datagrams = [(bytes([n % 256]), chance.randbytes(size)) for n in range(count)]
        sender.send(datagrams)
        sent += [head + body for head, body in datagrams]
    assert received(port) == sent
    assert not port.has_waiting()
    sender.close()
    port.close()


def test_a_burst_holds_one_length_and_one_sender(port: DatagramReceiver) -> None:
    one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    other.bind(("127.0.0.2", 0))
    sent = [(one, b"a" * 50), (one, b"b" * 50), (other, b"c" * 50), (other, b"d" * 70), (one, b"e" * 70)]
    for each, datagram in sent:
        each.sendto(datagram, ("127.0.0.1", port.port))
    found = [(bytes(burst), size, host) for burst, size, host in port.receive(0.05) if len(burst)]
    assert found == [
        (b"a" * 50 + b"b" * 50, 50, "127.0.0.1"),
        (b"c" * 50, 50, "127.0.0.2"),
        (b"d" * 70, 70, "127.0.0.2"),
        (b"e" * 70, 70, "127.0.0.1"),
    ]
    one.close()
    other.close()


def test_datagrams_of_another_sender_are_dropped_and_do_not_keep_the_receiver_from_ending() -> None:
    port = DatagramReceiver("127.0.0.1", 0, sender_host="127.0.0.2")
    foreign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    foreign.sendto(b"x" * 100, ("127.0.0.1", port.port))
    burst, _, _ = next(port.receive(0.05))
    assert len(burst) == 0
    foreign.close()
    port.close()
