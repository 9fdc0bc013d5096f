"""A growing set of sequence numbers, kept as ranges: days of segments are a handful of pairs."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class NumberRanges:
    """Closed ranges of whole numbers, apart and in order.

    Args:
        pairs: `(first, last)` pairs in any order; they may touch or overlap.
    """

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in pairs:
            self.add(first, last)

    def __contains__(self, number: int) -> bool:
        """Whether the number is in one of the ranges."""
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __bool__(self) -> bool:
        """Whether any number is in it."""
        return bool(self._firsts)

    def __len__(self) -> int:
        """How many numbers are in it."""
        return sum(last - first + 1 for first, last in self.pairs())

    def pairs(self) -> list[tuple[int, int]]:
        """The ranges in order."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def numbers(self) -> Iterator[int]:
        """Every number in order."""
        for first, last in self.pairs():
            yield from range(first, last + 1)

    def add(self, first: int, last: int | None = None) -> None:
        """Add a number, or all from `first` to `last`."""
        end = first if last is None else last
        if end < first:
            return
        begin = bisect_right(self._firsts, first)
        if begin and self._lasts[begin - 1] >= first - 1:
            begin -= 1
        until = bisect_right(self._firsts, end + 1)
        if begin < until:
            first = min(first, self._firsts[begin])
            end = max(end, self._lasts[until - 1])
        self._firsts[begin:until] = [first]
        self._lasts[begin:until] = [end]

    def remove(self, number: int) -> None:
        """Take one number out; nothing happens where it is not in."""
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number > self._lasts[at]:
            return
        first, last = self._firsts[at], self._lasts[at]
        rest = [(first, number - 1), (number + 1, last)]
        kept = [pair for pair in rest if pair[0] <= pair[1]]
        self._firsts[at : at + 1] = [pair[0] for pair in kept]
        self._lasts[at : at + 1] = [pair[1] for pair in kept]

    def first(self) -> int | None:
        """The lowest number."""
        return self._firsts[0] if self._firsts else None

    def missing(self, first: int, last: int) -> NumberRanges:
        """The numbers from `first` to `last` that are not in it."""
        found = NumberRanges()
        expected = first
        for begin, end in self.pairs():
            if end < expected:
                continue
            if begin > last:
                break
            found.add(expected, min(begin - 1, last))
            expected = end + 1
        found.add(expected, last)
        return found
