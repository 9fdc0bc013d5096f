"""CSV and its kin → records, with whatever stands between the cells; one broken line costs one row.

A quote that is never closed would swallow the rest of the file. It is given up after some lines: its line is
refused, and reading goes on with the next.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice

from contracts.model import Contract
from contracts.template import entered_columns
from ingestion.connectors.workbook_cells import CellFault
from ingestion.errors import RefusedFileError
from ingestion.files.headings import HEADING_ROWS, Headings, best_headings, by_position, require_headings
from ingestion.files.layout import TableLayout
from ingestion.files.records import Reading, Record

DELIMITERS = (",", "\t", ";", "|", "，", "；", "^", "~", "\x01", "\x1f")
_MOST_LINES = 50  # of one record; longer ones are quotes that nobody closed
_HEAD_LETTERS = 4_000_000
_NAMES = {"\t": "TAB", "\x01": "SOH", "\x1f": "US"}
_Row = tuple[int, list[str] | str]  # line, and the cells or the line that cannot be taken apart


def read_delimited(text: str, encoding: str, contract: Contract, layout: TableLayout) -> Reading:
    """The records of a delimited text.

    Raises:
        RefusedFileError: no delimiter makes its first rows into the contract's headings.
    """
    delimiter, headings = _understood(text, contract, layout)
    rows = rows_of(text, delimiter)
    for _ in range(headings.row + 1):
        next(rows)
    return Reading(
        records=_records(rows, headings),
        form=f"{encoding}, {_NAMES.get(delimiter, delimiter)}",
        headings=headings.texts,
        unknown=headings.unknown,
    )


def rows_of(text: str, delimiter: str) -> Iterator[_Row]:
    """Every row that is not blank, with the line it begins on."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            broken = lines.give_back()
            yield lines.number, broken
            continue
        if any(cell and not cell.isspace() for cell in cells):
            yield lines.number - len(lines.taken) + 1, cells


class _Lines:
    """The lines of a text one by one, with a way back to the second of those taken for one record."""

    def __init__(self, text: str) -> None:
        self._source = StringIO(text, newline="")
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _MOST_LINES:
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._source)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> str:
        """Return the first line taken; the others come again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        return first


def _understood(text: str, contract: Contract, layout: TableLayout) -> tuple[str, Headings]:
    """The delimiter under which the file says the most of what the contract asks."""
    head = text[:_HEAD_LETTERS]
    declared = [layout.delimiter] if layout.delimiter else []
    candidates = [*declared, *(d for d in DELIMITERS if d in head and d not in declared)] or [","]
    if not layout.has_headings:
        return _without_headings(head, candidates, contract)
    tried = []
    for delimiter in candidates:
        rows = _first_rows(head, delimiter)
        found = best_headings(rows, contract, layout.headings)
        widths = [len(row) for row in rows]
        tried.append((found, delimiter, widths[found.row] if found else max(widths, default=0)))
    found, delimiter, width = max(tried, key=lambda one: one[0].found if one[0] else 0)
    return delimiter, require_headings(found, contract, width)


def _without_headings(head: str, candidates: Sequence[str], contract: Contract) -> tuple[str, Headings]:
    width = len(entered_columns(contract))
    for delimiter in candidates:
        if width in {len(row) for row in _first_rows(head, delimiter)}:
            return delimiter, by_position(contract)
    raise RefusedFileError(
        reason_zh=f"文件无表头，且没有分隔符能得到 {width} 列；请检查分隔符",
        reason_en=f"the file has no headings and no delimiter gives {width} columns; check the delimiter",
    )


def _first_rows(head: str, delimiter: str) -> list[Sequence[str]]:
    """The first rows; a broken one stays in its place, so that rows keep their count."""
    return [
        [cells] if isinstance(cells, str) else cells
        for _, cells in islice(rows_of(head, delimiter), HEADING_ROWS)
    ]


def _records(rows: Iterator[_Row], headings: Headings) -> Iterator[Record]:
    width = len(headings.texts)
    for line, cells in rows:
        if isinstance(cells, str):
            yield _broken(line, cells)
            continue
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) != width:
            yield _ragged(line, cells, headings)
            continue
        values = tuple(None if at is None else cells[at] for at in headings.positions)
        yield Record(line, values, cells)


def _broken(line: int, text: str) -> Record:
    fault = CellFault(
        f"第 {line} 行的引号不成对或单元格过长，无法拆分",
        f"line {line} cannot be taken apart: its quotes do not pair, or a cell is too long",
    )
    return Record(line, (), [text.rstrip("\r\n")], fault)


def _ragged(line: int, cells: list[str], headings: Headings) -> Record:
    width = len(headings.texts)
    fault = CellFault(
        f"该行有 {len(cells)} 个单元格，表头有 {width} 个；可能缺少引号或多了分隔符",
        f"the row has {len(cells)} cells, the headings {width}; a quote is missing or a delimiter too many",
    )
    return Record(line, (), cells, fault)
