"""Contract → the official Excel template: what a person fills in, and nothing we can work out ourselves.

Rows 1 to 3 are Chinese headings, English headings and units; data begins at row 4. A hidden sheet names
contract and version, so that a returned file is recognised whatever its name.
"""

from __future__ import annotations

from io import BytesIO

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
_LAST_PREPARED_ROW = 1000
_HEADING = PatternFill("solid", fgColor="DDEBF7")
_NUMBER_FORMATS = {"timestamp": "yyyy-mm-dd hh:mm", "date": "yyyy-mm-dd", "string": "@"}


def entered_columns(contract: Contract) -> tuple[Column, ...]:
    """The columns a person fills in, in the contract's order."""
    return tuple(column for column in contract.columns if not column.is_derived)


def render_template(contract: Contract) -> bytes:
    """The workbook file for `contract`."""
    book = Workbook()
    data = book.active
    assert isinstance(data, Worksheet)
    data.title = DATA_SHEET
    codes = book.create_sheet(CODE_SHEET)
    _write_guide(book.create_sheet(GUIDE_SHEET), contract)
    for index, column in enumerate(entered_columns(contract), start=1):
        _write_heading(data, index, column)
        if column.codes:
            _offer_codes(data, codes, index, column)
    data.freeze_panes = f"A{FIRST_DATA_ROW}"
    hidden = book.create_sheet(CONTRACT_SHEET)
    hidden.sheet_state = "veryHidden"
    hidden.append(["contract_id", contract.contract_id])
    hidden.append(["version", contract.version])
    target = BytesIO()
    book.save(target)
    return target.getvalue()


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


def _offer_codes(data: Worksheet, codes: Worksheet, index: int, column: Column) -> None:
    """List a column's codes on the code sheet and let the cells offer them."""
    first = codes.max_column + 2 if codes.max_column > 1 else 1
    for offset, heading in enumerate((column.label_zh, "中文", "English")):
        codes.cell(1, first + offset, heading).font = Font(bold=True)
    for row, code in enumerate(column.codes, start=2):
        for offset, value in enumerate((code.value, code.label_zh, code.label_en)):
            codes.cell(row, first + offset, value)
    letter = get_column_letter(first)
    offered = f"'{CODE_SHEET}'!${letter}$2:${letter}${len(column.codes) + 1}"
    validation = DataValidation(type="list", formula1=offered, allow_blank=not column.required)
    validation.error = f"{column.label_zh}：请从列表选择 / choose from the list"
    validation.errorTitle = "代码 Code"
    data.add_data_validation(validation)
    own = get_column_letter(index)
    validation.add(f"{own}{FIRST_DATA_ROW}:{own}{_LAST_PREPARED_ROW}")


def _write_guide(sheet: Worksheet, contract: Contract) -> None:
    sheet.append([contract.label_zh, contract.label_en, f"{contract.contract_id} {contract.version}"])
    sheet.append([contract.description])
    sheet.append(["列", "Column", "必填 Required", "单位 Unit", "说明 Notes"])
    for column in entered_columns(contract):
        required = "是 yes" if column.required else "否 no"
        unit = column.unit or column.unit_column or ""
        sheet.append([column.label_zh, column.label_en, required, unit, column.description])
    for letter, width in zip("ABCDE", (24, 32, 16, 16, 80), strict=True):
        sheet.column_dimensions[letter].width = width
