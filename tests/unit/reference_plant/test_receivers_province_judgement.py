"""What the strict provincial platform accepts, refuses and keeps."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protocols.hj212 import Frame, encode_frame
from reference_plant.receivers.hj212_wire import LineSplitter, build_frame, crc
from reference_plant.receivers.plant import PlantView
from reference_plant.receivers.province import ProvincePlatform

MN = "320400000000000000000DA1"
WATER_MN = "320400000000000000000D01"
PW = "s3cret"
NOW = datetime(2026, 11, 16, 6, 0, 30, tzinfo=UTC)  # 14:00:30 in the plant
REAL_TIME = "DataTime=20261116140000;a21026-Rtd=12.34,a21026-ZsRtd=13.01,a21026-Flag=N"
HOUR = "DataTime=20261116120000;a21026-Min=1.0,a21026-Avg=2.5,a21026-Max=3.0,a21026-Flag=N"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[ProvincePlatform]:
    judge = ProvincePlatform(PlantView(tmp_path, "province", 0, ()), password=PW)
    yield judge
    judge.store.close()


def frame(content: str = REAL_TIME, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "qn": "20261116140000001",
        "st": "31",
        "cn": "2011",
        "pw": PW,
        "mn": MN,
        "flag": 5,
    }
    fields |= changes
    return build_frame(content=content, **fields)[:-2]  # type: ignore[arg-type]


def packet(number: int, content: str, *, qn: str, flag: int = 7, total: int = 2) -> bytes:
    whole = frame(f"DataTime=20261116120000;{content}", cn="2061", qn=qn, flag=flag)
    text = whole[6:-4].decode().replace(f"Flag={flag};", f"Flag={flag};PNUM={total};PNO={number};")
    return resealed(text)


def resealed(segment: str) -> bytes:
    return b"##%04d%b%04X" % (len(segment.encode()), segment.encode(), crc(segment.encode()))


def rows(sql: str, tmp_path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(tmp_path / "var/plant/receivers/province.sqlite") as reader:
        return reader.execute(sql).fetchall()


def test_an_upload_is_kept_and_acknowledged_with_its_own_qn(
    platform: ProvincePlatform, tmp_path: Path
) -> None:
    _, answer = platform.judge(frame(), NOW)
    expected = build_frame(qn="20261116140000001", st="91", cn="9014", pw=PW, mn=MN, flag=4)
    assert answer == expected
    assert rows('select * from "values" order by field', tmp_path) == [
        (MN, "2011", "20261116140000", "a21026", "Rtd", "12.34", "N"),
        (MN, "2011", "20261116140000", "a21026", "ZsRtd", "13.01", "N"),
    ]


def test_an_upload_that_wants_no_answer_gets_none_and_is_kept(
    platform: ProvincePlatform, tmp_path: Path
) -> None:
    segment, answer = platform.judge(frame(flag=4), NOW)
    assert segment is not None
    assert answer is None
    assert rows('select count(*) from "values"', tmp_path) == [(2,)]


def test_a_call_for_the_time_is_a_notice_and_answered_by_9013(platform: ProvincePlatform) -> None:
    _, answer = platform.judge(frame("", cn="1013"), NOW)
    assert answer is not None
    assert b"CN=9013" in answer


REFUSED = [
    pytest.param(frame(pw="wrong1"), "pw", id="password"),
    pytest.param(frame(mn="320400000000000000000DA9"), "mn", id="unregistered station"),
    pytest.param(frame(st="32"), "st", id="another station's system code"),
    pytest.param(frame(cn="9021"), "cn", id="unknown command"),
    pytest.param(frame(flag=9), "flag", id="version 2025"),
    pytest.param(frame(flag=7), "flag", id="packet bit without packet numbers"),
    pytest.param(frame(qn="2026111614000000"), "qn", id="short QN"),
    pytest.param(frame(REAL_TIME.replace("20261116140000", "20261116150000")), "data_time", id="future"),
    pytest.param(frame(REAL_TIME.replace("20261116140000", "20261131140000")), "data_time", id="31 November"),
    pytest.param(frame(REAL_TIME.replace("20261116140000", "20240101000000")), "data_time", id="years ago"),
    pytest.param(frame(REAL_TIME.partition(";")[2]), "data_time", id="no DataTime"),
    pytest.param(frame(HOUR.replace("120000", "121000"), cn="2061"), "data_time", id="not on the hour"),
    pytest.param(frame(HOUR.replace("120000", "140000"), cn="2061"), "data_time", id="hour not over"),
    pytest.param(frame(REAL_TIME.replace("a21026", "w01018")), "factor", id="water factor at a stack"),
    pytest.param(frame(REAL_TIME + ";a21026-Rtd=1,a21026-Flag=N"), "factor", id="factor twice"),
    pytest.param(frame(REAL_TIME.replace("12.34", "1.234e1")), "number", id="exponent"),
    pytest.param(frame(REAL_TIME.replace("12.34", "012.34")), "number", id="leading zero"),
    pytest.param(frame(REAL_TIME.replace("12.34", "12.34000")), "number", id="too many decimals"),
    pytest.param(frame(REAL_TIME.replace("12.34", "nan")), "number", id="not a number"),
    pytest.param(
        frame("DataTime=20261116140000;a01013-Rtd=-180.0,a01013-Flag=N"), "number", id="pascal for kilopascal"
    ),
    pytest.param(frame("DataTime=20261116140000;a01012-Rtd=-90,a01012-Flag=N"), "number", id="absurd °C"),
    pytest.param(frame(REAL_TIME.replace("Flag=N", "Flag=X")), "mark", id="unknown mark"),
    pytest.param(frame(REAL_TIME.replace(",a21026-Flag=N", "")), "mark", id="no mark"),
    pytest.param(frame("DataTime=20261116140000;a21026-Flag=N"), "mark", id="normal without value"),
    pytest.param(frame(HOUR.replace("Avg=2.5", "Avg=3.5"), cn="2061"), "statistics", id="mean above maximum"),
    pytest.param(frame(HOUR), "content", id="period fields in a real-time upload"),
    pytest.param(frame(REAL_TIME + ";"), "content", id="trailing separator"),
    pytest.param(frame()[:-1] + b"F", "crc", id="checksum"),
    pytest.param(b"##0042" + frame()[6:], "length", id="length"),
    pytest.param(b"##12x4" + frame()[6:], "header", id="length is no number"),
    pytest.param(b"\x00\x01noise", "noise", id="noise"),
    pytest.param(b"\x00" + frame(), "noise", id="noise before a frame"),
    pytest.param(b"##", "header", id="header alone"),
    pytest.param(b"", "noise", id="empty line"),
]


@pytest.mark.parametrize(("line", "kind"), REFUSED)
def test_what_breaks_the_standard_gets_no_answer_and_is_kept_with_the_reason(
    platform: ProvincePlatform, tmp_path: Path, line: bytes, kind: str
) -> None:
    assert platform.judge(line, NOW) == (None, None)
    [(accepted, reason)] = rows("select accepted, reason from frames", tmp_path)
    assert not accepted
    assert str(reason).startswith(f"{kind}: ")
    assert rows('select * from "values"', tmp_path) == []


def test_a_resent_frame_is_acknowledged_again_and_stored_once(
    platform: ProvincePlatform, tmp_path: Path
) -> None:
    first, second = platform.judge(frame(), NOW), platform.judge(frame(), NOW)
    assert first == second
    assert rows("select accepted, duplicate from frames order by id", tmp_path) == [(1, 0), (1, 1)]
    assert rows('select count(*) from "values"', tmp_path) == [(2,)]


def test_a_qn_used_again_for_other_content_is_refused(platform: ProvincePlatform, tmp_path: Path) -> None:
    platform.judge(frame(), NOW)
    assert platform.judge(frame(REAL_TIME.replace("12.34", "12.35")), NOW) == (None, None)
    assert rows("select value from \"values\" where field = 'Rtd'", tmp_path) == [("12.34",)]


def hour(start: str, qn: str, value: str = "2.5") -> bytes:
    return frame(HOUR.replace("120000", start).replace("Avg=2.5", f"Avg={value}"), cn="2061", qn=qn)


def test_an_older_period_is_accepted_as_a_resend_and_the_breach_of_order_is_noted(
    platform: ProvincePlatform, tmp_path: Path
) -> None:
    platform.judge(hour("120000", "20261116130200000"), NOW)
    assert platform.judge(hour("110000", "20261116120200000"), NOW)[1] is not None
    assert rows("select order_breach from frames order by id", tmp_path) == [("",), ("resend",)]


def test_an_older_period_with_a_new_qn_is_refused(platform: ProvincePlatform, tmp_path: Path) -> None:
    platform.judge(hour("120000", "20261116130200000"), NOW)
    assert platform.judge(hour("110000", "20261116130300000"), NOW) == (None, None)
    [(reason,)] = rows("select reason from frames where not accepted", tmp_path)
    assert str(reason).startswith("order: ")


def test_a_new_version_of_a_period_replaces_its_values(platform: ProvincePlatform, tmp_path: Path) -> None:
    platform.judge(hour("110000", "20261116120200000"), NOW)
    platform.judge(hour("120000", "20261116130200000"), NOW)
    assert platform.judge(hour("110000", "20261116133000000", value="2.6"), NOW)[1] is not None
    sql = "select value from \"values\" where data_time like '%110000' and field = 'Avg'"
    assert rows(sql, tmp_path) == [("2.6",)]


def test_packets_are_acknowledged_each_and_count_when_all_are_there(
    platform: ProvincePlatform, tmp_path: Path
) -> None:
    first = packet(1, "a21026-Avg=2.0,a21026-Flag=N", qn="20261116130200001")
    second = packet(2, "a21002-Avg=9.0,a21002-Flag=N", qn="20261116130200002")
    for line, values in ((second, 0), (second, 0), (first, 2)):
        assert platform.judge(line, NOW)[1] is not None
        assert rows('select count(*) from "values"', tmp_path) == [(values,)]


def test_packets_that_share_one_qn_are_one_group_too(platform: ProvincePlatform, tmp_path: Path) -> None:
    for number, code in ((1, "a21026"), (2, "a21002")):
        line = packet(number, f"{code}-Avg=2.0,{code}-Flag=N", qn="20261116130200001")
        assert platform.judge(line, NOW)[1] is not None
    assert rows('select count(*) from "values"', tmp_path) == [(2,)]


def test_a_packet_number_beyond_the_count_is_refused(platform: ProvincePlatform) -> None:
    line = packet(3, "a21026-Avg=2.0,a21026-Flag=N", qn="20261116130200001")
    assert platform.judge(line, NOW) == (None, None)


def test_a_missing_value_with_a_mark_of_fault_is_accepted(platform: ProvincePlatform) -> None:
    assert platform.judge(frame("DataTime=20261116140000;a21026-Flag=D"), NOW)[1] is not None


def test_start_of_the_logger_and_its_log_are_accepted(platform: ProvincePlatform) -> None:
    boot = frame("DataTime=20261116140000;RestartTime=20261116135900", cn="2081")
    log = frame(
        "DataTime=20261116140000;PolId=w01018;i11001-Info=//清洗管路//", cn="3020", mn=WATER_MN, st="32"
    )
    assert platform.judge(boot, NOW)[1] is not None
    assert platform.judge(log, NOW)[1] is not None


def test_frames_written_by_our_own_encoder_satisfy_the_judge(platform: ProvincePlatform) -> None:
    ours = Frame(
        qn="20261116140000001",
        st="31",
        cn="2011",
        pw=PW,
        mn=MN,
        flag=5,
        cp=((("DataTime", "20261116140000"),), (("a21026-Rtd", "12.34"), ("a21026-Flag", "N"))),
    )
    assert platform.judge(encode_frame(ours)[:-2], NOW)[1] is not None


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
def test_lines_come_out_whole_however_the_network_cuts_them(size: int) -> None:
    lines = [frame(), b"noise", frame(flag=4)]
    stream = b"".join(line + b"\r\n" for line in lines)
    splitter = LineSplitter()
    found = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert found == lines


def test_an_endless_line_is_handed_out_and_forgotten() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"x" * 5000)) == [b"x" * 5000]
    assert list(splitter.feed(frame() + b"\r\n")) == [frame()]
