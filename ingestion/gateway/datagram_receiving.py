"""Takes datagrams from a UDP port in bursts, so that those of one block are looked at together.

Where the card gathers them (UDP_GRO, Linux 5.0) a system call brings up to 64 KiB of them, elsewhere one;
what waits is put side by side either way.

The socket is only ever read. Nothing is sent on it, so nothing can go back.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOL_UDP, _UDP_GRO = 17, 104
_SO_RCVBUFFORCE = 33
_SO_MEMINFO, _DROPS = 55, 8
_LARGEST_CALL_BYTES = 65_536
_BUFFER_BYTES = 4 * _LARGEST_CALL_BYTES
_CALLS = 256  # without a look at whether it is time to end
_SOCKET_BUFFER_BYTES = 64 * 1024 * 1024
_NICENESS = -10


class DatagramReceiver:
    """A bound port.

    Args:
        host: the address to listen on.
        port: the port; 0 lets the system choose.
        sender_host: take datagrams from this address only; None from any.
    """

    def __init__(self, host: str, port: int, sender_host: str | None = None) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._sender_host = sender_host
        self._enlarge()
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        self._socket.bind(address)
        self._socket.setblocking(False)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def receive(self, timeout_s: float) -> Iterator[tuple[memoryview, int, str]]:
        """Bursts as (bytes, length of each datagram in them but a shorter last one, sender).

        It ends when none comes for `timeout_s`. The bytes are overwritten by the next burst; a burst is empty
        where all that came was of another sender than is allowed.
        """
        while select.select([self._socket], [], [], timeout_s)[0]:
            yield from self._gathered()

    def _gathered(self) -> Iterator[tuple[memoryview, int, str]]:
        """What waits, each burst of one length and one sender."""
        end, size, sender = 0, 1, ""
        for _ in range(_CALLS):
            try:
                count, ancillary, _, address = self._socket.recvmsg_into([self._view[end:]], 64)
            except BlockingIOError:
                break
            if not count or (self._sender_host is not None and address[0] != self._sender_host):
                continue
            length = _segment_bytes(ancillary) or count
            if end and (length != size or address[0] != sender):
                yield self._view[:end], size, sender
                self._view[:count] = self._view[end : end + count]
                end = 0
            size, sender = length, address[0]
            end += count
            if end % size or end > _BUFFER_BYTES - _LARGEST_CALL_BYTES:
                yield self._view[:end], size, sender
                end = 0
        yield self._view[:end], size, sender

    def has_waiting(self) -> bool:
        """Whether datagrams wait in the buffer."""
        return bool(select.select([self._socket], [], [], 0)[0])

    @property
    def overflowed(self) -> int:
        """Datagrams that the system dropped because the buffer was full: this process was too slow."""
        found = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
        return int(struct.unpack_from("=I", found, 4 * _DROPS)[0]) if len(found) > 4 * _DROPS else 0

    def close(self) -> None:
        """Close the port."""
        self._socket.close()

    def _enlarge(self) -> None:
        """As much buffer as the system gives: what comes while a block is decoded waits there."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SOCKET_BUFFER_BYTES)
        except OSError:  # needs CAP_NET_ADMIN; else net.core.rmem_max is the bound
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)


def go_first() -> None:
    """Ask the system to run this process before others: what comes while it waits for a core may overflow."""
    with contextlib.suppress(OSError):  # needs CAP_SYS_NICE
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def _segment_bytes(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_UDP, _UDP_GRO):
            return int(struct.unpack("=i", data[:4])[0])
    return None
