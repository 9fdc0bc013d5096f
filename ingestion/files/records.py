"""What every reader of a file gives: records with their place, their cells and what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openpyxl.utils.datetime import CALENDAR_WINDOWS_1900

from ingestion.connectors.workbook_cells import CellFault

MAX_COLUMNS = 2_000
# Control characters, undecodable bytes (surrogates) and letters that somebody could not decode before us.
UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]")
_MOST_TOLD = 200
_MOST_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file.

    Attributes:
        place: the line, row or count of the record, from 1, as a person finds it.
        cells: one for each column of the contract, in its order; none for a record that was not understood.
        written: what stands there: cells in the file's order, or texts under their names.
        fault: why the record as a whole cannot be taken.
    """

    place: int
    cells: tuple[Any, ...]
    written: Sequence[Any] | Mapping[str, Any]
    fault: CellFault | None = None


@dataclass(frozen=True)
class Reading:
    """A file being read.

    Attributes:
        records: as they come.
        form: how it was understood: encoding, delimiter, sheet.
        headings: of the cells, in the file's order; none where records name their own.
        unknown: headings that the contract does not know.
        epoch: from which day dates count that are numbers.
        sheet: the sheet the records are on; empty for other files.
    """

    records: Iterator[Record]
    form: str
    headings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    epoch: datetime = field(default=CALENDAR_WINDOWS_1900)
    sheet: str = ""


def as_written(record: Record, headings: Sequence[str]) -> dict[str, str]:
    """The record's texts under their headings, cut where they are endless; cells beyond have a number."""
    if isinstance(record.written, Mapping):
        named = list(record.written.items())
    else:
        names = [*headings, *(f"+{count}" for count in range(1, 1 + len(record.written)))]
        if len(record.written) == 1 and len(headings) != 1:
            names = ["line"]
        named = list(zip(names, record.written, strict=False))
    texts = {visible(str(name)): visible(str(value))[:_MOST_LETTERS] for name, value in named[:_MOST_TOLD]}
    return {name: text for name, text in texts.items() if text not in ("", "None")}


def visible(text: str) -> str:
    """Text with control characters and undecodable bytes made visible."""
    return UNREADABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)
