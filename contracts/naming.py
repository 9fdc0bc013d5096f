"""What a column's name and labels must show by themselves: unit, kind of time, truth value, code list.

Rules of the house: units stand in the name, instants end in `_at_utc`, and every label exists in Chinese
and in English, so that a reader of the table alone is never left to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from contracts.model import Column
from contracts.placeholders import is_placeholder
from contracts.vocabulary import code_types, units

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CODED_ENDINGS = ("_code", "_type")


def name_faults(column: Column) -> Iterator[str]:
    """One sentence for each rule that the column's name or labels break."""
    name = column.name
    if is_placeholder(name):
        return
    if not _NAME.fullmatch(name.removeprefix("_")):
        yield f"column {name!r}: expected small letters, digits and _, beginning with a letter"
    if column.logical_type == "timestamp" and not name.endswith("_at_utc"):
        yield f"column {name!r} is an instant; end its name in _at_utc"
    if column.logical_type == "date" and not name.endswith("_date"):
        yield f"column {name!r} is a calendar day; end its name in _date"
    if column.logical_type == "boolean" and not name.startswith(("is_", "has_")):
        yield f"column {name!r} is true or false; begin its name with is_ or has_"
    if column.codes and column.logical_type != "boolean" and not name.endswith(_CODED_ENDINGS):
        yield f"column {name!r} has a code list; end its name in _code or _type"
    if column.label_zh and column.label_zh.isascii():
        yield f"{name}: the Chinese label {column.label_zh!r} holds no Chinese"
    if not column.label_en.isascii():
        yield f"{name}: the English label {column.label_en!r} is not plain English letters"


def vocabulary_faults(column: Column) -> Iterator[str]:
    """One sentence for each unit or code type that is in no list, and for a unit missing from the name."""
    if column.code_type is not None and column.code_type not in code_types():
        known = ", ".join(code_types())
        yield f"{column.name}: unknown codeType {column.code_type!r}; code_types.csv has {known}"
    if column.unit is None or is_placeholder(column.unit):
        return
    unit = units().get(column.unit)
    if unit is None:
        alike = [name for name in units() if name.lower() == column.unit.lower()]
        meant = f"; did you mean {alike[0]!r}?" if alike else ""
        yield f"{column.name}: unknown unit {column.unit!r}{meant} (contracts/lists/units.csv has all)"
    elif not column.name.endswith(unit.suffix):
        yield f"column {column.name!r} is in {column.unit}; end its name in {unit.suffix}"
