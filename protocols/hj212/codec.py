"""Whole frames: `##`, length, data segment, check code, CR LF; and frames out of a byte stream."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.hj212.checksum import crc16
from protocols.hj212.codes import Deviation
from protocols.hj212.frame import (
    Frame,
    FrameCrcError,
    FrameHeadError,
    FrameLengthError,
    Hj212Error,
    ReceivedFrame,
)
from protocols.hj212.segment import read_segment, write_segment

HEAD = b"##"
TAIL = b"\r\n"
_HEAD_BYTES = 6
_CRC_BYTES = 4
_HEX = b"0123456789ABCDEFabcdef"


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        FrameContentError: the frame holds what the standard forbids.
    """
    return wrap(write_segment(frame))


def wrap(segment: bytes) -> bytes:
    """Head, length, check code and tail around the bytes of a data segment."""
    return b"##%04d%b%04X\r\n" % (len(segment), segment, crc16(segment))


def decode_frame(raw: bytes) -> ReceivedFrame:
    """The frame in `raw`, which must be one whole frame; a missing CR LF is tolerated and noted.

    Raises:
        Hj212Error: the leaf class says why it is no frame.
    """
    length = _declared_length(raw)
    end = _HEAD_BYTES + length + _CRC_BYTES
    tail = raw[end:]
    if len(raw) < end or tail not in (b"", TAIL):
        msg = (
            f"reading frame {raw[:40]!r}…: it declares a data segment of {length} bytes, "
            f"so {end} bytes and CR LF were expected, found {len(raw)} bytes"
        )
        raise FrameLengthError(msg)
    return _open(raw, length, missing_tail=not tail)


def _declared_length(raw: bytes) -> int:
    digits = raw[2:_HEAD_BYTES]
    if raw[:2] != HEAD or len(digits) != 4 or not digits.isdigit():
        msg = f"reading frame {raw[:40]!r}: expected ## and four digits of length"
        raise FrameHeadError(msg)
    return int(digits)


def _open(raw: bytes, length: int, *, missing_tail: bool) -> ReceivedFrame:
    end = _HEAD_BYTES + length
    segment = raw[_HEAD_BYTES:end]
    printed = raw[end : end + _CRC_BYTES]
    expected = b"%04X" % crc16(segment)
    found: tuple[Deviation, ...] = ()
    if printed != expected:
        if printed.upper() != expected:
            msg = f"reading frame {raw[:40]!r}…: check code is {printed!r}, computed {expected.decode()}"
            raise FrameCrcError(msg)
        found = (Deviation.LOWER_CASE_CRC,)
    if missing_tail:
        found = (*found, Deviation.MISSING_TAIL)
    frame, deviations = read_segment(segment)
    return ReceivedFrame(frame, found + deviations, raw)


@dataclass(frozen=True)
class RejectedBytes:
    """Bytes of a stream that are no frame, and why."""

    raw: bytes
    error: Hj212Error


class StreamDecoder:
    """Cuts a TCP stream into frames, whatever the pieces it arrives in.

    After bytes that are no frame it looks for the next `##` inside them, so that one damaged frame never
    costs the next. It holds at most one frame of `max_segment_bytes`; a longer declared length is noise. A
    frame is given out with its check code, without waiting for CR LF: a device that sends none and waits
    for its answer gets it.
    """

    def __init__(self, max_segment_bytes: int = 4096) -> None:
        self._max_segment_bytes = max_segment_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[ReceivedFrame | RejectedBytes]:
        """Everything that `data` completes, in order."""
        self._buffer += data
        found: list[ReceivedFrame | RejectedBytes] = []
        while (item := self._next()) is not None:
            found.append(item)
        return found

    def _next(self) -> ReceivedFrame | RejectedBytes | None:
        self._drop_line_ends()
        start = self._buffer.find(HEAD)
        if start != 0:
            return self._noise(start)
        if len(self._buffer) < _HEAD_BYTES:
            return None
        digits = self._buffer[2:_HEAD_BYTES]
        if not digits.isdigit() or int(digits) > self._max_segment_bytes:
            shown = bytes(digits)
            msg = (
                f"stream: ## is followed by {shown!r}, expected a length up to {self._max_segment_bytes:04d}"
            )
            return self._reject(1, FrameHeadError(msg))
        length = int(digits)
        end = _HEAD_BYTES + length + _CRC_BYTES
        if len(self._buffer) < end:
            return None
        return self._take(length, end)

    def _take(self, length: int, end: int) -> ReceivedFrame | RejectedBytes:
        following = bytes(self._buffer[end : end + 2])
        try:
            has_other = bool(following) and not TAIL.startswith(following)
            received = _open(bytes(self._buffer[:end]), length, missing_tail=has_other)
        except FrameCrcError as error:
            # The length itself may be the damage: search on from the byte after this head.
            inner = self._buffer.find(HEAD, 1, end)
            return self._reject(end if inner < 0 else inner, error)
        except Hj212Error as error:
            return self._reject(end, error)
        del self._buffer[:end]
        return received

    def _drop_line_ends(self) -> None:
        # The tail of the frame before, or the blank lines some devices send between frames.
        count = len(self._buffer) - len(self._buffer.lstrip(TAIL))
        del self._buffer[:count]

    def _noise(self, start: int) -> RejectedBytes | None:
        if start < 0:
            start = len(self._buffer) - self._buffer.endswith(b"#")  # a last "#" may be half a head
        if start == 0:
            return None
        return self._reject(start, FrameHeadError(f"stream: {start} bytes before ## are no frame"))

    def _reject(self, count: int, error: Hj212Error) -> RejectedBytes:
        raw = bytes(self._buffer[:count])
        del self._buffer[:count]
        return RejectedBytes(raw, error)
