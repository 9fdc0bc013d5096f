"""Contract → the official Excel template: what a person fills in, and nothing we can work out ourselves.

Rows 1 to 3 are Chinese headings, English headings and units; data begins at row 4. A hidden sheet names
contract and version, so that a returned file is recognised whatever its name. Cells offer codes and
registered values, and warn of what the contract will not take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Literal

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from contracts.model import Column, Contract

DATA_SHEET = "数据 Data"
CODE_SHEET = "代码 Codes"
GUIDE_SHEET = "说明 Guide"
CONTRACT_SHEET = "_contract"
FIRST_DATA_ROW = 4
REQUIRED_MARK = " *"
FILLER_CELL = "B2"  # of the guide: who filled the workbook in
_LAST_PREPARED_ROW = 5_003
_HEADING = PatternFill("solid", fgColor="DDEBF7")
_TO_FILL = PatternFill("solid", fgColor="FFF2CC")
_HEADING_HEIGHT = 30  # points: an English heading takes two lines
_WIDE = Alignment(wrap_text=True, vertical="top")
_NUMBER_FORMATS = {"timestamp": "yyyy-mm-dd hh:mm", "date": "yyyy-mm-dd", "string": "@"}


def entered_columns(contract: Contract) -> tuple[Column, ...]:
    """The columns a person fills in, in the contract's order."""
    return tuple(column for column in contract.columns if not column.is_derived)


def render_template(contract: Contract, known: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """The workbook file for `contract`.

    Args:
        contract: of a table that people fill in.
        known: the registered values of columns that refer to a register.
    """
    book = Workbook()
    data = book.active
    assert isinstance(data, Worksheet)
    data.title = DATA_SHEET
    codes = book.create_sheet(CODE_SHEET)
    _write_guide(book.create_sheet(GUIDE_SHEET), contract)
    for index, column in enumerate(entered_columns(contract), start=1):
        _write_heading(data, index, column)
        listed = [(str(code.value), code.label_zh, code.label_en) for code in column.codes]
        listed += [(value, "", "") for value in (known or {}).get(column.name, ())]
        if listed:
            _offer(data, codes, index, column, listed)
        else:
            _warn(data, index, column, contract)
    for row in (1, 2):
        data.row_dimensions[row].height = _HEADING_HEIGHT
    data.freeze_panes = f"A{FIRST_DATA_ROW}"
    hidden = book.create_sheet(CONTRACT_SHEET)
    hidden.sheet_state = "veryHidden"
    hidden.append(["contract_id", contract.contract_id])
    hidden.append(["version", contract.version])
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def takes_signs(contract: Contract) -> bool:
    """Whether results may carry a sign or a unit, as laboratories write them: `<0.05 mg/L`."""
    return any(column.name == "is_below_detection" for column in contract.columns)


def _write_heading(sheet: Worksheet, index: int, column: Column) -> None:
    mark = REQUIRED_MARK if column.required else ""
    unit = column.unit or (f"见 see {column.unit_column}" if column.unit_column else "")
    for row, text in ((1, column.label_zh + mark), (2, column.label_en + mark), (3, unit)):
        cell = sheet.cell(row, index, text)
        cell.fill = _HEADING
        cell.font = Font(bold=row < FIRST_DATA_ROW - 1)
        cell.alignment = Alignment(wrap_text=True, vertical="center")
    if column.description:
        sheet.cell(1, index).comment = Comment(column.description, "ChemLink")
    letter = get_column_letter(index)
    sheet.column_dimensions[letter].width = 20
    number_format = _NUMBER_FORMATS.get(column.logical_type)
    if number_format:
        # On the column, not on a thousand cells: those would be read back one by one.
        sheet.column_dimensions[letter].number_format = number_format


def _offer(
    data: Worksheet, codes: Worksheet, index: int, column: Column, listed: Sequence[tuple[str, str, str]]
) -> None:
    """List a column's values on the code sheet and let the cells offer them."""
    first = codes.max_column + 2 if codes.max_column > 1 else 1
    for offset, heading in enumerate((column.label_zh, "中文", "English")):
        codes.cell(1, first + offset, heading).font = Font(bold=True)
    for row, values in enumerate(listed, start=2):
        for offset, value in enumerate(values):
            codes.cell(row, first + offset, value or None)
    letter = get_column_letter(first)
    offered = f"'{CODE_SHEET}'!${letter}$2:${letter}${len(listed) + 1}"
    validation = DataValidation(type="list", formula1=offered, allow_blank=not column.required)
    _place(data, validation, index, column, "请从列表选择 / choose from the list")


def _warn(data: Worksheet, index: int, column: Column, contract: Contract) -> None:
    """Warn of values that will be refused; the person may go on, the intake judges."""
    validation = None
    if column.logical_type in ("integer", "number") and not (column.unit_column and takes_signs(contract)):
        kind: Literal["whole", "decimal"] = "whole" if column.logical_type == "integer" else "decimal"
        low = column.minimum if column.minimum is not None else -1e15
        high = column.maximum if column.maximum is not None else 1e15
        validation = DataValidation(type=kind, operator="between", formula1=f"{low:g}", formula2=f"{high:g}")
        told = f"应为 {low:g} … {high:g} / expected {low:g} … {high:g}"
    elif column.logical_type in ("date", "timestamp"):
        # As text too: 2026-11-16 09:30 is understood either way, so that the cell is only told of.
        validation = DataValidation(type="date", operator="greaterThan", formula1="36526")
        told = "应为带四位年份的日期 / a date with a year of four digits"
    if validation is not None:
        validation.errorStyle = "warning"
        _place(data, validation, index, column, told)


def _place(data: Worksheet, validation: DataValidation, index: int, column: Column, told: str) -> None:
    validation.error = f"{column.label_zh}：{told}"
    validation.errorTitle = "请检查 Check"
    validation.showErrorMessage = True
    data.add_data_validation(validation)
    own = get_column_letter(index)
    validation.add(f"{own}{FIRST_DATA_ROW}:{own}{_LAST_PREPARED_ROW}")


def _write_guide(sheet: Worksheet, contract: Contract) -> None:
    sheet.append([contract.label_zh, contract.label_en, f"{contract.contract_id} {contract.version}"])
    sheet.append(["填报人 Filled in by", None, "", "", "← 请填写姓名 your name"])
    sheet[FILLER_CELL].fill = _TO_FILL
    sheet.append([contract.description])
    for step_zh, step_en in _STEPS:
        sheet.append([step_zh, step_en])
    sheet.append(["列", "Column", "必填 Required", "单位 Unit", "说明 Notes"])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(bold=True)
    for column in entered_columns(contract):
        required = "是 yes" if column.required else "否 no"
        unit = column.unit or column.unit_column or ""
        sheet.append([column.label_zh, column.label_en, required, unit, column.description])
    for letter, width in zip("ABCDE", (44, 52, 16, 16, 80), strict=True):
        sheet.column_dimensions[letter].width = width
    for row in sheet.iter_rows():
        for cell in row:
            cell.alignment = _WIDE


_STEPS = (
    (
        "1. 在“数据 Data”页第 4 行起逐行填写，* 为必填；不要改动前三行。",
        "1. Fill in the sheet 数据 Data from row 4; * is required. Leave the first three rows as they are.",
    ),
    (
        "2. 把文件放入收件目录；同名结果工作簿会标出每一行是否入库及原因。",
        "2. Drop the file into the inbox; a result workbook marks every row and says why.",
    ),
    (
        "3. 在结果工作簿中改正红色行后，整份再次放入；更正已入库的行须填写更正原因和更正人。",
        "3. Correct the red rows in the result workbook and drop it again; to correct a row that has landed, "
        "give reason and author.",
    ),
)
