"""What a contract cannot say of a file: its name, its form, its words. `files.yml` in the system's folder.

Everything has a default: a system of one table whose files are headed as its contract says needs none.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingestion.errors import PermanentError

LAYOUT_FILE = "files.yml"
_Position = Annotated[int, Field(ge=1, le=100_000)]


class FileForm(StrEnum):
    """What a file is."""

    DELIMITED = "delimited"
    WORKBOOK = "workbook"
    XML = "xml"
    JSON = "json"
    FIXED_WIDTH = "fixed_width"


class TableLayout(BaseModel):
    """How the files of one table look.

    Attributes:
        pattern: of the file name, with * and ?, in any letter case; all files by default.
        form: what the files are; found out from the content by default.
        encoding: found out by default: byte order mark, UTF-8, UTF-16, else GB18030 (which holds GBK).
        delimiter: found out by default, as the one whose headings the contract knows.
        has_headings: whether the first row names the columns; else they stand in the contract's order.
        headings: other words for a column's heading.
        sheet: the sheet of a workbook; the first one with headings by default.
        record: the element (XML) or the path to the list (JSON) that holds one row each.
        fields: fixed width: first position from 1, and width, of each column.
        width_in: what fixed widths count; GBK files of older systems count bytes.
        settle_s: how long a file must have stayed as it is before it is taken.
        needs_marker: whether a file is complete only once `<name>.ok` lies beside it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    pattern: str = "*"
    form: FileForm | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    has_headings: bool = True
    headings: dict[str, list[str]] = {}
    sheet: str | None = None
    record: str | None = None
    fields: dict[str, tuple[_Position, _Position]] = {}
    width_in: Literal["characters", "bytes"] = "characters"
    settle_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    needs_marker: bool = False

    def fits(self, name: str) -> bool:
        """Whether a file of this name is of this table."""
        return fnmatchcase(name.lower(), self.pattern.lower())


class _LayoutFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1]
    tables: dict[str, TableLayout]


def layouts_of(folder: Path, tables: list[str]) -> dict[str, TableLayout]:
    """The layout of each table of a system.

    Raises:
        PermanentError: the file cannot be read, names another table, or leaves one of several without words.
    """
    path = folder / LAYOUT_FILE
    if not path.exists():
        if len(tables) > 1:
            msg = f"{path} is missing: with {len(tables)} tables it must say which file is of which"
            raise PermanentError(msg)
        return {table: TableLayout() for table in tables}
    try:
        found = _LayoutFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, OSError) as error:
        msg = f"{path}: {error}; correct the file"
        raise PermanentError(msg) from error
    if sorted(found.tables) != sorted(tables):
        msg = f"{path} speaks of tables {sorted(found.tables)}, the contracts of {sorted(tables)}"
        raise PermanentError(msg)
    return found.tables
