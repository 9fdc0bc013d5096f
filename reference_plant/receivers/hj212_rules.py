"""What a provincial platform holds true of uploaded values: known codes, plausible times, numbers and marks.

Ranges are wide on purpose: they find a wrong unit (Pa for kPa, K for °C), not an unusual day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reference_plant.receivers.hj212_wire import Kind, RefusalError, Segment, parse_content

PLATFORM_ZONE = ZoneInfo("Asia/Shanghai")
# Station and platform clocks may differ by this much before a time is called wrong.
CLOCK_TOLERANCE = timedelta(minutes=5)
OLDEST_ACCEPTED = timedelta(days=366)

PERIODS = {
    "2051": timedelta(minutes=10),
    "2061": timedelta(hours=1),
    "2031": timedelta(days=1),
    "2041": timedelta(days=1),
}
MOMENTS = frozenset({"2011", "2021", "2081"})
INFORMATION = frozenset({"3019", "3020"})
PERIOD_FIELDS = frozenset({"Min", "Avg", "Max", "Cou", "ZsMin", "ZsAvg", "ZsMax"})
MOMENT_FIELDS = frozenset({"Rtd", "ZsRtd", "SampleTime"})
MARKS = tuple("NFMSDCTB")

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,13})(\.\d{1,4})?", re.ASCII)
_FACTOR_OF_ST = {"31": re.compile(r"a\d{5}"), "32": re.compile(r"w\d{5}")}
_RANGES = {
    "w01001": (Decimal(0), Decimal(14)),
    "a19001": (Decimal(0), Decimal(25)),
    "a01011": (Decimal(0), Decimal(100)),
    "a01012": (Decimal(-60), Decimal(1200)),
    "a01013": (Decimal(-20), Decimal(20)),
    "a01014": (Decimal(0), Decimal(100)),
    "a00000": (Decimal(0), Decimal(1000)),
    "w00000": (Decimal(0), Decimal(20000)),
}
_CONCENTRATION = (Decimal(-10), Decimal(100_000))


class Value(NamedTuple):
    """One field of one factor as it was sent."""

    factor_code: str
    field: str
    value: str
    flag: str


@dataclass(frozen=True)
class Upload:
    """A data segment whose content holds."""

    segment: Segment
    data_time: str
    values: tuple[Value, ...]


def check_upload(segment: Segment, now_utc: datetime) -> Upload:
    """The values of an upload, once every rule holds.

    Raises:
        RefusalError: kind content, data_time, factor, number, mark or statistics.
    """
    items = parse_content(segment.content)
    if not items or set(items[0]) != {"DataTime"}:
        raise RefusalError(Kind.DATA_TIME, f"expected DataTime first, found {segment.content[:40]!r}")
    data_time = items[0]["DataTime"]
    _check_time(segment, data_time, now_utc)
    if segment.cn in {"2081", "2021", "2041"} or segment.cn in INFORMATION:
        return Upload(segment, data_time, tuple(_plain_values(items[1:])))
    seen: set[str] = set()
    values: list[Value] = []
    for item in items[1:]:
        code = next(iter(item)).partition("-")[0]
        if code in seen:
            raise RefusalError(Kind.FACTOR, f"expected each factor once, found {code} again")
        seen.add(code)
        values += _factor_values(segment, code, item)
    if not seen:
        raise RefusalError(Kind.CONTENT, "expected at least one factor after DataTime, found none")
    return Upload(segment, data_time, tuple(values))


def _check_time(segment: Segment, data_time: str, now_utc: datetime) -> None:
    start = _instant(data_time)
    period = PERIODS.get(segment.cn, timedelta(0))
    midnight = start.replace(hour=0, minute=0, second=0)
    if period and (start - midnight) % period:
        raise RefusalError(
            Kind.DATA_TIME, f"CN={segment.cn}: expected a start of a {period} period, found {data_time}"
        )
    if start + period > now_utc + CLOCK_TOLERANCE:
        now = f"{now_utc.astimezone(PLATFORM_ZONE):%Y%m%d%H%M%S}"
        raise RefusalError(Kind.DATA_TIME, f"expected nothing from after {now}, found {data_time} + {period}")
    if start < now_utc - OLDEST_ACCEPTED:
        raise RefusalError(Kind.DATA_TIME, f"expected at most {OLDEST_ACCEPTED} ago, found {data_time}")


def _instant(text: str) -> datetime:
    if not re.fullmatch(r"\d{14}", text, re.ASCII):
        raise RefusalError(Kind.DATA_TIME, f"expected YYYYMMDDhhmmss, found {text!r}")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=PLATFORM_ZONE)
    except ValueError as error:
        raise RefusalError(Kind.DATA_TIME, f"expected a moment that exists, found {text!r}") from error


def _plain_values(items: Iterable[dict[str, str]]) -> Iterable[Value]:
    for item in items:
        for name, value in item.items():
            code, _, field = name.partition("-")
            yield Value(code, field, value, "")


def _factor_values(segment: Segment, code: str, item: dict[str, str]) -> list[Value]:
    shape = _FACTOR_OF_ST.get(segment.st)
    if shape is None or not shape.fullmatch(code):
        raise RefusalError(Kind.FACTOR, f"ST={segment.st}: expected codes of its annex, found {code!r}")
    mark = item.get(f"{code}-Flag", "")
    if mark not in MARKS:
        raise RefusalError(Kind.MARK, f"{code}: expected one Flag of {MARKS}, found {mark!r}")
    allowed = PERIOD_FIELDS if segment.cn in PERIODS else MOMENT_FIELDS
    fields = {name.partition("-")[2]: value for name, value in item.items()}
    fields.pop("Flag")
    fields.pop("EFlag", None)
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise RefusalError(Kind.CONTENT, f"{code}: CN={segment.cn} takes {sorted(allowed)}, found {unknown}")
    if mark == "N" and not fields:
        raise RefusalError(Kind.MARK, f"{code}: marked normal, but no value is sent")
    _check_numbers(code, fields)
    return [Value(code, field, value, mark) for field, value in fields.items()]


def _check_numbers(code: str, fields: dict[str, str]) -> None:
    numbers: dict[str, Decimal] = {}
    for field, value in fields.items():
        if field == "SampleTime":
            _instant(value)
            continue
        if not _NUMBER.fullmatch(value):
            raise RefusalError(
                Kind.NUMBER, f"{code}-{field}: expected digits and at most 4 decimals, found {value!r}"
            )
        numbers[field] = Decimal(value)
        low, high = (Decimal(0), Decimal(10) ** 14) if field == "Cou" else _RANGES.get(code, _CONCENTRATION)
        if not field.startswith("Zs") and not low <= numbers[field] <= high:
            raise RefusalError(
                Kind.NUMBER, f"{code}-{field}: expected {low} to {high} in its unit, found {value}"
            )
    for prefix in ("", "Zs"):
        order = [numbers[f"{prefix}{name}"] for name in ("Min", "Avg", "Max") if f"{prefix}{name}" in numbers]
        if order != sorted(order):
            raise RefusalError(
                Kind.STATISTICS, f"{code}: expected {prefix}Min ≤ {prefix}Avg ≤ {prefix}Max, found {fields}"
            )
