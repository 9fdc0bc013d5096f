"""The sheet of a workbook → records: last calculated values, never a formula; merged headings understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from contracts.model import Contract
from contracts.template import entered_columns
from ingestion.connectors.workbook_cells import CellFault, plain
from ingestion.connectors.workbook_file import WorkbookFile, open_workbook, uncalculated_cells
from ingestion.errors import RefusedFileError
from ingestion.files.headings import HEADING_ROWS, Headings, best_headings, by_position, require_headings
from ingestion.files.layout import TableLayout
from ingestion.files.records import Reading, Record


def read_sheet(file: WorkbookFile, contract: Contract, layout: TableLayout) -> Reading:
    """The records of the sheet that the layout names, else of the one with the most of our headings.

    Raises:
        RefusedFileError: the file is no workbook, is hostile, or no sheet has the contract's headings.
    """
    book = open_workbook(file, values_only=True)
    sheet, headings = _chosen(book, contract, layout)
    rows = _rows_below(sheet, headings.row + 2)
    return Reading(
        records=_records(rows, headings, uncalculated_cells(file, sheet)),
        form=f"xlsx, {sheet.title}",
        headings=headings.texts,
        unknown=headings.unknown,
        epoch=book.epoch,
        sheet=sheet.title,
    )


def _chosen(book: Workbook, contract: Contract, layout: TableLayout) -> tuple[Worksheet, Headings]:
    sheets = [sheet for sheet in book.worksheets if layout.sheet in (None, sheet.title)]
    if not sheets:
        found = "、".join(book.sheetnames)
        raise RefusedFileError(
            reason_zh=f"没有工作表“{layout.sheet}”，只有：{found}",
            reason_en=f"there is no sheet {layout.sheet!r}, only: {found}",
        )
    if not layout.has_headings:
        width = len(entered_columns(contract))
        if sheets[0].max_column != width:
            raise RefusedFileError(
                reason_zh=f"工作表有 {sheets[0].max_column} 列，合同要求 {width} 列",
                reason_en=f"the sheet has {sheets[0].max_column} columns, the contract {width}",
            )
        return sheets[0], by_position(contract)
    tried = []
    for sheet in sheets:
        head = list(sheet.iter_rows(max_row=min(sheet.max_row, HEADING_ROWS), values_only=True))
        tried.append((best_headings(head, contract, layout.headings), sheet))
    best, sheet = max(tried, key=lambda one: one[0].found if one[0] else 0)
    return sheet, require_headings(best, contract, sheet.max_column)


def _rows_below(sheet: Worksheet, first: int) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows from the first; a cell merged over rows counts for each of them."""
    filled: dict[tuple[int, int], Any] = {}
    for merged in sheet.merged_cells.ranges:
        if merged.min_row >= first:
            value = sheet.cell(merged.min_row, merged.min_col).value
            filled |= {(row, merged.min_col): value for row in range(merged.min_row + 1, merged.max_row + 1)}
    for number, values in enumerate(sheet.iter_rows(min_row=first, values_only=True), start=first):
        if not filled:
            yield number, values
            continue
        yield number, [filled.get((number, at), value) for at, value in enumerate(values, start=1)]


def _records(
    rows: Iterator[tuple[int, Sequence[Any]]], headings: Headings, uncalculated: frozenset[tuple[int, int]]
) -> Iterator[Record]:
    places = [at for at in headings.positions if at is not None]
    for number, values in rows:
        blank = [at for at in places if (number, at + 1) in uncalculated]
        if not blank and not any(plain(values[at]) for at in places):
            continue
        if blank:
            names = "、".join(headings.texts[at] or str(at + 1) for at in blank)
            fault = CellFault(
                f"{names} 是没有计算结果的公式；请用 Excel 打开并保存后再交",
                f"{names} is a formula without a calculated value; open in Excel, save, and hand it in again",
            )
            yield Record(number, (), values, fault)
            continue
        yield Record(number, tuple(None if at is None else values[at] for at in headings.positions), values)
