"""Two forms of a workbook → rows of raw cells under our column names.

The official template is known by its hidden sheet; anything else is looked at as an old sheet, whose words
are in the system's `forms.yml`. Nothing here judges a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from pydantic import BaseModel, ConfigDict

from contracts.model import Contract
from contracts.template import (
    CONTRACT_SHEET,
    DATA_SHEET,
    FILLER_CELL,
    FIRST_DATA_ROW,
    GUIDE_SHEET,
    REQUIRED_MARK,
    entered_columns,
)
from ingestion.connectors.workbook_cells import plain
from ingestion.connectors.workbook_file import WorkbookFile
from ingestion.errors import RefusedFileError

_HEADING_ROWS = 30  # titles above the headings are never longer


class Forms(BaseModel):
    """What contracts cannot say: headings of the old sheet, other words for codes, units nobody writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1] = 1
    headings: dict[str, list[str]] = {}
    codes: dict[str, list[str]] = {}
    default_units: dict[str, str] = {}

    @classmethod
    def of_system(cls, folder: Path) -> Forms:
        """What the system's folder says; nothing where it has no such file."""
        path = folder / "forms.yml"
        return (
            cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.exists() else cls()
        )


@dataclass(frozen=True)
class SheetRow:
    """One row as written: the place, its cells under our names, and all its cells under their headings."""

    sheet: str
    row_number: int
    cells: Mapping[str, Any]
    written: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)  # column of the sheet, from 1, by our name


def read_rows(book: Workbook, contract: Contract, forms: Forms) -> list[SheetRow]:
    """The data rows of a workbook, in order.

    Raises:
        RefusedFileError: the template is of another contract or an older form, or no heading row was found.
    """
    if CONTRACT_SHEET in book.sheetnames:
        _require_same_contract(book[CONTRACT_SHEET], contract)
        return list(_template_rows(book, contract))
    needed = _needed(contract)
    for sheet in book.worksheets:
        found = _find_headings(sheet, forms, needed)
        if found is not None:
            return list(_old_rows(sheet, *found))
    expected = "、".join(words[0] for name, words in forms.headings.items() if name in needed)
    raise RefusedFileError(
        reason_zh=f"没有找到表头行（应含：{expected}），也不是官方模板；请使用官方模板",
        reason_en=f"no heading row with {expected} was found and it is no template; use the template",
    )


def template_of(book: Workbook) -> str | None:
    """The contract whose template the workbook is, as it says itself; None for any other workbook."""
    if CONTRACT_SHEET not in book.sheetnames:
        return None
    cell = book[CONTRACT_SHEET]["B1"].value
    return None if cell is None else str(cell)


def submitter(book: Workbook, file: WorkbookFile) -> str:
    """Who hands the workbook in: as written in the guide, else who saved it last, else the file's owner."""
    written = plain(book[GUIDE_SHEET][FILLER_CELL].value) if GUIDE_SHEET in book.sheetnames else ""
    return written or plain(book.properties.lastModifiedBy) or file.owner


def _needed(contract: Contract) -> set[str]:
    """A row with these headings is the heading row: the key, and the numbers that are required."""
    numbers = {c.name for c in contract.columns if c.required and c.unit_column and not c.is_derived}
    return {*contract.primary_key, *numbers}


def _require_same_contract(sheet: Worksheet, contract: Contract) -> None:
    said = {str(row[0]): str(row[1]) for row in sheet.iter_rows(max_col=2, values_only=True) if row[0]}
    found = (said.get("contract_id"), str(said.get("version", "")).split(".")[0])
    expected = (contract.contract_id, contract.version.split(".")[0])
    if found != expected:
        raise RefusedFileError(
            reason_zh=f"模板属于 {said}，现行为 {contract.contract_id} {contract.version}；请下载新模板",
            reason_en=f"the template is of {said}, expected {contract.contract_id} {contract.version}; "
            "take the new template",
        )


def _template_rows(book: Workbook, contract: Contract) -> Iterator[SheetRow]:
    if DATA_SHEET not in book.sheetnames:
        raise RefusedFileError(
            reason_zh=f"模板缺少工作表“{DATA_SHEET}”；请使用官方模板",
            reason_en=f"the template lacks its sheet {DATA_SHEET!r}; use the official template",
        )
    sheet = book[DATA_SHEET]
    labels = {column.label_zh: column.name for column in entered_columns(contract)}
    headings = [
        plain(cell).removesuffix(REQUIRED_MARK.strip()).strip()
        for cell in next(sheet.iter_rows(max_row=1, values_only=True))
    ]
    missing = [label for label in labels if label not in headings]
    if missing:
        raise RefusedFileError(
            reason_zh=f"模板缺少列：{'、'.join(missing)}；请使用官方模板",
            reason_en=f"the template lacks the columns {', '.join(missing)}; use the official template",
        )
    yield from _rows(sheet, FIRST_DATA_ROW, headings, [labels.get(heading) for heading in headings])


def _find_headings(
    sheet: Worksheet, forms: Forms, needed: set[str]
) -> tuple[int, list[str], list[str | None]] | None:
    """The heading row's number, its texts, and our name for each where we know it."""
    words = {_squeezed(word): name for name, found in forms.headings.items() for word in found}
    last = min(sheet.max_row, _HEADING_ROWS)
    for number, cells in enumerate(sheet.iter_rows(max_row=last, values_only=True), start=1):
        headings = [plain(cell) for cell in cells]
        names = [words.get(_squeezed(heading)) for heading in headings]
        if set(names) >= needed:
            return number, headings, names
    return None


def _old_rows(
    sheet: Worksheet, heading_row: int, headings: list[str], names: list[str | None]
) -> Iterator[SheetRow]:
    """Rows below the headings; a merged cell's value counts for each of its rows."""
    for merged in list(sheet.merged_cells.ranges):
        value = sheet.cell(merged.min_row, merged.min_col).value
        sheet.unmerge_cells(str(merged))
        if merged.min_row > heading_row:
            for row in range(merged.min_row, merged.max_row + 1):
                sheet.cell(row, merged.min_col, value)
    yield from _rows(sheet, heading_row + 1, headings, names)


def _rows(sheet: Worksheet, first: int, headings: list[str], names: list[str | None]) -> Iterator[SheetRow]:
    places = {name: at for at, name in enumerate(names, start=1) if name is not None}
    for number, values in enumerate(sheet.iter_rows(min_row=first, values_only=True), start=first):
        cells = {name: value for name, value in zip(names, values, strict=False) if name is not None}
        filled = {name for name, value in cells.items() if plain(value)}
        # Notes below a table fill one cell; a row of data names at least what was found.
        if len(filled) < 2:
            continue
        written = {h: plain(v) for h, v in zip(headings, values, strict=False) if h and plain(v)}
        yield SheetRow(sheet.title, number, cells, written, places)


def _squeezed(text: str) -> str:
    return "".join(text.split()).lower()
