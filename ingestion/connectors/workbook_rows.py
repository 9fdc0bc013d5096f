"""One row of raw cells → the contract's values, or the reasons why not, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl.utils.datetime import CALENDAR_WINDOWS_1900

from contracts.model import Column, Contract
from contracts.template import takes_signs
from ingestion.connectors.workbook_cells import CellFault, plain, read_instant, read_result, read_unit
from ingestion.connectors.workbook_forms import Forms, SheetRow
from ingestion.files.cells import read_cell

SUBMITTED_BY = "submitted_by"  # a derived column that says who handed the workbook in


@dataclass
class JudgedRow:
    """A row with what it means and what is wrong with it."""

    row: SheetRow
    values: dict[str, Any] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)
    note: CellFault | None = None  # something to say about a row that is not wrong

    def refuse(self, reason_zh: str, reason_en: str, column: str | None = None) -> None:
        """Note one more thing that is wrong, in one column where it is one."""
        self.faults.append(CellFault(reason_zh, reason_en, column))


@dataclass(frozen=True)
class Reading:
    """What is needed to understand a row.

    Attributes:
        contract: of the table.
        submitted_by: who handed the workbook in.
        epoch: from which day dates count that are numbers.
        forms: other words for codes, and units that nobody writes.
        known: the permitted values of columns that refer to a register.
        now: nothing can have been measured later.
    """

    contract: Contract
    forms: Forms
    known: Mapping[str, frozenset[str]]
    now: datetime
    submitted_by: str | None = None
    epoch: datetime = CALENDAR_WINDOWS_1900


def interpret(row: SheetRow, reading: Reading) -> JudgedRow:
    """The row's values in the contract's types; every cell that cannot be taken is told."""
    judged = JudgedRow(row)
    signs = takes_signs(reading.contract)
    for column in reading.contract.columns:
        if column.is_derived:
            continue
        cell = row.cells.get(column.name)
        if not plain(cell):
            _take_empty(judged, column)
        elif column.logical_type == "timestamp":
            _take_instant(judged, column, cell, reading)
        elif column.logical_type == "string":
            _take_text(judged, column, cell, reading)
        elif signs and column.unit_column:
            _take_result(judged, column, cell)
        else:
            _take_value(judged, column, cell, reading)
    if signs:
        _settle_unit(judged, reading.forms)
    if any(column.name == SUBMITTED_BY for column in reading.contract.columns):
        judged.values[SUBMITTED_BY] = reading.submitted_by
    return judged


def _take_empty(judged: JudgedRow, column: Column) -> None:
    judged.values.setdefault(column.name, None)
    # A result may bring the unit with it.
    if column.required and column.name != "unit_code":
        judged.refuse(f"{column.label_zh}为空，必填", f"{column.label_en} is empty and required", column.name)


def _take_instant(judged: JudgedRow, column: Column, cell: object, reading: Reading) -> None:
    zone = ZoneInfo(column.source_zone or "UTC")
    found = read_instant(cell, zone, label=(column.label_zh, column.label_en))
    if isinstance(found, CellFault):
        judged.faults.append(replace(found, column=column.name))
    elif found > reading.now:
        judged.refuse(
            f"{column.label_zh}“{plain(cell)}”晚于现在",
            f"{column.label_en} {plain(cell)!r} lies in the future",
            column.name,
        )
    else:
        judged.values[column.name] = found


def _take_value(judged: JudgedRow, column: Column, cell: object, reading: Reading) -> None:
    found = read_cell(cell, column, epoch=reading.epoch)
    if isinstance(found, CellFault):
        judged.faults.append(replace(found, column=column.name))
    else:
        judged.values[column.name] = found


def _take_result(judged: JudgedRow, column: Column, cell: object) -> None:
    found = read_result(cell)
    if isinstance(found, CellFault):
        judged.faults.append(replace(found, column=column.name))
        return
    judged.values[column.name] = found.value
    judged.values["is_below_detection"] = found.is_below_detection
    judged.values["result_text"] = found.text
    judged.values["unit_in_cell"] = found.unit


def _take_text(judged: JudgedRow, column: Column, cell: object, reading: Reading) -> None:
    text = plain(cell)
    if column.name == "unit_code" and takes_signs(reading.contract):
        judged.values[column.name] = read_unit(text) or text
        return
    if column.codes:
        text = _code(column, text, reading.forms.codes)
    known = reading.known.get(column.name)
    if known is not None and text not in known:
        listed = ", ".join(sorted(known))
        judged.refuse(
            f"{column.label_zh}“{text}”未登记，已登记：{listed}",
            f"{column.label_en} {text!r} is not registered; registered: {listed}",
            column.name,
        )
    judged.values[column.name] = text


def _code(column: Column, text: str, aliases: Mapping[str, list[str]]) -> str:
    """The code that a code, a label or another word for it means; the text itself where none is known."""
    wanted = "".join(text.split()).lower()
    for code in column.codes:
        words = [str(code.value), code.label_zh, code.label_en, *aliases.get(str(code.value), [])]
        if wanted in {"".join(word.split()).lower() for word in words}:
            return str(code.value)
    return text


def _settle_unit(judged: JudgedRow, forms: Forms) -> None:
    """The unit stands in its own column or beside the result, or is one that nobody writes (pH)."""
    in_cell = judged.values.pop("unit_in_cell", None)
    in_column = judged.values.get("unit_code")
    if in_cell and in_column and in_cell != in_column:
        judged.refuse(
            f"单位矛盾：{in_cell} 与 {in_column}", f"two units: {in_cell} and {in_column}", "unit_code"
        )
    unit = in_cell or in_column or forms.default_units.get(str(judged.values.get("factor_code")))
    if unit is None:
        judged.refuse("没有单位，应为 mg/L", "no unit; expected mg/L", "unit_code")
    judged.values["unit_code"] = unit
