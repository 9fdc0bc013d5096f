from __future__ import annotations

import pytest

from exports.transports.base import Observation
from exports.transports.hj212_host import HostDesk
from protocols.hj212 import Frame, ReceivedFrame, encode_frame

MN = "320400000000000000000DA1"


def request(cn: str, mn: str = MN, pw: str = "aB3xYz") -> ReceivedFrame:
    frame = Frame(qn="20261117063000000", st="31", cn=cn, pw=pw, mn=mn, flag=5)
    return ReceivedFrame(frame, (), encode_frame(frame))


@pytest.mark.parametrize(
    "cn", ["1000", "1012", "1062", "1064", "1072", "3011", "3012", "3013", "3016", "3021"]
)
def test_what_would_act_in_the_control_zone_is_refused_logged_and_shown(cn: str) -> None:
    told: list[Observation] = []
    (answer,) = HostDesk("aB3xYz", {MN: "周敏"}, told.append).answer(request(cn))
    assert (answer.cn, answer.qn, answer.value("QnRtn")) == ("9011", "20261117063000000", "2")
    assert [(one.kind, one.subject) for one in told] == [("host_command_refused", f"CN{cn}/{MN}")]
    assert "周敏" in told[0].remedy_zh, "a task is for a named person"
    assert b"aB3xYz" not in told[0].body


@pytest.mark.parametrize("cn", ["2011", "2031", "2051", "2061"])
def test_a_request_for_data_is_accepted_and_answered_with_no_data(cn: str) -> None:
    answers = HostDesk("aB3xYz", {MN: "周敏"}, lambda _: None).answer(request(cn))
    assert [(one.cn, one.value("QnRtn"), one.value("ExeRtn")) for one in answers] == [
        ("9011", "1", None),
        ("9012", None, "100"),
    ]


@pytest.mark.parametrize(
    ("asked", "result"),
    [
        (request("1012", pw="wrong1"), "3"),
        (request("1012", mn="F" * 24), "4"),
        (request("2061", pw="wrong1"), "3"),
    ],
)
def test_who_is_not_known_is_refused_for_that(asked: ReceivedFrame, result: str) -> None:
    (answer,) = HostDesk("aB3xYz", {MN: "周敏"}, lambda _: None).answer(asked)
    assert (answer.cn, answer.value("QnRtn")) == ("9011", result)


def test_a_notice_is_answered_as_a_notice_and_not_obeyed() -> None:
    told: list[Observation] = []
    (answer,) = HostDesk("aB3xYz", {MN: "周敏"}, told.append).answer(request("2012"))
    assert answer.cn == "9013"
    assert told[0].kind == "host_request"
    assert "not acted upon" in told[0].detail_en


def test_an_answer_to_ours_is_not_answered_again() -> None:
    frame = Frame(qn="20261117063000000", st="91", cn="9013", pw="aB3xYz", mn=MN, flag=4)
    desk = HostDesk("aB3xYz", {MN: "周敏"}, lambda _: None)
    assert desk.answer(ReceivedFrame(frame, (), encode_frame(frame))) == []
