"""Real and printed HJ 212 frames decide as marked, and the strict ones encode to the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols import hj212

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "hj212_frames.json").read_text(encoding="utf-8")
)
VALID = [case for case in CASES if case["valid"]]
STRICT = {"P01", "P02", "P11", "P13", "S01", "S03", "S05", "S07", "S09", "S11", "S13", "S15", "S17", "S19"}


def raw(case: dict[str, Any]) -> bytes:
    return case["frame"].encode() + b"\r\n"


def test_all_26_cases_are_here() -> None:
    assert len(CASES) == 26
    assert len(VALID) == 23


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_frame_decides_as_marked(case: dict[str, Any]) -> None:
    if case["valid"]:
        assert hj212.decode_frame(raw(case)).raw == raw(case)
    else:
        with pytest.raises(hj212.FrameCrcError):
            hj212.decode_frame(raw(case))


@pytest.mark.parametrize("case", VALID, ids=lambda case: case["id"])
def test_a_frame_is_strict_exactly_where_it_follows_the_standard(case: dict[str, Any]) -> None:
    received = hj212.decode_frame(raw(case))
    assert received.is_strict == (case["id"] in STRICT), received.deviations
    if received.is_strict:
        assert hj212.encode_frame(received.frame) == raw(case)
    else:
        with pytest.raises(hj212.FrameContentError):
            hj212.encode_frame(received.frame)


@pytest.mark.parametrize(
    ("case_id", "expected"),
    [
        ("P03", {hj212.Deviation.LOWER_CASE_CRC, hj212.Deviation.MN_FORMAT}),
        ("P07", {hj212.Deviation.PACKET_NUMBERS, hj212.Deviation.TRAILING_SEPARATOR}),
        ("P09", {hj212.Deviation.MN_FORMAT, hj212.Deviation.FLAG_VERSION, hj212.Deviation.PACKET_NUMBERS}),
        ("P17", {hj212.Deviation.MN_FORMAT, hj212.Deviation.ANSWER_FIELDS}),
        ("P19", {hj212.Deviation.QN_FORMAT, hj212.Deviation.MN_FORMAT, hj212.Deviation.ANSWER_FIELDS}),
    ],
)
def test_each_deviation_is_named(case_id: str, expected: set[hj212.Deviation]) -> None:
    case = next(case for case in CASES if case["id"] == case_id)
    assert set(hj212.decode_frame(raw(case)).deviations) == expected


def test_the_fields_of_the_official_frame_are_read() -> None:
    frame = hj212.decode_frame(raw(CASES[0])).frame
    assert frame == hj212.Frame(
        qn="20160801085857223",
        st="32",
        cn="1062",
        pw="100000",
        mn="010000A8900016F000169DC0",
        flag=5,
        cp=((("RtdInterval", "30"),),),
    )
    assert frame.wants_ack
    assert frame.version == hj212.Version.V2017


def test_all_cases_in_one_stream_come_out_in_order_whatever_the_pieces() -> None:
    stream = b"".join(raw(case) for case in CASES)
    for size in (1, 7, 100, 100_000):
        decoder = hj212.StreamDecoder()
        found = [
            item
            for start in range(0, len(stream), size)
            for item in decoder.feed(stream[start : start + size])
        ]
        frames = [item.raw + b"\r\n" for item in found if isinstance(item, hj212.ReceivedFrame)]
        rejected = [item.error for item in found if isinstance(item, hj212.RejectedBytes)]
        assert frames == [raw(case) for case in VALID]
        assert [type(error) for error in rejected] == [hj212.FrameCrcError] * 3
