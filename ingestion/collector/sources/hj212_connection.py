"""One connection of an instrument: frames in, answers out once what they brought is sealed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from ingestion.collector.sources.hj212_values import without_password
from ingestion.collector.sources.items import Taken
from protocols.hj212 import (
    Command,
    FrameContentError,
    QnRtn,
    RejectedBytes,
    StreamDecoder,
    answer_data,
    answer_notice,
    answer_request,
    encode_frame,
    wrap,
)
from protocols.hj212.codes import ANSWERS
from protocols.hj212.segment import write_body

if TYPE_CHECKING:
    from ingestion.collector.sources.hj212_devices import Device
    from ingestion.collector.sources.hj212_source import Hj212Source
    from protocols.hj212 import Frame, ReceivedFrame

READ_BYTES = 16_384
# So many frames that are none, or of a stranger, and the connection is closed.
WRONG_LIMIT = 50
UNSENT_LIMIT_BYTES = 65_536
OVERLOAD_LOOK_S = 0.2
_NOTICES = frozenset(
    (Command.ASK_FOR_TIME, Command.STOP_REAL_TIME, Command.STOP_EQUIPMENT_STATE, Command.HEARTBEAT)
)
_log = logging.getLogger(__name__)


class Connection:
    """Reads frames until the other side ends, is silent too long, or sends too much that is wrong."""

    def __init__(self, source: Hj212Source, peer: str, writer: asyncio.StreamWriter) -> None:
        self._source, self._peer, self._writer = source, peer, writer
        self._decoder = StreamDecoder()
        self._wrong = 0

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Read for ever.

        Raises:
            OSError, TimeoutError: the connection is gone.
        """
        while self._wrong < WRONG_LIMIT:
            while self._source.is_overloaded():
                await asyncio.sleep(OVERLOAD_LOOK_S)
            async with asyncio.timeout(self._source.source.idle_s):
                data = await reader.read(READ_BYTES)
            if not data:
                return
            for item in self._decoder.feed(data):
                if isinstance(item, RejectedBytes):
                    self._reject(item)
                else:
                    self._take(item)

    async def close(self) -> None:
        """Close once what was written is out."""
        with contextlib.suppress(OSError):
            await self._writer.drain()
        self._writer.close()

    def take_data(self, device: Device, frame: Frame, data_time: str) -> None:
        """Admit a data frame that has its time, and answer it when that is sealed."""
        sent = _text(frame)
        taken = self._source.values.read(frame, data_time, device.settings, sent)
        self._source.take(taken, lambda: self._answer(answer_data(frame)) if frame.wants_ack else None)

    def _take(self, received: ReceivedFrame) -> None:
        frame = received.frame
        device = self._source.devices.find(frame.mn)
        if device is None:
            self._turn_away(frame, "unknown_mn", "未登记的 MN", "no device of this MN is registered")
            return
        if not device.is_password(frame.pw):
            self._source.status.fail(device.settings.mn, "password", f"{self._peer} sent another PW")
            self._turn_away(frame, "wrong_password", "PW 不符", "the PW is not that of this MN")
            return
        self._source.status.recover(device.settings.mn, "password")
        device.hear(self._peer)
        device.deviations.update(str(deviation) for deviation in received.deviations)
        self._carry_out(device, frame)

    def _carry_out(self, device: Device, frame: Frame) -> None:
        if frame.cn in ANSWERS:
            self._source.admission.counts["answers_to_nothing"] += 1  # we never ask
        elif frame.cn in _NOTICES:
            self._notice(device, frame)
        elif frame.pnum or frame.value("DataTime") is not None:
            joined = device.packets.join(frame, self)
            if joined.missing:
                self._tell_missing(device, frame, joined.missing_of, joined.missing)
            for part, data_time, connection in joined.ready:
                connection.take_data(device, part, data_time)
        else:
            self._decline(device, frame)

    def _notice(self, device: Device, frame: Frame) -> None:
        if frame.cn == Command.ASK_FOR_TIME:
            zh = "仪表请求校时；采集器不向控制区下达命令，请人工校时"
            en = "the instrument asks for its clock to be set: the collector commands nothing, set it by hand"
            self._source.refuse(f"{device.settings.mn}/{frame.cn}", "asks_for_time", zh, en, _text(frame))
        self._answer(answer_notice(frame))

    def _tell_missing(self, device: Device, frame: Frame, data_time: str, missing: list[int]) -> None:
        numbers = ", ".join(map(str, missing[:20]))
        self._source.refuse(
            f"{device.settings.mn}/{frame.cn}",
            "packets_missing",
            f"{data_time} 的分包 {numbers}（共 {frame.pnum} 包）没有到达",
            f"packets {numbers} of {frame.pnum} of {data_time} never came",
            "",
        )

    def _decline(self, device: Device, frame: Frame) -> None:
        """What is neither data nor notice: kept in sight, answered once that is sealed."""
        zh, en = "不是数据报文，或缺少 DataTime", "it is no data, or has no DataTime"
        subject = f"{device.settings.mn}/{frame.cn}"
        self._source.refuse(subject, "no_data", zh, en, _text(frame))
        is_upload = (frame.cn or "").startswith(("2", "3"))
        answer = answer_data(frame) if is_upload else answer_request(frame, QnRtn.CN_ERROR)
        self._source.take(Taken(), lambda: self._answer(answer) if frame.wants_ack else None)

    def _turn_away(self, frame: Frame, code: str, zh: str, en: str) -> None:
        """Not answered: whoever sends it is not known, or not who it says."""
        self._wrong += 1
        self._source.refuse(f"{self._peer}/{frame.mn}/{frame.cn}"[:200], code, zh, en, _text(frame))

    def _reject(self, item: RejectedBytes) -> None:
        self._wrong += 1
        zh, en = f"不是 HJ 212 报文：{type(item.error).__name__}", str(item.error)[:300]
        content = without_password(item.raw[:2_000].decode("utf-8", "backslashreplace"))
        self._source.refuse(self._peer, "no_frame", zh, without_password(en), content)

    def _answer(self, frame: Frame) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return  # it sends again after it has connected again, and is answered then
        if transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
            transport.abort()  # it does not read its answers
            return
        try:
            self._writer.write(encode_frame(frame))
        except FrameContentError as error:
            # Its own fields, sent back, break the standard: an answer that it will know all the same.
            _log.debug("%s: answering leniently: %s", self._peer, error)
            self._writer.write(wrap(_plain(frame).encode()))


def _plain(frame: Frame) -> str:
    """A data segment with the fields as they are, however far from the standard."""
    fields: dict[str, str | int | None] = {
        "QN": frame.qn,
        "ST": frame.st,
        "CN": frame.cn,
        "PW": frame.pw,
        "MN": frame.mn,
    }
    fields |= {"Flag": frame.flag, "PNUM": frame.pnum, "PNO": frame.pno}
    head = ";".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    plain = f"{head};CP=&&{write_body(frame.cp)}&&"
    return "".join(character if character.isprintable() else "?" for character in plain)


def _text(frame: Frame) -> str:
    """A frame as it may be kept."""
    return without_password(_plain(frame))
