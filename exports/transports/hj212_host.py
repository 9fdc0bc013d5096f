"""What an HJ 212 host asks of us, and what we answer.

The exports stand in the business zone and may not reach into the control zone (DB32/T 4765 clause 10.3): a
command that would set clocks, intervals or passwords, sample or calibrate is refused as the protocol provides
(9011, QnRtn=2) and shown to a person. Requests for data are answered "no data" (9012, ExeRtn=100).
Not supported: re-issuing stored periods at a host's request.
"""

from __future__ import annotations

from collections.abc import Mapping

from exports.transports.base import Observation, Observe
from protocols.hj212 import (
    Command,
    ExeRtn,
    Frame,
    QnRtn,
    ReceivedFrame,
    answer_execution,
    answer_notice,
    answer_request,
)

_DATA_REQUESTS = {Command.REAL_TIME, Command.MINUTE, Command.HOUR, Command.DAY}
_NOTICES = {Command.STOP_REAL_TIME, Command.STOP_EQUIPMENT_STATE, Command.HEARTBEAT}
_ANSWERS = {Command.NOTICE_ANSWER}


class HostDesk:
    """Answers a host's requests and opens a task for the person who answers for the device.

    Args:
        password: requests must carry it.
        responsible: who answers for each device number that we speak for.
        observe: told of every request.
    """

    def __init__(self, password: str, responsible: Mapping[str, str], observe: Observe) -> None:
        self._password = password
        self._responsible = responsible
        self._observe = observe

    def answer(self, received: ReceivedFrame) -> list[Frame]:
        """The frames to send back, in order; none for what wants no answer."""
        request = received.frame
        if request.cn in _ANSWERS:
            return []
        if request.cn in _NOTICES:
            self._tell("host_request", received, "收到通知，未执行", "a notice, answered and not acted upon")
            return [answer_notice(request)]
        if (fault := self._fault(request)) is not None:
            told = f"refused with QnRtn={int(fault)}"
            self._tell("host_command_refused", received, "身份不符，已拒绝", told)
            return [answer_request(request, fault)]
        if request.cn in _DATA_REQUESTS:
            told = "a request for data, answered with no data"
            self._tell("host_request", received, "平台索取数据，已答复无数据", told)
            return [answer_request(request, QnRtn.READY), answer_execution(request, ExeRtn.NO_DATA)]
        told = "a command, refused with QnRtn=2"
        self._tell("host_command_refused", received, "平台下发控制命令，已拒绝", told)
        return [answer_request(request, QnRtn.REFUSED)]

    def _fault(self, request: Frame) -> QnRtn | None:
        if request.pw != self._password:
            return QnRtn.PASSWORD_ERROR
        if request.mn not in self._responsible:
            return QnRtn.MN_ERROR
        return None

    def _tell(self, kind: str, received: ReceivedFrame, what_zh: str, what_en: str) -> None:
        request = received.frame
        person = self._responsible.get(request.mn or "")
        deviations = ", ".join(received.deviations)
        left = f"; deviations: {deviations}" if deviations else ""
        self._observe(
            Observation(
                kind=kind,
                subject=f"CN{request.cn}/{request.mn}",
                detail_zh=f"{what_zh}（CN={request.cn}，MN={request.mn}，QN={request.qn}）",
                detail_en=f"CN={request.cn} MN={request.mn} QN={request.qn}: {what_en}{left}",
                remedy_zh=f"由{person or '环保负责人'}与平台核实；需要执行的，由控制区内人员在数采仪上操作，"
                "需要补传的，重新提交相应时段",
                remedy_en=f"task for {person or 'the environmental officer'}: settle it with the platform; "
                "only staff of the control zone carry a command out, at the station; resubmit what it lacks",
                body=received.raw.replace(b"PW=" + self._password.encode(), b"PW=******"),
            )
        )
