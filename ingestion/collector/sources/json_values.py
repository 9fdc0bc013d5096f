"""Values out of a JSON message: by pointer, as number and text, as an instant; or what is wrong with them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ingestion.collector.sources.mapping import resolve
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, to_ticks, with_hundred_ns

if TYPE_CHECKING:
    from ingestion.collector.sources.mapping import TimeRule

DIGITS_LIMIT = 2_000
NOT_FOUND = object()
_TICKS_PER = {"epoch_s": TICKS_PER_SECOND, "epoch_ms": 10_000, "epoch_us": 10}
_EXACT = 2**53
_EPOCH_LIMIT = Decimal(10) ** 21


class Wrong(StrEnum):
    """In one word, what is wrong with a message."""

    NO_VALUE = "no_value"
    TOO_MANY_TAGS = "too_many_tags"
    NO_ENTRIES = "no_entries"
    NO_EVENT_TYPE = "no_event_type"
    NO_LINK = "no_link"
    TOO_LONG = "too_long"
    NO_JSON = "no_json"
    NO_NAME = "no_name"
    NO_TIME = "no_time"


class WrongError(ValueError):
    """What is wrong with a message: code, Chinese, English."""

    def __init__(self, code: Wrong, zh: str, en: str) -> None:
        super().__init__(en)
        self.code, self.zh, self.en = code, zh, en


def look(pointer: str | None, document: Any) -> Any:
    """What a pointer points to, `NOT_FOUND` where there is nothing."""
    if pointer is None:
        return NOT_FOUND
    try:
        return resolve(document, pointer)
    except LookupError:
        return NOT_FOUND


def text_at(pointer: str | None, document: Any) -> str | None:
    """The same as text; None where there is nothing or null."""
    found = look(pointer, document)
    if found is NOT_FOUND or found is None:
        return None
    return found if isinstance(found, str) else dump(found)


def split_value(value: Any) -> tuple[float | None, str | None]:
    """A value as number and text; a number that a double cannot hold exactly keeps its digits as text."""
    if value is None:
        return None, None
    if isinstance(value, bool):
        return float(value), None
    if isinstance(value, int):
        try:
            return float(value), None if abs(value) <= _EXACT else str(value)
        except OverflowError:
            return None, str(value)[:DIGITS_LIMIT]
    if isinstance(value, Decimal | float):
        number = float(value)
        return (
            (number, None) if math.isfinite(number) or not isinstance(value, Decimal) else (None, str(value))
        )
    return None, value if isinstance(value, str) else dump(value)


def dump(value: Any) -> str:
    """A value as JSON text."""
    return json.dumps(value, ensure_ascii=False, default=float)


def first_found(pointer: str | None, entry: Any, message: Any) -> Any:
    """What a pointer points to in the entry, else in the whole message."""
    found = look(pointer, entry)
    return look(pointer, message) if found is NOT_FOUND else found


def instant(rule: TimeRule, entry: Any, message: Any, now: int) -> int:
    """The source time in ticks.

    Raises:
        WrongError: nothing is there, or it is not written as the rule says.
    """
    if rule.written == "arrival":
        return now
    found = first_found(rule.at, entry, message)
    try:
        return _iso(str(found), rule.zone) if rule.written == "iso" else _epoch(found, rule.written)
    except (ValueError, ArithmeticError, TypeError) as error:
        shown = "nothing" if found is NOT_FOUND else str(found)[:80]
        raise WrongError(
            Wrong.NO_TIME,
            f"{rule.at} 处的时间不是 {rule.written}：{shown}",
            f"the time at {rule.at!r} is {shown}, expected {rule.written}",
        ) from error


def _iso(text: str, zone: str) -> int:
    whole, point, rest = text.strip().partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    at = datetime.fromisoformat(
        f"{whole}{point}{digits[:6].ljust(6, '0') if point else ''}{rest[len(digits) :]}"
    )
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return to_ticks(with_hundred_ns(at.astimezone(UTC), int(digits[6:7] or 0)))


def _epoch(value: Any, written: str) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    count = Decimal(str(value))
    if not abs(count) < _EPOCH_LIMIT:  # also what is no number
        raise OverflowError(value)
    ticks = count / 100 if written == "epoch_ns" else count * _TICKS_PER[written]
    return int(ticks) + UNIX_EPOCH_TICKS
