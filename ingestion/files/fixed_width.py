"""Lines whose columns stand at fixed places → records; widths in letters, or in bytes as old systems do."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from contracts.model import Contract
from contracts.template import entered_columns
from ingestion.errors import PermanentError
from ingestion.files.layout import TableLayout
from ingestion.files.records import Reading, Record

_END_OF_FILE = "\x1a"  # older systems close a text with it


def read_fixed_width(text: str, encoding: str, contract: Contract, layout: TableLayout) -> Reading:
    """The records of a fixed-width text.

    Raises:
        PermanentError: the layout does not say where the contract's columns stand.
    """
    names = {column.name for column in entered_columns(contract)}
    if not layout.fields or not set(layout.fields) <= names:
        msg = (
            f"{contract.contract_id}: fields of the layout are {sorted(layout.fields)}; expected first "
            f"position and width of columns among {sorted(names)}"
        )
        raise PermanentError(msg)
    return Reading(records=_records(text, encoding, contract, layout), form=f"{encoding}, fixed width")


def _records(text: str, encoding: str, contract: Contract, layout: TableLayout) -> Iterator[Record]:
    columns = [column.name for column in contract.columns]
    for number, line in enumerate(StringIO(text, newline=""), start=1):
        bare = line.rstrip("\r\n").removesuffix(_END_OF_FILE)
        if not bare.strip() or (number == 1 and layout.has_headings):
            continue
        found = {name: _cut(bare, encoding, layout, *place) for name, place in layout.fields.items()}
        yield Record(number, tuple(found.get(name) for name in columns), [bare])


def _cut(line: str, encoding: str, layout: TableLayout, first: int, width: int) -> str:
    if layout.width_in == "characters":
        return line[first - 1 : first - 1 + width]
    raw = line.encode(encoding, errors="surrogateescape")
    return raw[first - 1 : first - 1 + width].decode(encoding, errors="surrogateescape")
