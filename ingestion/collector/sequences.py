"""The order of one subscription's notification messages (OPC UA Part 4 §5.14.1.1 and §7.25).

Numbers begin with 1, rise by one a message and go from 2^32 - 1 to 1; a keep-alive carries the number that
the next message will have. Answers to several Publish requests may overtake each other, so a message that
comes early waits here for those before it, until its owner has fetched them or gives them up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

FIRST, LAST = 1, 2**32 - 1
# A number further away than this is no loss that could be repaired one by one: the server counts anew.
JUMP_LIMIT = 10_000
# Messages that wait for one before them; beyond it the missing one is given up.
EARLY_LIMIT = 200
_REMEMBERED = 1000

Item = TypeVar("Item")


@dataclass
class Step(Generic[Item]):
    """What a message led to.

    Attributes:
        ready: messages that may be taken now, in order.
        is_break: before them others may be missing whose numbers nobody knows: the server counted anew.
    """

    ready: list[Item] = field(default_factory=list)
    is_break: bool = False


def following(number: int) -> int:
    """The number after `number`."""
    return number + 1 if number < LAST else FIRST


def preceding(number: int) -> int:
    """The number before `number`."""
    return number - 1 if number > FIRST else LAST


def distance(start: int, end: int) -> int:
    """Steps from `start` forward to `end`; negative when the way back is the shorter one."""
    steps = (end - start) % LAST
    return steps if steps <= LAST // 2 else steps - LAST


class SequenceOrder(Generic[Item]):
    """Puts messages in order, and knows which are missing.

    Args:
        expected: the number of the next message.
    """

    def __init__(self, expected: int = FIRST) -> None:
        self.expected = expected
        self.repeats = 0
        self._early: dict[int, tuple[int, Item]] = {}
        self._until = expected  # all messages before it are known to exist
        self._taken: dict[int, int] = {}  # the last ones, with their stamps

    @property
    def is_whole(self) -> bool:
        """Whether no message known to exist is missing."""
        return self._until == self.expected

    @property
    def early(self) -> int:
        """How many messages wait for one before them."""
        return len(self._early)

    def offer(self, number: int, item: Item, stamp: int = 0) -> Step[Item]:
        """Take a message, new or fetched again.

        Args:
            number: its sequence number.
            item: the message.
            stamp: tells it from another one that has the same number, as its publish time does.
        """
        if number == 0:  # no number at all: it can be taken, and stands for none of those awaited
            return Step([item])
        ahead = distance(self.expected, number)
        is_repeat = number in self._early if ahead >= 0 else self._taken.get(number) == stamp
        if is_repeat:
            self.repeats += 1
            return Step()
        if ahead < 0 or ahead >= JUMP_LIMIT:
            return self._begin_anew(number, item, stamp)
        self._early[number] = stamp, item
        self.know_before(following(number))
        return Step(self._advance())

    def know_before(self, number: int) -> Step[Item]:
        """All messages before `number` exist: a keep-alive, a later message or the server's list says so."""
        ahead = distance(self._until, number)
        if not FIRST <= number <= LAST or ahead <= 0:
            return Step()
        if distance(self.expected, number) > JUMP_LIMIT:
            ready = self._flush()
            self.expected = self._until = number
            return Step(ready, is_break=True)
        self._until = number
        return Step()

    def missing(self, limit: int) -> list[int]:
        """The first missing numbers, at most `limit`."""
        found: list[int] = []
        number = self.expected
        while number != self._until and len(found) < limit:
            if number not in self._early:
                found.append(number)
            number = following(number)
        return found

    def skip(self, number: int) -> list[Item]:
        """Give up the expected number; the messages that may be taken now."""
        assert number == self.expected
        self.expected = following(number)
        return self._advance()

    def _advance(self) -> list[Item]:
        ready = []
        while self.expected in self._early:
            stamp, item = self._early.pop(self.expected)
            ready.append(item)
            self._remember(self.expected, stamp)
            self.expected = following(self.expected)
        return ready

    def _remember(self, number: int, stamp: int) -> None:
        self._taken.pop(number, None)
        self._taken[number] = stamp
        if len(self._taken) > _REMEMBERED:
            self._taken.pop(next(iter(self._taken)))

    def _begin_anew(self, number: int, item: Item, stamp: int) -> Step[Item]:
        ready = [*self._flush(), item]
        self._taken.clear()  # they were numbered otherwise
        self._remember(number, stamp)
        self.expected = self._until = following(number)
        return Step(ready, is_break=True)

    def _flush(self) -> list[Item]:
        """The messages that waited, in order, though others before them never came."""
        numbers = sorted(self._early, key=lambda early: distance(self.expected, early))
        ready = [self._early.pop(number)[1] for number in numbers]
        self.expected = self._until
        return ready
