"""One cell of a file, as text or as a workbook's own value → the contract's value, or why not.

A form that can be read in two ways is refused, never guessed. Nothing is ever evaluated: a formula that
stands in a cell as text is text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from openpyxl.utils.datetime import CALENDAR_WINDOWS_1900, from_excel

from contracts.arrow import arrow_type
from contracts.model import Column
from ingestion.connectors.conversion import EPOCH_MS, date_directive
from ingestion.connectors.workbook_cells import CellFault, plain, read_instant
from ingestion.files.records import UNREADABLE, visible

EMPTY_WORDS = frozenset({"null", "n/a", "#n/a", "-", "--", "—", "——", "/", "\\n", "无"})
_ERRORS = {"#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"}
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YES = {"true", "t", "yes", "y", "1", "是", "√", "对", "有"}
_NO = {"false", "f", "no", "n", "0", "否", "×", "x", "错", "无"}
_LONGEST_TOLD = 60
_LAST_SERIAL = 2_958_465  # 9999-12-31 as a workbook counts days


def read_cell(cell: object, column: Column, *, epoch: datetime = CALENDAR_WINDOWS_1900) -> Any:
    """The value of a cell in the contract's type, None where it is empty, or a `CellFault`.

    Args:
        cell: text, or what a workbook holds (number, date, truth value).
        column: what is expected.
        epoch: from which day the workbook counts (1900 or 1904).
    """
    text = plain(cell)
    if column.logical_type != "string" and text.lower() in EMPTY_WORDS - (
        {"无"} if column.logical_type == "boolean" else set()
    ):
        return None
    if not text:
        return None
    if text.upper() in _ERRORS:
        return _fault(column, text, "是公式错误值", "is the error of a formula")
    if UNREADABLE.search(text):
        return _fault(
            column, text, "含控制字符或无法解码的字节", "holds control characters or undecodable bytes"
        )
    return _READERS[column.logical_type](cell, text, column, epoch)


def shown(text: str) -> str:
    """Text short enough for a sentence, with control characters made visible."""
    short = text if len(text) <= _LONGEST_TOLD else text[:_LONGEST_TOLD] + "…"
    return visible(short)


def _string(cell: object, text: str, column: Column, _epoch: datetime) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    written = str(cell).strip().strip("\u3000") if isinstance(cell, str) else text
    for code in column.codes:
        if written in (code.label_zh, code.label_en):
            return str(code.value)
    return written


def _integer(cell: object, text: str, column: Column, epoch: datetime) -> Any:
    found = _decimal(cell, text, column, epoch)
    if isinstance(found, CellFault):
        for code in column.codes:
            if text in (code.label_zh, code.label_en):
                return int(code.value)
        return found
    if found != found.to_integral_value():
        return _fault(column, text, "不是整数", "is no whole number")
    bits = arrow_type(column).bit_width
    if not -(2 ** (bits - 1)) <= found < 2 ** (bits - 1):
        return _fault(column, text, "超出可存储的整数范围", "is larger than the column can hold")
    return int(found)


def _number(cell: object, text: str, column: Column, epoch: datetime) -> Any:
    found = _decimal(cell, text, column, epoch)
    expected = arrow_type(column)
    if isinstance(found, CellFault) or not pa.types.is_decimal(expected):
        if isinstance(found, CellFault) or math.isfinite(float(found)):
            return found if isinstance(found, CellFault) else float(found)
        return _fault(column, text, "位数过多", "has too many digits")
    try:
        exact = found.quantize(Decimal(1).scaleb(-expected.scale))
    except InvalidOperation:
        return _fault(column, text, "位数过多", "has too many digits")
    if exact != found:
        places = expected.scale
        return _fault(column, text, f"小数多于 {places} 位", f"has more than {places} digits after the point")
    if exact and exact.adjusted() >= expected.precision - expected.scale:
        return _fault(column, text, "位数过多", "has too many digits")
    return exact


def _decimal(cell: object, text: str, column: Column, _epoch: datetime) -> Decimal | CellFault:
    if isinstance(cell, bool | datetime | date | time):
        return _fault(column, text, "不是数字", "is no number")
    bare = text
    if column.unit and column.unit != "1" and bare.lower().endswith(column.unit.lower()):
        bare = bare[: -len(column.unit)].strip()
    bare = bare.replace("，", ",").replace("－", "-").replace("＋", "+")
    if _GROUPED.fullmatch(bare):
        bare = bare.replace(",", "")
    if not _NUMBER.fullmatch(bare):
        unit_zh, unit_en = (f"（单位 {column.unit}）", f" (in {column.unit})") if column.unit else ("", "")
        return _fault(column, text, f"不是数字{unit_zh}", f"is no number{unit_en}")
    return Decimal(bare)


def _boolean(cell: object, text: str, column: Column, _epoch: datetime) -> Any:
    if isinstance(cell, bool):
        return cell
    word = text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    return _fault(column, text, "应为 是 或 否", "is neither yes nor no")


def _date(cell: object, text: str, column: Column, epoch: datetime) -> Any:
    found = _moment(cell, text, column, epoch)
    if isinstance(found, CellFault):
        return found
    if isinstance(found, datetime) and found.time() != time():
        return _fault(column, text, "是时刻，应为日期", "has a time of day; expected a date")
    return found.date() if isinstance(found, datetime) else found


def _instant(cell: object, text: str, column: Column, epoch: datetime) -> Any:
    if column.source_format == EPOCH_MS:
        if not re.fullmatch(r"-?\d{1,15}", text):
            return _fault(column, text, "不是毫秒时间戳", "is no count of milliseconds")
        return _guarded(lambda: datetime.fromtimestamp(int(text) / 1000, UTC), column, text)
    found = _moment(cell, text, column, epoch)
    if isinstance(found, CellFault):
        return found
    if found.tzinfo is None and column.source_zone is None:
        return _fault(column, text, "没有时区", "has no zone")
    zone = ZoneInfo(column.source_zone or "UTC")
    local = found if found.tzinfo else found.replace(tzinfo=zone)
    return _guarded(lambda: local.astimezone(UTC), column, text)


def _moment(cell: object, text: str, column: Column, epoch: datetime) -> Any:
    """An instant as written, with its offset where it has one."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    if isinstance(cell, int | float) and not isinstance(cell, bool) and 1 <= cell <= _LAST_SERIAL:
        return _guarded(lambda: from_excel(cell, epoch), column, text)
    if column.source_format:
        pattern = date_directive(column.source_format)
        return _guarded(lambda: datetime.strptime(text, pattern), column, text)  # noqa: DTZ007
    compact = _COMPACT_DAY.fullmatch(text)
    if compact:
        year, month, day = map(int, compact.groups())
        return _guarded(lambda: datetime(year, month, day), column, text)  # noqa: DTZ001
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        found = read_instant(text, ZoneInfo("UTC"), label=(column.label_zh, column.label_en))
    return found if isinstance(found, CellFault) else found.replace(tzinfo=None)


def _guarded(make: Callable[[], Any], column: Column, text: str) -> Any:
    try:
        return make()
    except (ValueError, OverflowError, OSError):
        return _fault(column, text, "不是可识别的日期时间", "is no date or time as expected")


def _fault(column: Column, text: str, what_zh: str, what_en: str) -> CellFault:
    found = shown(text)
    return CellFault(f"{column.label_zh}“{found}”{what_zh}", f"{column.label_en} {found!r} {what_en}")


_READERS: Mapping[str, Callable[[object, str, Column, datetime], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _instant,
}
