"""Number ranges, error correction, the block cipher and heartbeats."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import fec
from protocols.gateway_blocks import BlockContentError, read_records
from protocols.gateway_cipher import CipherError, receiving_cipher, sending_cipher
from protocols.heartbeat import Heartbeat, HeartbeatError, StreamSent, read_heartbeat, write_heartbeat
from protocols.number_ranges import NumberRanges

KEY = Ed25519PrivateKey.generate()
BEAT = Heartbeat(
    "c1", "udp", 7, "2026-11-16T00:00:00+00:00", 5.0, 3, {"p.points": StreamSent(1, 9, ((4, 6),))}
)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9))), st.lists(st.integers(1, 70)))
def test_ranges_are_a_set_of_numbers(added: list[tuple[int, int]], removed: list[int]) -> None:
    ranges, plain = NumberRanges(), set()
    for first, length in added:
        ranges.add(first, first + length)
        plain |= set(range(first, first + length + 1))
    for number in removed:
        ranges.remove(number)
        plain.discard(number)
    assert list(ranges.numbers()) == sorted(plain)
    assert (len(ranges), bool(ranges), ranges.first()) == (len(plain), bool(plain), min(plain, default=None))
    assert all((number in ranges) == (number in plain) for number in range(75))
    assert list(ranges.missing(5, 40).numbers()) == [n for n in range(5, 41) if n not in plain]
    pairs = ranges.pairs()
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(pairs))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60_000), st.integers(0, 2**32))
def test_any_symbols_enough_give_the_content_back(size: int, seed: int) -> None:
    chance = random.Random(seed)
    content = chance.randbytes(size)
    source, repair = fec.source_count(size), 20
    packets = dict(enumerate(fec.encode(content, repair)))
    assert len(packets) == source + repair
    kept = dict(chance.sample(sorted(packets.items()), source + 3))
    assert fec.decode(kept, size) == content
    assert fec.decode(dict(list(kept.items())[: source - 1]), size) is None


def test_repair_grows_with_loss_and_is_cheap_for_large_blocks() -> None:
    counts = [fec.repair_count(733, loss) for loss in (0.0, 0.01, 0.05, 0.15)]
    assert counts == sorted(counts)
    assert counts[2] / 733 < 0.13
    assert fec.repair_count(1, 0.05) >= 7
    with pytest.raises(ValueError, match="0 up to below 1"):
        fec.repair_count(10, 1.0)


def test_a_sealed_block_opens_for_its_receiver_number_and_session_only() -> None:
    box = X25519PrivateKey.generate()
    sending = sending_cipher(box.public_key(), 5)
    sealed = sending.seal(1, b"content")
    assert receiving_cipher(box, sending.ephemeral_key, 5).open(1, sealed) == b"content"
    for opener, block in (
        (receiving_cipher(box, sending.ephemeral_key, 5), 2),
        (receiving_cipher(box, sending.ephemeral_key, 6), 1),
        (receiving_cipher(X25519PrivateKey.generate(), sending.ephemeral_key, 5), 1),
    ):
        with pytest.raises(CipherError):
            opener.open(block, sealed)
    with pytest.raises(CipherError, match="refused"):
        receiving_cipher(box, bytes(32), 5)


def test_a_heartbeat_comes_back_and_a_changed_one_does_not() -> None:
    written = write_heartbeat(BEAT, KEY)
    assert read_heartbeat(written, KEY.public_key()) == BEAT
    for spoilt in (written.replace(b":7,", b":8,"), written[:-5], b"[]", b"{}", b"[" * 100_000, b"\xff"):
        with pytest.raises(HeartbeatError):
            read_heartbeat(spoilt, KEY.public_key())
    with pytest.raises(HeartbeatError, match="not signed"):
        read_heartbeat(written, Ed25519PrivateKey.generate().public_key())


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reading_of_a_block(content: bytes) -> None:
    with suppress(BlockContentError):
        list(read_records(content))
