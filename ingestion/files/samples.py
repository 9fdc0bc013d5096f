"""A sample of a source's files as plain CSV, so that a contract can be proposed from it."""

from __future__ import annotations

import csv
from io import StringIO
from itertools import islice
from pathlib import Path

from ingestion.connectors.workbook_file import open_workbook, read_workbook_file
from ingestion.files.decoding import decode
from ingestion.files.delimited import DELIMITERS, rows_of
from ingestion.files.layout import FileForm, TableLayout
from ingestion.files.opening import MAX_FILE_BYTES, found_form

_ROWS = 1_000
_HEADING_ROWS = 30


def sample_as_csv(path: Path) -> bytes:
    """Headings and first rows of a delimited file or workbook: UTF-8, commas, titles above left out.

    Raises:
        RefusedFileError: the file is neither, or cannot be read.
    """
    file = read_workbook_file(path, most=MAX_FILE_BYTES)
    if found_form(file.content, TableLayout()) is FileForm.WORKBOOK:
        sheet = open_workbook(file, values_only=True).worksheets[0]
        rows = [["" if v is None else str(v) for v in row] for row in sheet.iter_rows(values_only=True)]
    else:
        text, _ = decode(file.content)
        head = text[: 1 << 20]
        delimiter = max(DELIMITERS, key=lambda mark: _widest(head, mark))
        rows = [cells for _, cells in islice(rows_of(head, delimiter), _ROWS) if not isinstance(cells, str)]
    widths = [sum(1 for cell in row if cell.strip()) for row in rows[:_HEADING_ROWS]]
    first = widths.index(max(widths)) if widths else 0
    target = StringIO()
    width = len(rows[first]) if rows else 0
    csv.writer(target).writerows(row for row in rows[first:_ROWS] if len(row) == width)
    return target.getvalue().encode("utf-8", errors="replace")


def _widest(head: str, delimiter: str) -> int:
    """The number of cells that most rows have under a delimiter; 1 says that it stands nowhere."""
    rows = islice(rows_of(head, delimiter), _HEADING_ROWS)
    widths = [len(cells) for _, cells in rows if not isinstance(cells, str)]
    return max(set(widths), key=widths.count) if widths else 0
