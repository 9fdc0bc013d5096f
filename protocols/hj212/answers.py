"""The four answers of HJ 212: same QN, PW and MN as what is answered, ST 91, no answer wanted in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.hj212.codes import INTERACTION_ST, Command, ExeRtn, QnRtn, Version
from protocols.hj212.frame import Frame

if TYPE_CHECKING:
    from protocols.hj212.frame import Group


def answer_request(request: Frame, result: QnRtn) -> Frame:
    """9011: whether the request will be carried out."""
    return _answer(request, Command.REQUEST_ANSWER, ((("QnRtn", str(int(result))),),))


def answer_execution(request: Frame, result: ExeRtn) -> Frame:
    """9012: how carrying it out ended."""
    return _answer(request, Command.EXECUTION_RESULT, ((("ExeRtn", str(int(result))),),))


def answer_notice(notice: Frame) -> Frame:
    """9013: the notice was received."""
    return _answer(notice, Command.NOTICE_ANSWER, ())


def answer_data(upload: Frame) -> Frame:
    """9014: the data was received; one a packet."""
    return _answer(upload, Command.DATA_ANSWER, ())


def _answer(to: Frame, command: Command, cp: tuple[Group, ...]) -> Frame:
    version = to.version if to.version == Version.V2025 else Version.V2017
    return Frame(qn=to.qn, st=INTERACTION_ST, cn=command, pw=to.pw, mn=to.mn, flag=int(version) << 2, cp=cp)
