"""A file somebody dropped → a reading of it, by what it is and not by what it is called."""

from __future__ import annotations

from contracts.model import Contract
from ingestion.connectors.workbook_file import WorkbookFile
from ingestion.errors import RefusedFileError
from ingestion.files.decoding import decode
from ingestion.files.delimited import read_delimited
from ingestion.files.fixed_width import read_fixed_width
from ingestion.files.json_records import read_json
from ingestion.files.layout import FileForm, TableLayout
from ingestion.files.records import Reading
from ingestion.files.sheets import read_sheet
from ingestion.files.xml_records import read_xml

MAX_FILE_BYTES = 64 * 1024 * 1024
_ZIP, _OLD_OFFICE, _PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")
_UTF_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def open_reading(file: WorkbookFile, contract: Contract, layout: TableLayout) -> Reading:
    """The records of a file, not yet read to the end.

    Raises:
        RefusedFileError: it is empty, of a form that is not read, or not as the contract and layout say.
    """
    form = layout.form or found_form(file.content, layout)
    if form is FileForm.WORKBOOK:
        return read_sheet(file, contract, layout)
    if form is FileForm.XML:
        return read_xml(file.content, contract, layout)
    text, encoding = decode(file.content, layout.encoding)
    if not text.strip():
        raise _empty()
    if form is FileForm.JSON:
        return read_json(text, encoding, contract, layout)
    if form is FileForm.FIXED_WIDTH:
        return read_fixed_width(text, encoding, contract, layout)
    return read_delimited(text, encoding, contract, layout)


def found_form(content: bytes, layout: TableLayout) -> FileForm:
    """What a file is, by its first bytes.

    Raises:
        RefusedFileError: it is empty, or of a form that is not read.
    """
    if content.startswith(_ZIP):
        return FileForm.WORKBOOK
    if content.startswith((_OLD_OFFICE, _PDF, *_PACKED)):
        raise RefusedFileError(
            reason_zh="文件是旧版 Office、PDF 或压缩包；请另存为 .xlsx 或 CSV 后再交",
            reason_en="the file is an old Office file, a PDF or an archive; save it as .xlsx or CSV",
        )
    head = content[:4096].replace(b"\x00", b"")
    for mark in _UTF_MARKS:
        head = head.removeprefix(mark)
    head = head.lstrip()
    if not head:
        raise _empty()
    if layout.fields:
        return FileForm.FIXED_WIDTH
    if head.startswith(b"<"):
        return FileForm.XML
    return FileForm.JSON if head.startswith((b"{", b"[")) else FileForm.DELIMITED


def _empty() -> RefusedFileError:
    return RefusedFileError(
        reason_zh="文件是空的；请检查导出是否完成",
        reason_en="the file is empty; check that the export finished",
    )
