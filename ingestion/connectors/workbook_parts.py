"""The parts of a workbook, looked at before anything reads them: size, document types, cells, merged areas.

A few bytes can ask for billions of cells; a reader that believes them never comes back.
"""

from __future__ import annotations

import re
import zipfile

from openpyxl.utils import range_boundaries

from ingestion.errors import RefusedFileError

MAX_CONTENT_BYTES = 32 * 1024 * 1024  # a full year of daily sheets is below 2 MiB
MAX_PARTS = 500
MAX_CELLS = 600_000
MAX_MERGED_CELLS = 200_000
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\b[^>]*?\bref\s*=\s*["']([^"']*)["']""")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")


def refuse_hostile(archive: zipfile.ZipFile) -> None:
    """Judge by the directory first, which costs nothing; then by what the parts ask for.

    Raises:
        RefusedFileError: the parts are many or large, declare document types, or ask for too many cells.
    """
    parts = archive.infolist()
    size = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or size > MAX_CONTENT_BYTES:
        raise RefusedFileError(
            reason_zh=f"解压后有 {len(parts)} 个部件、{size} 字节，超过上限；请只保留数据工作表",
            reason_en=f"unpacked it has {len(parts)} parts and {size} bytes; keep only the data sheet",
        )
    cells = merged = 0
    for part in parts:
        content = archive.read(part)
        text = content.replace(b"\x00", b"")  # so that UTF-16 hides nothing
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise RefusedFileError(
                reason_zh=f"部件 {part.filename} 含文档类型声明，可能有害",
                reason_en=f"its part {part.filename} declares a document type, which may be hostile",
            )
        if part.filename.lower().endswith(".xml") and b"sheetData" in text:
            cells += sum(1 for _ in _CELL.finditer(text)) + sum(1 for _ in _ROW.finditer(text))
            merged += sum(_area(found[1]) for found in _MERGED.finditer(text))
    if cells > MAX_CELLS or merged > MAX_MERGED_CELLS:
        raise RefusedFileError(
            reason_zh=f"工作簿有 {cells} 个单元格和行、{merged} 个合并单元格，超过上限；请拆分或导出为 CSV",
            reason_en=f"the workbook has {cells} cells and rows and {merged} merged cells, too many; "
            "split it or export CSV",
        )


def _area(reference: bytes) -> int:
    """How many cells a merged range holds; one that cannot be read is left to the reader to refuse."""
    try:
        left, top, right, bottom = range_boundaries(reference.decode())
    except (ValueError, TypeError):
        return 0
    if left is None or top is None or right is None or bottom is None:
        return MAX_MERGED_CELLS + 1  # whole rows or columns
    return (right - left + 1) * (bottom - top + 1)
