"""The answer to whoever handed a workbook in: the same workbook, every row marked, every fault explained.

It holds values, never formulas, and it can be corrected and handed in again as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from ingestion.connectors.workbook_file import WorkbookFile, open_workbook
from ingestion.connectors.workbook_judgement import Judgement
from ingestion.connectors.workbook_rows import JudgedRow, Reading
from ingestion.errors import RefusedFileError
from ingestion.files.neutral import keep_as_text

HEADINGS = ("处理结果 Result", "原因（中文）", "Reasons (English)")
LANDED = "已入库 landed"
KNOWN = "已存在 known"
REFUSED = "已隔离 quarantined"
SUMMARY_SHEET = "处理结果 Summary"
_FILLS = {LANDED: "C6EFCE", KNOWN: "DDEBF7", REFUSED: "FFC7CE"}
_WRONG_CELL = PatternFill("solid", fgColor="FF7C80")
_NO_FILL = PatternFill(fill_type=None)
_FILE, _HASH = "文件 File", "文件哈希 SHA-256"
_SUMMARY_ROWS = 20
_AUTHOR = "ChemLink"
_COMMENT_WIDTH, _COMMENT_HEIGHT = 360, 120


def render_result(file: WorkbookFile, judgement: Judgement, reading: Reading) -> bytes:
    """The handed-in workbook, three columns added to every sheet that has data rows, and a summary."""
    book = open_workbook(file, values_only=True)
    _neutralise(book)
    groups = ((LANDED, judgement.accepted), (KNOWN, judgement.known), (REFUSED, judgement.refused))
    for sheet in {row.row.sheet for _, rows in groups for row in rows}:
        _clear(book[sheet])
    for verdict, rows in groups:
        _mark(book, verdict, rows)
    _summarise(book, file, reading, {verdict: len(rows) for verdict, rows in groups})
    return _saved(book)


def answered_file(book: Workbook) -> tuple[str, str] | None:
    """Name and hash of the file that the workbook is the answer to; None where it is no answer."""
    if SUMMARY_SHEET not in book.sheetnames:
        return None
    rows = book[SUMMARY_SHEET].iter_rows(max_row=_SUMMARY_ROWS, max_col=2, values_only=True)
    told = {str(row[0]): str(row[1]) for row in rows if len(row) == 2}
    return (told[_FILE], told[_HASH]) if {_FILE, _HASH} <= set(told) else None


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
    _neutralise(book)
    return _saved(book)


def _neutralise(book: Workbook) -> None:
    """Text that a spreadsheet would calculate stays text."""
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                keep_as_text(cell)


def _clear(sheet: Worksheet) -> None:
    """Take away the marks of an earlier answer, if it is one that was corrected."""
    ours = range(_result_column(sheet), _result_column(sheet) + len(HEADINGS))
    for merged in list(sheet.merged_cells.ranges):
        if merged.max_col >= ours.start and merged.min_col < ours.stop:
            sheet.unmerge_cells(str(merged))
    for row in sheet.iter_rows(min_row=2):
        for at, cell in enumerate(row, start=1):
            if isinstance(cell, MergedCell):
                continue
            if cell.comment is not None and cell.comment.author == _AUTHOR:
                cell.comment = None
            if at in ours:
                cell.value = None
            if at in ours or cell.fill == _WRONG_CELL:
                cell.fill = _NO_FILL


def _mark(book: Workbook, verdict: str, rows: Iterable[JudgedRow]) -> None:
    fill = PatternFill("solid", fgColor=_FILLS[verdict])
    for row in rows:
        sheet = book[row.row.sheet]
        first = _result_column(sheet)
        told = [*row.faults, *([row.note] if row.note else [])]
        texts = (verdict, "；".join(t.reason_zh for t in told), "; ".join(t.reason_en for t in told))
        for offset, text in enumerate(texts):
            cell = sheet.cell(row.row.row_number, first + offset, text)
            keep_as_text(cell)
            cell.fill = fill
        for fault in row.faults:
            place = row.row.places.get(fault.column or "")
            if place is not None:
                wrong = sheet.cell(row.row.row_number, place)
                wrong.fill = _WRONG_CELL
                if isinstance(wrong, MergedCell):
                    continue
                text = f"{fault.reason_zh}\n{fault.reason_en}"
                wrong.comment = Comment(text, _AUTHOR, _COMMENT_HEIGHT, _COMMENT_WIDTH)


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


def _summarise(book: Workbook, file: WorkbookFile, reading: Reading, counts: dict[str, int]) -> None:
    if SUMMARY_SHEET in book.sheetnames:
        del book[SUMMARY_SHEET]
    sheet = book.create_sheet(SUMMARY_SHEET)
    for label, value in (
        (_FILE, file.name),
        ("填报人 Filled in by", reading.submitted_by),
        ("处理时间（UTC）Processed at (UTC)", reading.now.strftime("%Y-%m-%d %H:%M:%S")),
        (_HASH, file.sha256),
        *counts.items(),
    ):
        sheet.append([label, value])
        keep_as_text(sheet.cell(sheet.max_row, 2))
    sheet.append(
        [
            "下一步 Next",
            "改正红色单元格后，把本文件再次放入收件目录。 Correct the red cells and drop this file again."
            if counts[REFUSED]
            else "无需处理。 Nothing to do.",
        ]
    )
    sheet.column_dimensions["A"].width = 36
    sheet.column_dimensions["B"].width = 80


def _saved(book: Workbook) -> bytes:
    target = BytesIO()
    book.save(target)
    return target.getvalue()
