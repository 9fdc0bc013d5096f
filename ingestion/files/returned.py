"""What goes back to whoever dropped a file: the rows that did not land, each with its reasons.

The rows come with the file's own headings, so that they can be corrected and dropped again as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

from ingestion.connectors.workbook_file import WorkbookFile
from ingestion.connectors.workbook_quarantine import QuarantinedRow
from ingestion.errors import RefusedFileError
from ingestion.files.neutral import neutral

ROWS_ENDING = ".rows.csv"
REASON_ENDING = ".reason.txt"
_OWN = ("行 Row", "原因（中文）", "Reasons (English)")


def render_rows(rows: Sequence[QuarantinedRow], headings: Sequence[str]) -> bytes:
    """The refused rows as a CSV that spreadsheets open: UTF-8 with a mark, no formula."""
    names = list(
        dict.fromkeys([*(name for name in headings if name), *(n for row in rows for n in row.written)])
    )
    target = StringIO()
    writer = csv.writer(target)
    writer.writerow([*_OWN, *map(neutral, names)])
    for row in rows:
        zh = "；".join(fault.reason_zh for fault in row.faults)
        en = "; ".join(fault.reason_en for fault in row.faults)
        cells = [row.place, zh, en, *(row.written.get(name, "") for name in names)]
        writer.writerow([neutral(str(cell)) for cell in cells])
    return target.getvalue().encode("utf-8-sig")


def render_reason(file: WorkbookFile, reason: RefusedFileError) -> bytes:
    """Why a file was not taken, in both languages."""
    text = (
        f"文件 {file.name} 未入库：{reason.reason_zh}\nFile {file.name} was not taken: {reason.reason_en}\n"
    )
    return text.encode("utf-8-sig")
