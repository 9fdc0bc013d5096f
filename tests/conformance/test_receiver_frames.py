"""Public and standard HJ 212 frames against the strict platform's own parser; it shares no code with ours."""

import json
from pathlib import Path

import pytest

from reference_plant.receivers.hj212_wire import (
    Kind,
    RefusalError,
    crc,
    parse_content,
    parse_segment,
    segment_of,
)

CASES = json.loads((Path(__file__).parent / "data" / "hj212_frames.json").read_text(encoding="utf-8"))
FRAMES = {case["id"]: case["frame"].rstrip("\r\n").encode() for case in CASES}

# Valid on the wire, yet not by the letter of the 2017 standard: what the strict platform refuses, and why.
DEVIATIONS = {
    "P02": Kind.FLAG,  # a 2025 frame
    "P03": Kind.MN,
    "P05": Kind.MN,
    "P07": Kind.FLAG,  # Flag=7 without packet numbers
    "P09": Kind.MN,
    "P15": Kind.MN,
    "P17": Kind.MN,
    "P19": Kind.QN,  # epoch milliseconds
    "P21": Kind.QN,
    "P23": Kind.MN,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_header_length_and_checksum_are_judged_as_the_case_says(case: dict[str, object]) -> None:
    line = FRAMES[str(case["id"])]
    if case["valid"]:
        assert segment_of(line) == line[6:-4]
    else:
        with pytest.raises(RefusalError) as refusal:
            segment_of(line)
        assert refusal.value.kind is Kind.CRC


@pytest.mark.parametrize("case_id", [case["id"] for case in CASES if case["valid"]])
def test_the_data_segment_is_held_to_the_standard(case_id: str) -> None:
    segment = segment_of(FRAMES[case_id])
    if case_id in DEVIATIONS:
        with pytest.raises(RefusalError) as refusal:
            parse_segment(segment)
        assert refusal.value.kind is DEVIATIONS[case_id]
    else:
        assert parse_segment(segment).mn == "010000A8900016F000169DC0"


def test_a_trailing_separator_in_the_content_is_refused() -> None:
    content = FRAMES["P07"].decode().partition("CP=&&")[2].partition("&&")[0]
    assert content.endswith(";")
    with pytest.raises(RefusalError, match="name=value"):
        parse_content(content)


@pytest.mark.parametrize(("text", "expected"), [(b"123456789", 0x2F80), (b"", 0xFFFF), (b"\x00", 0x4040)])
def test_the_checksum_is_that_of_annex_a_and_not_modbus(text: bytes, expected: int) -> None:
    assert crc(text) == expected


def test_length_and_checksum_count_bytes_not_characters() -> None:
    segment = parse_segment(segment_of(FRAMES["S15"]))
    assert "清洗管路" in segment.content
