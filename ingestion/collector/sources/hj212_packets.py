"""Packets of one HJ 212 message: which message a packet without a time belongs to, and what never came.

An item is never cut, so a packet that says its DataTime stands by itself and is taken at once: a logger that
waits for each packet's answer would wait for ever if we waited for the last. A packet without DataTime takes
that of the message's other packets; it waits for the first of them that says one, for a while.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from protocols.hj212 import Frame

HELD_LIMIT = 256
MESSAGES_LIMIT = 64
_Held = TypeVar("_Held")


@dataclass
class _Message(Generic[_Held]):
    data_time: str | None = None
    seen: set[int] = field(default_factory=set)
    held: list[tuple[Frame, _Held]] = field(default_factory=list)
    since_s: float = field(default_factory=time.monotonic)


@dataclass
class Joined(Generic[_Held]):
    """What a packet brought: frames with their time, and the numbers that an earlier message lacks."""

    ready: list[tuple[Frame, str, _Held]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    missing_of: str = ""


class Packets(Generic[_Held]):
    """The messages in packets of one device."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str | None, int], _Message[_Held]] = {}

    def join(self, frame: Frame, held: _Held) -> Joined[_Held]:
        """Take a frame; it comes out with its time, now or later.

        Args:
            frame: a data frame, in packets or not.
            held: comes out with it.
        """
        data_time = frame.value("DataTime")
        if not frame.pnum or not frame.pno or frame.pnum < 2:
            return Joined([(frame, data_time or "", held)])
        key = (frame.cn, frame.pnum)
        if key not in self._messages and len(self._messages) >= MESSAGES_LIMIT:
            return Joined([(frame, data_time or "", held)])
        joined: Joined[_Held] = Joined()
        message = self._messages.setdefault(key, _Message())
        if data_time is not None and message.data_time not in (None, data_time):
            joined.missing, joined.missing_of = _missing(message, frame.pnum), message.data_time or ""
            message = self._messages[key] = _Message()
        message.data_time = data_time or message.data_time
        message.seen.add(frame.pno)
        message.held.append((frame, held))
        if message.data_time is not None or len(message.held) > HELD_LIMIT:
            joined.ready = [(part, message.data_time or "", with_it) for part, with_it in message.held]
            message.held = []
        if len(message.seen) >= frame.pnum:
            del self._messages[key]
        return joined

    def give_up(self, wait_s: float) -> list[tuple[Frame, str, _Held]]:
        """The packets that waited too long for one with a time; theirs is empty."""
        given_up: list[tuple[Frame, str, _Held]] = []
        for key, message in list(self._messages.items()):
            if message.held and time.monotonic() - message.since_s > wait_s:
                given_up += [(frame, "", held) for frame, held in message.held]
                del self._messages[key]
        return given_up


def _missing(message: _Message[_Held], count: int) -> list[int]:
    """The numbers that never came. One taken before a restart is not known: then the first is not either."""
    if 1 not in message.seen:
        return []
    return [number for number in range(1, count + 1) if number not in message.seen]
