"""Streams as bad lines make them: the decoder neither raises nor hoards, and goes on after."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from protocols import hj212

FRAMES = [
    case["frame"].encode() + b"\r\n"
    for case in json.loads((Path(__file__).parent / "data" / "hj212_frames.json").read_text(encoding="utf-8"))
    if case["valid"]
]
WHOLE = FRAMES[0]
LONGEST = 4096 + 10  # what a decoder may hold back: one frame


def joined(source: random.Random) -> bytes:
    return b"".join(source.choices(FRAMES, k=source.randint(1, 6)))


def truncated(source: random.Random) -> bytes:
    frame = source.choice(FRAMES)
    return joined(source) + frame[: source.randrange(len(frame))]


def wrong_crc(source: random.Random) -> bytes:
    frame = source.choice(FRAMES)
    return frame[:-6] + f"{source.randrange(65_536):04X}".encode() + b"\r\n" + joined(source)


def wrong_length(source: random.Random) -> bytes:
    frame = source.choice(FRAMES)
    return b"##" + f"{source.randrange(10_000):04d}".encode() + frame[6:] + joined(source)


def noise(source: random.Random) -> bytes:
    return (
        source.randbytes(source.randint(1, 3000)) + joined(source) + source.randbytes(source.randint(1, 50))
    )


def heads(source: random.Random) -> bytes:
    return source.choice([b"#", b"##", b"##0", b"##9999", b"\r\n", b"&&"]) * source.randint(1, 400)


def gbk(source: random.Random) -> bytes:
    text = "".join(source.choices("超标排放口化学需氧量仪表故障", k=source.randint(1, 40)))
    head = "QN=20160801085857223;ST=32;CN=3020;PW=100000;MN=010000A8900016F000169DC0;Flag=4;"
    return hj212.wrap(f"{head}CP=&&Info=//{text}//&&".encode(source.choice(["gb18030", "utf-8"])))


def flipped(source: random.Random) -> bytes:
    stream = bytearray(joined(source))
    for _ in range(source.randint(1, 8)):
        stream[source.randrange(len(stream))] ^= 1 << source.randrange(8)
    return bytes(stream)


KINDS: list[Callable[[random.Random], bytes]] = [
    joined, truncated, wrong_crc, wrong_length, noise, heads, gbk, flipped,
]  # fmt: skip


def pieces(source: random.Random, stream: bytes) -> list[bytes]:
    """The stream as a line gives it out: at once, in parts, or byte by byte from a slow one."""
    most = source.choice([1, 7, 500, len(stream)])
    cut, at = list[bytes](), 0
    while at < len(stream):
        end = at + source.randint(1, max(most, 1))
        cut.append(stream[at:end])
        at = end
    return cut


def fuzz(seed: int, count: int) -> None:
    print(f"seed {seed}, {count} streams")  # noqa: T201 - what was injected, for whoever repeats it
    source = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        stream = b"".join(source.choice([kind, kind, *KINDS])(source) for _ in range(source.randint(1, 3)))
        decoder, found = hj212.StreamDecoder(), []
        for piece in pieces(source, stream):
            found += decoder.feed(piece)
        told = f"stream {number} of {kind.__name__}, seed {seed}"
        held_back = len(decoder._buffer)
        assert held_back <= LONGEST, told
        given_out = b"".join(item.raw for item in found)
        assert len(given_out) <= len(stream), told
        assert any(isinstance(item, hj212.ReceivedFrame) for item in _after(decoder)), f"{told}: stuck"


def _after(decoder: hj212.StreamDecoder) -> list[object]:
    """What comes of sound frames after it; a length that lies may take in one longest frame of them."""
    return [item for _ in range(LONGEST // len(WHOLE) + 2) for item in decoder.feed(WHOLE)]


def test_bad_streams_neither_crash_nor_block_the_decoder() -> None:
    fuzz(seed=212, count=400)


@pytest.mark.full
def test_ten_thousand_bad_streams_neither_crash_nor_block_the_decoder() -> None:
    fuzz(seed=2026, count=10_000)
