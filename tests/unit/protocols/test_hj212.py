"""HJ 212: check code, round trips, resynchronisation, sub-packets, answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import hj212
from protocols.hj212 import packets

MN = "010000A8900016F000169DC0"


def standard_crc(data: bytes) -> int:
    """Annex A, bit by bit, as the standard's own code prints it."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            lowest = register & 1
            register >>= 1
            if lowest:
                register ^= 0xA001
    return register


names = st.from_regex(r"[a-z][0-9]{5}-(Rtd|Avg|Min|Max|Cou|Flag|ZsAvg)", fullmatch=True)
plain_values = st.from_regex(r"-?[0-9]{1,5}(\.[0-9]{1,4})?|[A-Z]", fullmatch=True)
logs = st.text(st.characters(exclude_characters="/", exclude_categories=("C", "Z")), min_size=1, max_size=20)
values = plain_values | logs.map(lambda text: f"//{text}//")
groups = st.lists(st.tuples(names, values), min_size=1, max_size=4).map(tuple)
frames = st.builds(
    hj212.Frame,
    qn=st.integers(0, 99 * 31_536_000_000).map(
        lambda ms: hj212.format_qn(datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms), UTC)
    ),
    st=st.sampled_from(["31", "32", "21"]),
    cn=st.sampled_from(["2011", "2051", "2061", "2031", "3020"]),
    pw=st.from_regex(r"[0-9A-Za-z]{6}", fullmatch=True),
    mn=st.from_regex(r"[0-9A-F]{24}", fullmatch=True),
    flag=st.sampled_from([4, 5, 8, 9]),
    cp=st.lists(groups, max_size=5).map(tuple),
)


@given(st.binary(max_size=300))
def test_the_check_code_is_the_standards_for_any_bytes(data: bytes) -> None:
    assert hj212.crc16(data) == standard_crc(data)


@pytest.mark.parametrize(("data", "crc"), [(b"123456789", 0x2F80), (b"", 0xFFFF), (b"\0", 0x4040)])
def test_the_check_code_has_its_known_values(data: bytes, crc: int) -> None:
    assert hj212.crc16(data) == crc


@given(frames)
def test_a_strict_frame_comes_back_equal(frame: hj212.Frame) -> None:
    raw = hj212.encode_frame(frame)
    received = hj212.decode_frame(raw)
    assert received.frame == frame
    assert received.is_strict
    assert int(raw[2:6]) == len(raw) - 12


@given(st.lists(frames, max_size=4), st.data())
def test_frames_survive_noise_and_any_pieces(sent: list[hj212.Frame], data: st.DataObject) -> None:
    noise = st.binary(max_size=30).map(lambda blob: blob.replace(b"#", b""))
    stream = b"".join(data.draw(noise) + hj212.encode_frame(frame) for frame in sent)
    decoder = hj212.StreamDecoder()
    found = []
    while stream:
        size = data.draw(st.integers(1, max(1, len(stream))))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [item.frame for item in found if isinstance(item, hj212.ReceivedFrame)] == sent


@given(frames, st.integers(min_value=0), st.integers(1, 255))
def test_one_changed_byte_is_never_taken_for_the_frame_sent(frame: hj212.Frame, at: int, mask: int) -> None:
    raw = bytearray(hj212.encode_frame(frame))
    raw[at % (len(raw) - 2)] ^= mask
    try:
        received = hj212.decode_frame(bytes(raw))
    except hj212.Hj212Error:
        return
    # Only the case of a check code digit may change and still be read, and that is noted.
    assert received.frame == frame
    assert received.deviations == (hj212.Deviation.LOWER_CASE_CRC,)


def test_a_damaged_length_does_not_cost_the_next_frame() -> None:
    good = hj212.encode_frame(frame_of(()))
    damaged = b"##0999" + good[6:]
    found = hj212.StreamDecoder().feed(damaged + good * 12)
    kinds = [type(item).__name__ for item in found]
    assert kinds[0] == "RejectedBytes"
    assert kinds.count("ReceivedFrame") == 12


def test_the_buffer_stays_bounded_under_endless_noise() -> None:
    decoder = hj212.StreamDecoder(max_segment_bytes=1024)
    rejected = 0
    for chunk in [b"#" * 5000, b"##9999" * 900, b"\0" * 5000, b"##1024" + b"x" * 500] * 20:
        rejected += len(decoder.feed(chunk))
        assert len(decoder._buffer) <= 1024 + 12
    assert rejected > 0


def test_a_frame_without_line_end_is_given_out_at_once() -> None:
    raw = hj212.encode_frame(frame_of(()))
    decoder = hj212.StreamDecoder()
    assert len(decoder.feed(raw[:-2])) == 1
    assert len(decoder.feed(raw[-2:] + raw)) == 1


def frame_of(cp: tuple[hj212.Group, ...], flag: int = 5) -> hj212.Frame:
    return hj212.Frame("20260101000000000", "31", "2051", "123456", MN, flag, cp=cp)


def long_frame(items: int) -> hj212.Frame:
    data_time = (("DataTime", "20260101000000"),)
    body = [((f"a{n:05d}-Avg", "12.34"), (f"a{n:05d}-Flag", "N")) for n in range(items)]
    return frame_of((data_time, *body))


@given(st.integers(0, 200))
def test_packets_hold_every_item_once_and_each_may_be_sent(items: int) -> None:
    numbers = count(1)
    frame = long_frame(items)
    parts = hj212.split_packets(frame, lambda: f"20260101000001{next(numbers):03d}")
    raws = [hj212.encode_frame(part) for part in parts]
    assert all(len(raw) <= 1024 + 12 for raw in raws)
    assert all(part.cp[0] == frame.cp[0] for part in parts)
    assert [group for part in parts for group in part.cp[1:]] == list(frame.cp[1:])
    assert len({part.qn for part in parts}) == len(parts)
    assert parts[0].qn == frame.qn
    if len(parts) > 1:
        assert [(part.pno, part.pnum, part.flag) for part in parts] == [
            (index, len(parts), 7) for index in range(1, len(parts) + 1)
        ]
    else:
        assert parts == [frame]


def test_an_item_longer_than_a_packet_is_refused() -> None:
    frame = frame_of(((("DataTime", "20260101000000"),), (("i11001-Info", f"//{'长' * 400}//"),)))
    with pytest.raises(hj212.FrameContentError, match="never cut"):
        hj212.split_packets(frame, lambda: "20260101000001000")


def test_the_widest_head_and_the_fullest_packet_still_fit_one_frame() -> None:
    head = hj212.Frame("20260101000000000", "31", "2051", "123456", MN, 255, pnum=9999, pno=9999, rf=1)
    names_of = ("qn", "st", "cn", "pw", "mn", "flag", "pnum", "pno", "rf")
    labels = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
    longest = sum(
        len(f"{label}={getattr(head, name)};") for label, name in zip(labels, names_of, strict=True)
    )
    assert longest <= packets._HEAD_LIMIT_BYTES


@pytest.mark.parametrize(
    ("change", "deviation"),
    [
        ({"pw": "12345"}, "pw_format"),
        ({"mn": "abc"}, "mn_format"),
        ({"qn": "20261301000000000"}, "qn_format"),
        ({"cn": "2099"}, "cn_unknown"),
        ({"flag": 7}, "packet_numbers"),
        ({"flag": 300}, "flag_format"),
        ({"cp": ((("DataTime", "1;b=2"),),)}, "item_format"),
        ({"cp": ((("DataTime", ""),),)}, "item_format"),
        ({"cp": ((("x", "a&&b"),),)}, "item_format"),
        ({"cp": ((),)}, "item_format"),
        ({"st": None}, "missing_field"),
    ],
)
def test_what_the_standard_forbids_is_not_sent(change: dict[str, object], deviation: str) -> None:
    fields = {**frame_of(()).__dict__, **change}
    with pytest.raises(hj212.FrameContentError, match=deviation):
        hj212.encode_frame(hj212.Frame(**fields))


@pytest.mark.parametrize(
    ("segment", "deviation"),
    [
        (b"ST=31;MN=ABC;CN=2011;PW=123456;CP=&&&&", "missing_field"),
        (b"QN=20260101000000000,ST=31;CN=2011;PW=123456;MN=X;Flag=5;CP=&&&&", "field_separator"),
        (b"QN=20260101000000000;ST=31;CN=2011;PW=123456;MN=X;Flag=5CP=&&&&", "field_separator"),
        (b"ST=31;QN=20260101000000000;CN=2011;PW=123456;MN=X;Flag=5;CP=&&&&", "field_order"),
        (b"ST=31;CN=2011;PW=123456;MN=X;Flag=5;CP=&&a01001-Rtd=1 &&", "blanks"),
        (b"ST=31;CN=2011;PW=123456;MN=X;Flag=5;CP=&&a01001-Rtd&&", "item_format"),
        (b"ST=31;CN=2011;PW=123456;MN=X;Flag=7;PNO=0002;PNUM=0002;CP=&&&&", "packet_numbers"),
        ("ST=31;CN=3020;PW=123456;MN=X;Flag=5;CP=&&i11001-Info=//清洗//&&".encode("gb18030"), "not_utf8"),
        (b"ST=31;CN=2011;PW=123456;MN=X;Flag=5;CP=&&" + b"a=1;" * 300 + b"a=1&&", "segment_too_long"),
    ],
)
def test_a_tolerated_deviation_is_recorded(segment: bytes, deviation: str) -> None:
    received = hj212.decode_frame(hj212.wrap(segment))
    assert deviation in received.deviations
    assert received.raw == hj212.wrap(segment)


@pytest.mark.parametrize("segment", [b"", b"QN=1", b"QN=1;CP=&&a=1", b"hello;CP=&&&&", b"CP=&&a=1&&xyz"])
def test_what_is_no_data_segment_is_refused(segment: bytes) -> None:
    with pytest.raises(hj212.DataSegmentError):
        hj212.decode_frame(hj212.wrap(segment))


@pytest.mark.parametrize("raw", [b"", b"#", b"##12", b"##00x1", b"xx0000FFFF"])
def test_what_has_no_head_is_refused(raw: bytes) -> None:
    with pytest.raises(hj212.FrameHeadError):
        hj212.decode_frame(raw)


def test_answers_repeat_the_identity_and_are_strict() -> None:
    asked = frame_of(())
    answers = {
        "9011": hj212.answer_request(asked, hj212.QnRtn.READY),
        "9012": hj212.answer_execution(asked, hj212.ExeRtn.NO_DATA),
        "9013": hj212.answer_notice(asked),
        "9014": hj212.answer_data(asked),
    }
    for command, answer in answers.items():
        assert (answer.cn, answer.st, answer.flag) == (command, "91", 4)
        assert (answer.qn, answer.pw, answer.mn) == (asked.qn, asked.pw, asked.mn)
        assert hj212.decode_frame(hj212.encode_frame(answer)).is_strict
    assert answers["9012"].value("ExeRtn") == "100"
    assert hj212.answer_data(frame_of((), flag=9)).flag == 8


def test_the_qn_is_the_plants_local_time_to_the_millisecond() -> None:
    at = datetime(2026, 11, 16, 16, 30, 1, 223_999, tzinfo=UTC)
    assert hj212.format_qn(at, ZoneInfo("Asia/Shanghai")) == "20261117003001223"
