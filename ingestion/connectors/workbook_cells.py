"""What people write in cells → values: results with units and signs, instants in several forms.

A form that can be read in two ways is refused, never guessed; every refusal is a `CellFault`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_FULL_WIDTH = str.maketrans("＜＞（）：／．－０１２３４５６７８９　", "<>():/.-0123456789 ")
_RESULT = re.compile(
    r"^(?P<sign>[<≤]?)\s*(?P<number>-?\d+(?:\.\d+)?)\s*(?P<limit>L(?=$|\s))?\s*(?P<unit>[^\d\s].*)?$"
)
_UNITS = {
    "mg/l": "mg/L",
    "毫克/升": "mg/L",
    "毫克每升": "mg/L",
    "1": "1",
    "无量纲": "1",
    "dimensionless": "1",
    "-": "1",
    "ph": "1",
}
_DAY = r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?"
_TIME = r"(?:(?P<hour>\d{1,2})\s*[:时点]\s*(?P<minute>\d{1,2})?\s*分?(?::(?P<second>\d{2}))?)?"
_INSTANT = re.compile(rf"^{_DAY}[\sT]*{_TIME}$")
_CLOCK = re.compile(r"^(?P<hour>\d{1,2})\s*[:时点]\s*(?P<minute>\d{1,2})?\s*分?$")


@dataclass(frozen=True)
class CellFault:
    """Why a cell cannot be taken; `column` where it is the fault of one."""

    reason_zh: str
    reason_en: str
    column: str | None = None


@dataclass(frozen=True)
class Result:
    """A laboratory result as written."""

    value: float
    is_below_detection: bool
    unit: str | None
    text: str


def plain(cell: object) -> str:
    """The text of a cell: full-width signs made half-width, blanks around it gone."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).translate(_FULL_WIDTH).strip()


def read_result(cell: object) -> Result | CellFault:
    """A result: `38`, `38 mg/L`, `<0.05`, or `0.05L`, the national way to write the same."""
    text = plain(cell)
    if isinstance(cell, bool) or not text:
        return CellFault("监测结果为空", "the result is empty")
    found = _RESULT.match(text)
    if found is None:
        return CellFault(
            f"监测结果“{text}”无法识别，应为数字，低于检出限写作 <检出限",
            f"result {text!r} cannot be read; expected a number, or <limit where below the detection limit",
        )
    unit = None
    if found["unit"]:
        unit = read_unit(found["unit"])
        if unit is None:
            return CellFault(
                f"单位“{found['unit']}”不在合同中", f"unit {found['unit']!r} is not in the contract"
            )
    return Result(float(found["number"]), bool(found["sign"] or found["limit"]), unit, text)


def read_unit(cell: object) -> str | None:
    """The contract's unit code for a written unit, or None where it is another."""
    return _UNITS.get(plain(cell).replace(" ", "").lower())


def read_instant(
    cell: object, zone: ZoneInfo, clock_cell: object = None, *, label: tuple[str, str] = ("时间", "time")
) -> datetime | CellFault:
    """An instant of the plant in UTC.

    Args:
        cell: an Excel date, or text with a year of four digits.
        zone: the plant's zone.
        clock_cell: the time of day where the sheet has it in a column of its own.
        label: what the column is called in Chinese and English.
    """
    if isinstance(cell, datetime):
        local = cell
    elif isinstance(cell, date):
        local = datetime.combine(cell, time())
    else:
        parsed = _parse_instant(plain(cell), *label)
        if isinstance(parsed, CellFault):
            return parsed
        local = parsed
    if plain(clock_cell):
        clock = _read_clock(clock_cell)
        if isinstance(clock, CellFault):
            return clock
        local = datetime.combine(local.date(), clock)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _parse_instant(text: str, label_zh: str, label_en: str) -> datetime | CellFault:
    found = _INSTANT.match(text)
    if found is None:
        what_zh = f"{label_zh}“{text}”无法识别" if text else f"{label_zh}为空"
        what_en = f"{label_en} {text!r} cannot be read" if text else f"{label_en} is empty"
        return CellFault(
            f"{what_zh}，应为带四位年份的日期，如 2026-11-16 09:30",
            f"{what_en}; expected a date with a year of four digits, such as 2026-11-16 09:30",
        )
    numbers = {name: int(value) for name, value in found.groupdict().items() if value}
    try:
        return datetime(**numbers)  # type: ignore[arg-type]  # noqa: DTZ001  (the caller adds the zone)
    except ValueError as error:
        return CellFault(
            f"{label_zh}“{text}”不存在（{error}）", f"{label_en} {text!r} does not exist ({error})"
        )


def _read_clock(cell: object) -> time | CellFault:
    if isinstance(cell, datetime):
        return cell.time()
    if isinstance(cell, time):
        return cell
    found = _CLOCK.match(plain(cell))
    if found is None or int(found["hour"]) > 23 or int(found["minute"] or 0) > 59:
        text = plain(cell)
        return CellFault(
            f"时刻“{text}”无法识别，应如 9:30", f"time of day {text!r} cannot be read; expected 9:30"
        )
    return time(int(found["hour"]), int(found["minute"] or 0))
