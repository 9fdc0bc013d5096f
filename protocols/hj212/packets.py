"""A data segment too long for one frame, as several (HJ 212-2017 §6.3, C.49, C.50)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from protocols.hj212.frame import (
    CP_LIMIT_BYTES,
    PACKETS_NUMBERED,
    SEGMENT_LIMIT_BYTES,
    Frame,
    FrameContentError,
    Group,
)
from protocols.hj212.segment import cp_bytes, write_body

if TYPE_CHECKING:
    from collections.abc import Callable

# name=value; of QN, ST, CN, PW, MN, Flag, RF and the widest packet numbers
_HEAD_LIMIT_BYTES = sum((21, 6, 8, 10, 28, 9, 5, 10, 9))
_BODY_LIMIT_BYTES = min(CP_LIMIT_BYTES, SEGMENT_LIMIT_BYTES - _HEAD_LIMIT_BYTES)


def split_packets(frame: Frame, next_qn: Callable[[], str]) -> list[Frame]:
    """`frame` itself when it fits one frame, else its packets.

    Every packet repeats the first group (DataTime), holds whole items and has its own QN, as the standard's
    examples do: the first keeps the frame's, the others take one each from `next_qn`.

    Raises:
        FrameContentError: a single item is longer than a packet.
    """
    if cp_bytes(write_body(frame.cp)) <= _BODY_LIMIT_BYTES:
        return [frame]
    first, *items = frame.cp
    parts = _fill(first, items)
    flag = (frame.flag or 0) | PACKETS_NUMBERED
    return [
        replace(
            frame, qn=frame.qn if index == 1 else next_qn(), flag=flag, pnum=len(parts), pno=index, cp=part
        )
        for index, part in enumerate(parts, start=1)
    ]


def _fill(first: Group, items: list[Group]) -> list[tuple[Group, ...]]:
    parts: list[tuple[Group, ...]] = [(first,)]
    for item in items:
        longer = (*parts[-1], item)
        if cp_bytes(write_body(longer)) <= _BODY_LIMIT_BYTES:
            parts[-1] = longer
        else:
            parts.append((first, item))
    longest = max(parts, key=lambda part: cp_bytes(write_body(part)))
    if cp_bytes(write_body(longest)) > _BODY_LIMIT_BYTES:
        msg = (
            f"splitting into packets: {write_body(longest)[:80]!r}… takes more than {_BODY_LIMIT_BYTES} "
            "bytes; an item is never cut, so shorten its text"
        )
        raise FrameContentError(msg)
    # Nothing fitted beside DataTime in the first packet: it holds no item, so it is none.
    return parts if len(parts[0]) > 1 else parts[1:]
