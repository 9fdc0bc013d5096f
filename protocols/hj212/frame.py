"""What one HJ 212 data segment says, apart from the bytes around it.

Hj212Error
├── FrameHeadError      no "##" or no decimal length
├── FrameLengthError    the bytes end before or after the declared length
├── FrameCrcError       the check code is another
├── DataSegmentError    the data segment cannot be split into fields
└── FrameContentError   the frame may not be sent: the standard forbids what it holds
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.hj212.codes import ANSWERS, COMMANDS, INTERACTION_ST, Deviation, Version

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

SEGMENT_LIMIT_BYTES = 1024
CP_LIMIT_BYTES = 950
ACK_WANTED = 1
PACKETS_NUMBERED = 2

Pair = tuple[str, str]
Group = tuple[Pair, ...]


class Hj212Error(ValueError):
    """A frame cannot be read or must not be sent."""


class FrameHeadError(Hj212Error):
    """No "##" or no decimal length."""


class FrameLengthError(Hj212Error):
    """The bytes end before or after the declared length."""


class FrameCrcError(Hj212Error):
    """The check code is another."""


class DataSegmentError(Hj212Error):
    """The data segment cannot be split into fields."""


class FrameContentError(Hj212Error):
    """The frame may not be sent: the standard forbids what it holds."""


@dataclass(frozen=True)
class Frame:
    """One data segment. A field that a tolerated device left out is None.

    `cp` is the groups between `;`, each of its pairs between `,`, in the order of the wire, so that
    encoding gives the same bytes again. `flag` holds the version in its upper six bits; see `version`,
    `wants_ack`.
    """

    qn: str | None
    st: str | None
    cn: str | None
    pw: str | None
    mn: str | None
    flag: int | None
    pnum: int | None = None
    pno: int | None = None
    cp: tuple[Group, ...] = ()
    rf: int | None = None  # 2025 only: 1 marks resent data

    @property
    def wants_ack(self) -> bool:
        """Whether the sender waits for an answer (bit A)."""
        return bool((self.flag or 0) & ACK_WANTED)

    @property
    def version(self) -> int:
        """The edition's number in Flag; 0 (2005) where there is no Flag."""
        return (self.flag or 0) >> 2

    def value(self, name: str) -> str | None:
        """The value of the first CP pair of that name, None when there is none."""
        return next((value for group in self.cp for key, value in group if key == name), None)


@dataclass(frozen=True)
class ReceivedFrame:
    """A frame that passed length and check code, what it does otherwise than the standard, and its bytes."""

    frame: Frame
    deviations: tuple[Deviation, ...]
    raw: bytes

    @property
    def is_strict(self) -> bool:
        """Whether the frame is as the standard prints it, so that encoding it gives the same bytes."""
        return not self.deviations


_QN = re.compile(
    r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d{4}", re.ASCII
)
_ST = re.compile(r"[0-9A-Z][0-9]")
_PW = re.compile(r"[0-9A-Za-z]{6}")
_MN = re.compile(r"[0-9A-F]{24}")


def format_qn(at: datetime, zone: tzinfo) -> str:
    """The QN of an instant: `YYYYMMDDhhmmsszzz` in the plant's zone."""
    local = at.astimezone(zone)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}"


def head_deviations(frame: Frame) -> list[Deviation]:
    """How the fields before CP differ from the standard."""
    found = []
    if None in (frame.qn, frame.st, frame.cn, frame.pw, frame.mn, frame.flag):
        found.append(Deviation.MISSING_FIELD)
    for text, pattern, deviation in (
        (frame.qn, _QN, Deviation.QN_FORMAT),
        (frame.st, _ST, Deviation.ST_FORMAT),
        (frame.pw, _PW, Deviation.PW_FORMAT),
        (frame.mn, _MN, Deviation.MN_FORMAT),
    ):
        if text is not None and not pattern.fullmatch(text):
            found.append(deviation)
    if frame.cn is not None and frame.cn not in COMMANDS:
        found.append(Deviation.CN_UNKNOWN)
    return found + _flag_deviations(frame)


def _flag_deviations(frame: Frame) -> list[Deviation]:
    flag = frame.flag
    if flag is None:
        return []
    found = []
    if not 0 <= flag <= 255:
        found.append(Deviation.FLAG_FORMAT)
    if frame.version not in (Version.V2017, Version.V2025) or (
        frame.rf is not None and frame.version != Version.V2025
    ):
        found.append(Deviation.FLAG_VERSION)
    if not _packet_numbers_agree(frame, flag):
        found.append(Deviation.PACKET_NUMBERS)
    if frame.cn in ANSWERS and (frame.st != INTERACTION_ST or frame.wants_ack):
        found.append(Deviation.ANSWER_FIELDS)
    return found


def _packet_numbers_agree(frame: Frame, flag: int) -> bool:
    if not flag & PACKETS_NUMBERED:
        return frame.pnum is None and frame.pno is None
    if frame.pnum is None or frame.pno is None:
        return False
    return 1 <= frame.pno <= frame.pnum <= 9999
