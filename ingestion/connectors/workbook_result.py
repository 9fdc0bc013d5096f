"""The answer to whoever handed a workbook in: the same workbook, every row marked, every fault explained."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from ingestion.connectors.workbook_file import WorkbookFile, open_workbook
from ingestion.connectors.workbook_judgement import Judgement
from ingestion.connectors.workbook_rows import JudgedRow
from ingestion.errors import RefusedFileError

HEADINGS = ("处理结果 Result", "原因（中文）", "Reasons (English)")
LANDED = "已入库 landed"
KNOWN = "已存在 known"
REFUSED = "已隔离 quarantined"
_FILLS = {LANDED: "C6EFCE", KNOWN: "DDEBF7", REFUSED: "FFC7CE"}


def render_result(file: WorkbookFile, judgement: Judgement) -> bytes:
    """The handed-in workbook with three columns at the right of every sheet that has data rows."""
    book = open_workbook(file, values_only=False)
    for verdict, rows in (
        (LANDED, judgement.accepted),
        (KNOWN, judgement.known),
        (REFUSED, judgement.refused),
    ):
        _mark(book, verdict, rows)
    return _saved(book)


def render_refusal(file_name: str, reason: RefusedFileError) -> bytes:
    """A workbook of its own that says why the file was not read."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "拒收 Refused"
    sheet.append(["文件 File", file_name])
    sheet.append(["原因（中文）", reason.reason_zh])
    sheet.append(["Reason", reason.reason_en])
    sheet.column_dimensions["B"].width = 120
    return _saved(book)


def _mark(book: Workbook, verdict: str, rows: Iterable[JudgedRow]) -> None:
    for row in rows:
        sheet = book[row.row.sheet]
        first = _result_column(sheet)
        told = [*row.faults, *([row.note] if row.note else [])]
        texts = (verdict, "；".join(t.reason_zh for t in told), "; ".join(t.reason_en for t in told))
        for offset, text in enumerate(texts):
            cell = sheet.cell(row.row.row_number, first + offset, text)
            cell.fill = PatternFill("solid", fgColor=_FILLS[verdict])


def _result_column(sheet: Worksheet) -> int:
    """The first of our columns; made when a sheet is marked for the first time."""
    for cell in sheet[1]:
        if cell.value == HEADINGS[0]:
            return int(cell.column)
    first = sheet.max_column + 2
    for offset, heading in enumerate(HEADINGS):
        sheet.cell(1, first + offset, heading).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(first + offset)].width = 60 if offset else 20
    return first


def _saved(book: Workbook) -> bytes:
    target = BytesIO()
    book.save(target)
    return target.getvalue()
