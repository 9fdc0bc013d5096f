"""HJ 212-2017 over TCP: one long-lived connection that carries all device numbers, several uploads under way.

An upload is acknowledged by a 9014 with its QN. What the host commands is answered in `hj212_host`.
Not supported: SM4 and the other additions of the 2025 edition, TLS, listening for the host to connect.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

from exports.endpoints import Hj212TcpSettings
from exports.errors import CredentialsError, PermanentError, SpecError, TransientError, UnreachableError
from exports.render.hj212 import frames_of
from exports.transports.base import Delivery, DeliveryRequest, Observation, Observe
from exports.transports.hj212_host import HostDesk
from protocols.hj212 import Command, Frame, QnRtn, ReceivedFrame, RejectedBytes, StreamDecoder, encode_frame

_READ_BYTES = 65536
# Not a word against the upload: it came over damaged, or the host does not know what happened to it.
_SEND_AGAIN = {str(int(QnRtn.CRC_ERROR)), str(int(QnRtn.UNKNOWN))}


class Hj212TcpTransport:
    """A client of one HJ 212 platform.

    Args:
        settings: where it is, how often to resend.
        password: the password of every frame.
        responsible: who answers for each device number that we speak for.
        timeout_s: how long to wait for each 9014.
        observe: told what a person should know.

    Raises:
        SpecError: the password is none of this protocol.
    """

    def __init__(
        self,
        settings: Hj212TcpSettings,
        *,
        password: str,
        responsible: Mapping[str, str],
        timeout_s: float,
        observe: Observe,
    ) -> None:
        self._settings = settings
        if not re.fullmatch(r"[0-9A-Za-z]{6}", password):
            msg = (
                f"secret {settings.password_secret}: an HJ 212 password is six letters or digits, found "
                f"{len(password)} characters; correct the secret"
            )
            raise SpecError(msg)
        self._place = f"{settings.host}:{settings.port}"
        self._password = password
        self._timeout_s = timeout_s
        self._observe = observe
        self._desk = HostDesk(password, responsible, observe)
        self._awaited: dict[tuple[str | None, str | None], asyncio.Future[ReceivedFrame]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, unless connected.

        Raises:
            UnreachableError: nobody listens there.
        """
        if self._writer is not None:
            return
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                reader, self._writer = await asyncio.open_connection(self._settings.host, self._settings.port)
        except (OSError, TimeoutError) as error:
            msg = f"connecting to {self._place}: {error!r}"
            raise UnreachableError(msg) from error
        self._listening = asyncio.create_task(self._listen(reader, self._writer))

    async def close(self) -> None:
        """Hang up; whatever is under way fails as unreachable."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None
        if self._writer is not None:
            self._hang_up(self._writer, "closed by us")

    async def deliver(self, request: DeliveryRequest) -> Delivery:
        """Send the submission's frames in turn, each until its 9014 comes.

        Raises:
            UnreachableError: there is no connection, or it broke.
            CredentialsError: the host answers that the password is wrong.
            TransientError: no 9014 after the last resend, or an answer that the upload came over damaged.
            PermanentError: the host answers that it refuses the upload.
        """
        wire = hashlib.sha256()
        answers: list[ReceivedFrame] = []
        for stored in frames_of(request.content):
            frame = replace(stored, pw=self._password)
            raw = encode_frame(frame)
            wire.update(raw)
            answers.append(await self._exchange(frame, raw))
        deviations = {str(found) for answer in answers for found in answer.deviations}
        return Delivery(
            body=b"\r\n".join(answer.raw for answer in answers),
            reference=answers[0].frame.qn,
            wire_sha256=wire.hexdigest(),
            deviations=tuple(sorted(deviations)),
        )

    async def _exchange(self, frame: Frame, raw: bytes) -> ReceivedFrame:
        key = (frame.mn, frame.qn)
        future: asyncio.Future[ReceivedFrame] = asyncio.get_running_loop().create_future()
        self._awaited[key] = future
        try:
            for _ in range(self._settings.resends + 1):
                await self._write(raw)
                done, _ = await asyncio.wait([future], timeout=self._timeout_s)
                if done:
                    return _judge(frame, future.result())
        finally:
            del self._awaited[key]
        msg = (
            f"uploading CN={frame.cn} MN={frame.mn} QN={frame.qn}: sent {self._settings.resends + 1} times, "
            f"no 9014 within {self._timeout_s:g} s of any"
        )
        raise TransientError(msg)

    async def _write(self, raw: bytes) -> None:
        if self._writer is None:
            msg = f"{self._place}: not connected"
            raise UnreachableError(msg)
        writer = self._writer
        writer.write(raw)
        try:
            await writer.drain()
        except OSError as error:
            self._hang_up(writer, repr(error))
            msg = f"{self._place}: {error!r}"
            raise UnreachableError(msg) from error

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = StreamDecoder()
        why = "the host closed the connection"
        try:
            while data := await reader.read(_READ_BYTES):
                for item in decoder.feed(data):
                    self._take(item, writer)
        except OSError as error:
            why = repr(error)
        finally:
            self._hang_up(writer, why)

    def _take(self, item: ReceivedFrame | RejectedBytes, writer: asyncio.StreamWriter) -> None:
        if isinstance(item, RejectedBytes):
            self._observe(_unreadable(item))
            return
        frame = item.frame
        if frame.cn in (Command.DATA_ANSWER, Command.REQUEST_ANSWER, Command.EXECUTION_RESULT):
            future = self._awaited_by(frame)
            if future is not None and not future.done():
                future.set_result(item)
            return
        for answer in self._desk.answer(item):
            writer.write(encode_frame(answer))

    def _awaited_by(self, frame: Frame) -> asyncio.Future[ReceivedFrame] | None:
        """The upload that this answers; a host that leaves MN out is understood where the QN is enough."""
        if (exact := self._awaited.get((frame.mn, frame.qn))) is not None:
            return exact
        same_qn = [future for (_, qn), future in self._awaited.items() if qn == frame.qn]
        return same_qn[0] if frame.mn is None and len(same_qn) == 1 else None

    def _hang_up(self, writer: asyncio.StreamWriter, why: str) -> None:
        """Close one connection; the listener of an old one must not close the one after it."""
        writer.close()
        if self._writer is not writer:
            return
        self._writer = None
        for future in self._awaited.values():
            if not future.done():
                future.set_exception(UnreachableError(f"{self._place}: connection lost: {why}"))


def _judge(sent: Frame, answer: ReceivedFrame) -> ReceivedFrame:
    """The answer itself when it acknowledges.

    Raises:
        CredentialsError: QnRtn says that the password is wrong.
        TransientError: QnRtn says that the checksum is wrong, or nothing.
        PermanentError: any other refusal.
    """
    if answer.frame.cn == Command.DATA_ANSWER:
        return answer
    result = answer.frame.value("QnRtn") or answer.frame.value("ExeRtn")
    told = (
        f"uploading CN={sent.cn} MN={sent.mn} QN={sent.qn}: the host answered {answer.frame.cn} with {result}"
    )
    if answer.frame.value("QnRtn") == str(int(QnRtn.PASSWORD_ERROR)):
        msg = f"{told}: wrong password; check the endpoint's secret"
        raise CredentialsError(msg, body=answer.raw)
    if answer.frame.value("QnRtn") in _SEND_AGAIN:
        raise TransientError(told, body=answer.raw)
    raise PermanentError(told, body=answer.raw, reference=answer.frame.qn)


def _unreadable(item: RejectedBytes) -> Observation:
    return Observation(
        kind="protocol_deviation",
        subject=type(item.error).__name__,
        detail_zh=f"收到无法识别的数据：{item.error}",
        detail_en=f"received bytes that are no frame: {item.error}",
        remedy_zh="将原始数据交平台方核对；报文会按协议重发",
        remedy_en="show the bytes to the platform's operator; uploads are repeated as the protocol provides",
        body=item.raw,
    )
