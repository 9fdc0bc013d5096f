"""A TCP proxy for OPC UA that breaks connections in the ways networks break them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Literal

from tests.fakes.opcua_history import free_port

Direction = Literal["up", "down"]  # up: towards the server; down: towards the client
_HEADER = 8  # of an OPC UA chunk: type, F or C, size (Part 6, 7.1.2.2)


class FaultyProxy:
    """Forwards one port to another, chunk by chunk, until told to misbehave.

    Args:
        upstream_port: where the server listens on this machine.
    """

    def __init__(self, upstream_port: int) -> None:
        self.port = free_port()
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._flowing: dict[Direction, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._writers: dict[Direction, set[asyncio.StreamWriter]] = {"up": set(), "down": set()}
        self._pipes: set[asyncio.Task[None]] = set()
        self._half_closed: set[asyncio.StreamWriter] = set()
        self._truncating: tuple[Direction, float, bool] | None = None
        self.truncated = asyncio.Event()
        for event in self._flowing.values():
            event.set()

    async def start(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=2**16)

    async def stop(self) -> None:
        """Refuse connections and reset those there are."""
        await self.refuse()
        for task in list(self._pipes):
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def refuse(self) -> None:
        """Reset every connection and refuse new ones until `start`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()
        await asyncio.sleep(0)

    def reset(self) -> None:
        """Reset every connection on both sides."""
        for writer in [*self._writers["up"], *self._writers["down"]]:
            _reset(writer)

    def stall(self, *directions: Direction) -> None:
        """Take nothing more from that side, though connections stay open, until `flow`."""
        for direction in directions:
            self._flowing[direction].clear()

    def flow(self) -> None:
        """Forward again what was held back."""
        for event in self._flowing.values():
            event.set()

    def truncate(self, direction: Direction, fraction: float, *, with_reset: bool) -> None:
        """Cut the next chunk of a direction at a fraction of its length, then end the connection."""
        self.truncated.clear()
        self._truncating = (direction, fraction, with_reset)

    def half_close(self, direction: Direction) -> None:
        """Send FIN to the far end of a direction; the other direction stays open."""
        for writer in list(self._writers[direction]):
            self._half_closed.add(writer)
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            _reset(writer)
            return
        if self._server is None:
            _reset(writer)
            _reset(far_writer)
            return
        pair = {"up": far_writer, "down": writer}
        for direction, one in pair.items():
            self._writers[direction].add(one)  # type: ignore[index]
        tasks = [
            asyncio.create_task(self._pipe(reader, far_writer, writer, "up")),
            asyncio.create_task(self._pipe(far_reader, writer, far_writer, "down")),
        ]
        self._pipes.update(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pipes.difference_update(tasks)
        for direction, one in pair.items():
            self._writers[direction].discard(one)  # type: ignore[index]
            self._half_closed.discard(one)
            one.close()

    async def _pipe(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        left, header = 0, b""
        try:
            while data := await reader.read(2**16):
                await self._flowing[direction].wait()
                left, header, begin = _chunk_start(data, left, header)
                armed = self._truncating
                if armed is not None and armed[0] == direction and begin is not None:
                    self._truncating = None
                    available = len(data) - begin
                    writer.write(data[: begin + max(1, min(available - 1, int(available * armed[1])))])
                    await writer.drain()
                    for one in (writer, other):
                        _reset(one) if armed[2] else one.close()
                    self.truncated.set()
                    return
                if writer not in self._half_closed:
                    writer.write(data)
                    await writer.drain()
            if writer not in self._half_closed:
                writer.write_eof()
        except (OSError, RuntimeError):
            _reset(writer)
            _reset(other)


def _chunk_start(data: bytes, left: int, header: bytes) -> tuple[int, bytes, int | None]:
    """Where the last chunk that begins in `data` begins; what is left of it and of its header after."""
    at, begin = left, None
    if header:
        at = _HEADER - len(header)
        if len(data) < at:
            return 0, header + data, None
        at += struct.unpack_from("<I", header + data, 4)[0] - _HEADER
        header = b""
    while at < len(data):
        begin = at
        if len(data) - at < _HEADER:
            return 0, data[at:], begin
        at += struct.unpack_from("<I", data, at + 4)[0]
    return at - len(data), b"", begin


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, AttributeError):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
