"""Text of strangers, written into files that a spreadsheet opens: it must stay text.

Source: OWASP, CSV Injection: a cell that begins with = + - @, a tab or a line end is taken as a formula.
"""

from __future__ import annotations

import re

from openpyxl.cell.cell import Cell, MergedCell

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")
_PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def neutral(text: str) -> str:
    """The text for a CSV, with an apostrophe before what a spreadsheet would calculate."""
    if text.lstrip(" ").startswith(_BEGINS_FORMULA) and not _PLAIN_NUMBER.fullmatch(text.strip()):
        return f"'{text}"
    return text


def keep_as_text(cell: Cell | MergedCell) -> None:
    """Make a workbook's cell text that stays text, also when somebody edits it."""
    if isinstance(cell, Cell) and isinstance(cell.value, str) and cell.value.startswith(_BEGINS_FORMULA):
        cell.data_type = "s"
        cell.quotePrefix = True
