"""Sends datagrams in paced bursts. One system call carries up to 45 of them (UDP_SEGMENT, Linux 4.18).

The socket is not connected, so that an answer of the network (port unreachable) is never looked at.
Not supported: systems other than Linux in bursts; there each datagram is a call of its own.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, Any

from ingestion.gateway.pacing import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Sequence

_SOL_UDP, _UDP_SEGMENT = 17, 103
_LARGEST_BURST_BYTES = 65_000
_MOST_SEGMENTS = 45
_PACKET_OVERHEAD = 42  # Ethernet, IPv4 and UDP headers, so that the rate is the link's
_BURST_S = 0.001
_CATCH_UP_S = 0.02  # what a block's preparation takes is caught up with
_CATCH_UP_SPEED = 2.0  # at this multiple of the rate: a receiver or switch sees no longer burst at full speed
_SEND_BUFFER_BYTES = 4 * 1024 * 1024
_CANNOT_SEGMENT = (errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT)


class DatagramSender:
    """A socket towards one address, held to a rate.

    Args:
        host: the receiver's address; on a bare diode its hardware address must be set by hand (`ip neigh`).
        port: the receiver's port.
        bytes_s: how much may go in a second, headers included, over any 20 ms and more.
    """

    def __init__(self, host: str, port: int, bytes_s: float) -> None:
        self._host, self._port = host, port
        self._open: tuple[socket.socket, object] | None = None
        peak = bytes_s * _CATCH_UP_SPEED
        self._buckets = (
            TokenBucket(bytes_s, max(_LARGEST_BURST_BYTES, bytes_s * _CATCH_UP_S)),
            TokenBucket(peak, max(_LARGEST_BURST_BYTES, peak * _BURST_S)),
        )
        self._burst_bytes = min(_LARGEST_BURST_BYTES, max(8_000, int(bytes_s * _BURST_S)))
        self._is_segmenting = True

    def send(self, datagrams: Sequence[tuple[bytes, bytes]]) -> None:
        """Send datagrams of equal length, each given as its head and its body.

        Raises:
            OSError: the network cannot be reached.
        """
        if not datagrams:
            return
        size = len(datagrams[0][0]) + len(datagrams[0][1])
        step = max(1, min(_MOST_SEGMENTS, self._burst_bytes // size))
        for first in range(0, len(datagrams), step):
            burst = datagrams[first : first + step]
            for bucket in self._buckets:
                bucket.wait()
            self._send_burst(burst, size)
            for bucket in self._buckets:
                bucket.take(len(burst) * (size + _PACKET_OVERHEAD))

    def close(self) -> None:
        """Close the socket."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _send_burst(self, burst: Sequence[tuple[bytes, bytes]], size: int) -> None:
        opened, address = self._opened()
        if self._is_segmenting and len(burst) > 1:
            try:
                ancillary = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", size))]
                opened.sendmsg([part for parts in burst for part in parts], ancillary, 0, address)
            except OSError as error:
                if error.errno not in _CANNOT_SEGMENT:
                    raise
                self._is_segmenting = False  # the device cannot; a smaller MTU is told by the single sends
            else:
                return
        for parts in burst:
            opened.sendmsg(parts, [], 0, address)

    def _opened(self) -> tuple[socket.socket, Any]:
        """The socket; opened with the first datagram, because a collector starts without its gateway too."""
        if self._open is None:
            family, _, _, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
            opened = socket.socket(family, socket.SOCK_DGRAM)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            self._open = opened, address
        return self._open
