"""Opening a workbook that anybody may have sent: what is large or hostile is refused before it is read.

Not supported: .xls, macros, passwords.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from ingestion.connectors.workbook_parts import refuse_hostile
from ingestion.errors import RefusedFileError

UNKNOWN_PERSON = "未知 unknown"
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 200
# Everything that openpyxl was seen to raise on damaged content.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    InvalidFileException,
    ParseError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class WorkbookFile:
    """The bytes of a file with their hash; what was received, whatever happens to the file later."""

    name: str
    content: bytes
    sha256: str
    owner: str = UNKNOWN_PERSON  # the account that wrote the file

    @property
    def archive_name(self) -> str:
        """Where the original is kept below the archive, and what landed rows call their source."""
        return f"{self.sha256}/{self.name}"


def read_workbook_file(path: Path, *, most: int = MAX_FILE_BYTES) -> WorkbookFile:
    """The file's bytes.

    Args:
        path: of the file.
        most: how many bytes it may have.

    Raises:
        RefusedFileError: it is no regular file, or too large.
    """
    if path.is_symlink() or not path.is_file():
        raise RefusedFileError(reason_zh="不是普通文件", reason_en="it is not a regular file")
    size = path.stat().st_size
    if size > most:
        limit = most // 1024 // 1024
        raise RefusedFileError(
            reason_zh=f"文件 {size} 字节，超过 {limit} MiB；请拆分后重交",
            reason_en=f"it has {size} bytes, more than {limit} MiB; split it and hand it in again",
        )
    content = path.read_bytes()
    return WorkbookFile(readable_name(path), content, hashlib.sha256(content).hexdigest(), _owner(path))


def readable_name(path: Path) -> str:
    """The name of a file; bytes that are no UTF-8 become question marks."""
    return path.name.encode(errors="replace").decode()


def _owner(path: Path) -> str:
    """The name of the account that owns the file; its number where the account is of another machine."""
    try:
        return path.owner()
    except (KeyError, NotImplementedError, OSError):
        return str(path.stat().st_uid)


def open_workbook(file: WorkbookFile, *, values_only: bool) -> Workbook:
    """The workbook; with `values_only` the last calculated values instead of formulas.

    Raises:
        RefusedFileError: it is no xlsx file, is damaged, or is larger inside than any laboratory sheet.
    """
    if len(file.content) > MAX_FILE_BYTES:
        raise RefusedFileError(
            reason_zh=f"工作簿 {len(file.content)} 字节，过大；请拆分或导出为 CSV",
            reason_en=f"the workbook has {len(file.content)} bytes, too many; split it or export CSV",
        )
    try:
        with zipfile.ZipFile(BytesIO(file.content)) as archive:
            refuse_hostile(archive)
        book = load_workbook(BytesIO(file.content), data_only=values_only, keep_links=False)
    except _UNREADABLE as error:
        raise RefusedFileError(
            reason_zh=f"不是可读的 xlsx 文件（{type(error).__name__}）；请用 Excel 打开后另存为 .xlsx 再交",
            reason_en=f"it is not a readable xlsx file ({type(error).__name__}: {error}); "
            "open it in Excel, save as .xlsx and hand it in again",
        ) from error
    for sheet in book.worksheets:
        if sheet.max_row > MAX_ROWS or sheet.max_column > MAX_COLUMNS:
            found, limit = f"{sheet.max_row} × {sheet.max_column}", f"{MAX_ROWS} × {MAX_COLUMNS}"
            raise RefusedFileError(
                reason_zh=f"工作表 {sheet.title} 有 {found} 个单元格，最多 {limit}；请删除空白行列",
                reason_en=f"sheet {sheet.title} has {found} cells, expected at most {limit}; "
                "delete the empty rows and columns",
            )
    return book


def uncalculated_cells(file: WorkbookFile, values: Worksheet) -> frozenset[tuple[int, int]]:
    """Row and column, from 1, of formulas that no program has calculated: their value is not in the file.

    Args:
        file: the workbook.
        values: the sheet in question as `open_workbook` gives it with values only.
    """
    with zipfile.ZipFile(BytesIO(file.content)) as archive:
        if not any(b"<f" in archive.read(part) for part in archive.infolist() if "sheet" in part.filename):
            return frozenset()
    formulas = open_workbook(file, values_only=False)[values.title]
    return frozenset(
        (number, at)
        for number, row in enumerate(formulas.iter_rows(), start=1)
        for at, cell in enumerate(row, start=1)
        if cell.data_type == "f" and values.cell(number, at).value is None
    )
