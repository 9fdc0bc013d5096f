"""OPC UA instants with the 100 ns digit that Python's datetime cannot hold.

asyncua turns the wire's count of 100 ns since 1601 into a datetime and drops the last digit, on both ways.
`install` replaces the two conversion functions that asyncua looks up at each call (`ua.datetime_to_win_epoch`
and `ua.win_epoch_to_datetime`); nothing else of asyncua is touched. Both ends call it once at start.

Trap: a `PreciseDatetime` compares, hashes and orders as the datetime it extends, and arithmetic on it drops
the digit. Compare `to_ticks(...)` where the digit matters.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua

TICKS_PER_SECOND = 10_000_000
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
MAX_TICKS = 2**63 - 1
UNIX_EPOCH_TICKS = 11_644_473_600 * TICKS_PER_SECOND
_US = timedelta(microseconds=1)
_END_TICKS = 10 * ((END - EPOCH) // _US)


class PreciseDatetime(datetime):
    """An aware datetime and the digit below its microsecond (`hundred_ns`, 0 to 9)."""

    hundred_ns: int = 0

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain = datetime.combine(self.date(), self.timetz())
        return with_hundred_ns, (plain, self.hundred_ns)


def with_hundred_ns(at: datetime, digit: int) -> datetime:
    """`at` carrying a 100 ns digit; `at` itself when the digit is 0.

    Raises:
        ValueError: the digit is not 0 to 9.
    """
    if not 0 <= digit <= 9:
        msg = (
            f"cannot attach 100 ns digit {digit} to {at.isoformat()}: expected 0 to 9; "
            "carry the rest into the microseconds first"
        )
        raise ValueError(msg)
    if digit == 0:
        return at
    precise = PreciseDatetime.combine(at.date(), at.timetz())
    precise.hundred_ns = digit
    return precise


def hundred_ns(at: datetime) -> int:
    """The digit below the microsecond, 0 for a plain datetime."""
    return at.hundred_ns if isinstance(at, PreciseDatetime) else 0


def to_ticks(at: datetime) -> int:
    """The 100 ns since 1601-01-01 UTC, as on the wire.

    Earlier instants are 0 and those from the end of the year 9999 the maximum, as the specification says.
    A naive datetime is read as UTC, as asyncua does.
    """
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if aware < EPOCH:
        return 0
    if aware >= END:
        return MAX_TICKS
    return 10 * ((aware - EPOCH) // _US) + hundred_ns(at)


def from_ticks(ticks: int) -> datetime:
    """The instant of a wire value: a plain datetime, or a `PreciseDatetime` when the last digit is not 0."""
    if ticks >= _END_TICKS:
        return END
    if ticks < 0:
        return EPOCH
    microseconds, digit = divmod(ticks, 10)
    at = EPOCH + timedelta(microseconds=microseconds)
    return with_hundred_ns(at, digit) if digit else at


def install() -> None:
    """Make asyncua keep the digit, client and server of this process alike. Repeating it changes nothing."""
    namespace: Any = ua
    namespace.datetime_to_win_epoch = to_ticks
    namespace.win_epoch_to_datetime = from_ticks
