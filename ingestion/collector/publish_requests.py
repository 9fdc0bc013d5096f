"""Publish requests that wait at the server: sent together, and their answers taken together.

What an answer costs besides its values is paid once for all that come in one burst: a server that limits how
many values an answer may hold sends several one after another. asyncua keeps the channel, its security and
the numbers of requests; only the request's few bytes are laid out here, and its answer is handed over
undecoded and without a task that waits for it.

Layout: OPC UA Part 4 §5.14.5 (Publish), §7.33 (RequestHeader); Part 6 §5.2.2.
"""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary

from ingestion.collector.notifications import UsualAnswer, read_usual
from protocols.opcua_time import UNIX_EPOCH_TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncua import Client
    from asyncua.common.utils import Buffer

    Acknowledgements = Sequence[tuple[int, int]]

_TYPE = struct.pack("<BBH", 1, 0, int(ua.ObjectIds.PublishRequest_Encoding_DefaultBinary))
# Timestamp, handle, no diagnostics, no audit id, no time limit, no further header; how many acknowledgements.
_HEADER = struct.Struct("<qIIiI3xi")
_ACKNOWLEDGEMENT = struct.Struct("<II")


def publish_request(token: bytes, handle: int, ticks: int, acknowledgements: Acknowledgements) -> bytes:
    """The bytes of a PublishRequest.

    Args:
        token: the session's authentication token, encoded.
        handle: tells requests apart.
        ticks: when it is sent.
        acknowledgements: subscription and sequence number of the messages that need not be kept.
    """
    header = _HEADER.pack(ticks, handle, 0, -1, 0, len(acknowledgements))
    return b"".join((_TYPE, token, header, *(_ACKNOWLEDGEMENT.pack(*pair) for pair in acknowledgements)))


@dataclass(frozen=True)
class Answered:
    """One request's end: the answer, or how it failed; and what was acknowledged with it."""

    content: bytes | UsualAnswer | BaseException
    acknowledgements: Acknowledgements


class PublishRequests:
    """Keeps requests at the server and gathers their answers.

    Args:
        client: a connected one.
        most: how many may wait at the server.
    """

    def __init__(self, client: Client, most: int) -> None:
        self._client = client
        self.most = most
        self._outstanding = 0
        self._resting = 0
        self._answered: list[Answered] = []
        self._due = asyncio.Event()

    def ask(self, due: Callable[[], Acknowledgements]) -> None:
        """Send as many requests as may still wait.

        Args:
            due: gives what is to be acknowledged; asked only when something is sent.

        Raises:
            ConnectionError: the connection is closed.
        """
        number = self.most - self._outstanding - self._resting
        if number <= 0:
            return
        protocol = self._client.uaclient.protocol
        if protocol is None or protocol.transport is None:
            msg = "Publish: the connection is closed"
            raise ConnectionError(msg)
        acknowledgements = due()
        chunks = []
        for _ in range(number):
            chunks.append(self._chunk(protocol, acknowledgements))
            acknowledgements = ()
        protocol.transport.write(b"".join(chunks))

    async def answers(self) -> list[Answered]:
        """What was answered since the last call, once there is something; a burst as a whole."""
        await self._due.wait()
        self._due.clear()
        found, self._answered = self._answered, []
        return found

    def wake(self) -> None:
        """End a wait for answers though there may be none."""
        self._due.set()

    def rest(self, seconds: float) -> None:
        """Send one request less for a while."""
        self._resting += 1
        asyncio.get_running_loop().call_later(seconds, self._end_rest)

    def _end_rest(self) -> None:
        self._resting -= 1
        self.wake()

    def _chunk(self, protocol: Any, acknowledgements: Acknowledgements) -> bytes:
        """A request as the channel sends it, its answer expected."""
        protocol.revolve_security_token()
        handle, number = protocol._request_handle + 1, protocol._request_id + 1
        token = nodeid_to_binary(protocol.authentication_token)
        ticks = time.time_ns() // 100 + UNIX_EPOCH_TICKS
        request = publish_request(token, handle, ticks, acknowledgements)
        chunk = bytes(protocol._connection.message_to_binary(request, request_id=number))
        protocol._request_handle, protocol._request_id = handle, number
        protocol._callbackmap[number] = _Asked(self._take, acknowledgements)
        self._outstanding += 1
        return chunk

    def _take(self, answered: Answered) -> None:
        self._outstanding -= 1
        self._answered.append(answered)
        self._due.set()


class _Asked:
    """Stands where asyncua keeps the future of an answer."""

    def __init__(self, take: Callable[[Answered], None], acknowledgements: Acknowledgements) -> None:
        self._take, self._acknowledgements = take, acknowledgements
        self._is_done = False

    def done(self) -> bool:
        """Whether the answer, or a failure, is there."""
        return self._is_done

    def set_result(self, data: Buffer) -> None:
        """Asyncua has the answer."""
        content = data.read(len(data))
        self._end(read_usual(content) or content)

    def set_exception(self, error: BaseException) -> None:
        """Asyncua says that there will be no answer."""
        self._end(error)

    def _end(self, content: bytes | UsualAnswer | BaseException) -> None:
        self._is_done = True
        self._take(Answered(content, self._acknowledgements))
