"""Records → the contract's rows and, for those that are not, the reasons; thousands at a time.

Whole columns are taken at once where every cell is plain; a column with an odd cell is read cell by cell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import arrow_type, source_schema
from contracts.checks import Rule, check_rows
from contracts.model import Column, Contract
from ingestion.connectors.conversion import EPOCH_MS, ConversionError, convert
from ingestion.connectors.workbook_cells import CellFault
from ingestion.files.cells import read_cell, shown
from ingestion.files.records import Reading, Record

_AT_ONCE = 10_000
_PLAIN = {
    "boolean": "^(true|false)$",
    "integer": r"^-?[0-9]{1,18}$",
    "number": r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}$",
}


@dataclass(frozen=True)
class RefusedRecord:
    """A record that cannot land, with its reasons."""

    record: Record
    faults: tuple[CellFault, ...]


@dataclass(frozen=True)
class JudgedBlock:
    """Some records of a file: those that are right with their places, and those that are not."""

    rows: pa.Table  # contract columns and _source_row
    refused: tuple[RefusedRecord, ...]


def judge_records(reading: Reading, contract: Contract) -> Iterator[JudgedBlock]:
    """The records of a reading, judged each by itself, block by block."""
    while block := tuple(islice(reading.records, _AT_ONCE)):
        yield _judged(block, reading.epoch, contract)


def _judged(block: Sequence[Record], epoch: datetime, contract: Contract) -> JudgedBlock:
    refused = [RefusedRecord(record, (record.fault,)) for record in block if record.fault is not None]
    records = [record for record in block if record.fault is None]
    faults: dict[int, list[CellFault]] = defaultdict(list)
    columns = {}
    for position, column in enumerate(contract.columns):
        cells = [record.cells[position] for record in records]
        columns[column.name] = _column(cells, column, epoch, faults)
    fields = [field.with_nullable(True) for field in source_schema(contract)]
    table = pa.table(columns, schema=pa.schema(fields))
    _apply_contract(table, contract, faults)
    places = pa.array([record.place for record in records], pa.int64())
    sound = [index for index in range(len(records)) if index not in faults]
    refused += [RefusedRecord(records[index], tuple(told)) for index, told in sorted(faults.items())]
    refused.sort(key=lambda one: one.record.place)
    kept = pa.array(sound, pa.int64())
    return JudgedBlock(
        rows=table.append_column("_source_row", places).take(kept),
        refused=tuple(refused),
    )


def _column(
    cells: Sequence[Any], column: Column, epoch: datetime, faults: dict[int, list[CellFault]]
) -> pa.ChunkedArray | pa.Array:
    at_once = _at_once(cells, column)
    if at_once is not None:
        return at_once
    values = []
    for index, cell in enumerate(cells):
        value = None if cell is None else read_cell(cell, column, epoch=epoch)
        if isinstance(value, CellFault):
            faults[index].append(value)
            value = None
        values.append(value)
    return pa.array(values, arrow_type(column))


def _at_once(cells: Sequence[Any], column: Column) -> pa.ChunkedArray | None:
    """The whole column, where every cell is text of the plainest form; None where one is not."""
    is_text = column.logical_type == "string"
    if column.source_format == EPOCH_MS or (not is_text and column.logical_type not in _PLAIN):
        return None
    try:
        text = pa.chunked_array([pa.array(cells, pa.string())])
    except (pa.ArrowException, UnicodeError, TypeError):
        return None
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if is_text:
        odd = pc.any(pc.match_substring_regex(text, r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{fffd}]")).as_py()
        labels = [label for code in column.codes for label in (code.label_zh, code.label_en)]
        labelled = labels and pc.any(pc.is_in(text, pa.array(labels, pa.string()))).as_py()
        return None if odd or labelled else text
    if column.source_format is not None and column.logical_type in ("date", "timestamp"):
        return None
    if not pc.all(pc.match_substring_regex(text, _PLAIN[column.logical_type]), min_count=0).as_py():
        return None
    if column.logical_type == "boolean":
        return pc.equal(text, "true")
    try:
        return convert(text, column)
    except ConversionError:
        return None


def _apply_contract(table: pa.Table, contract: Contract, faults: dict[int, list[CellFault]]) -> None:
    """What the contract asks of values: there, in the list, in the range, of the form."""
    for violation in check_rows(table, contract):
        column = contract.column(violation.column)
        for index in violation.rows:
            if violation.rule is Rule.NULL:
                # A cell that could not be read has been told.
                if not any(fault.reason_zh.startswith(column.label_zh) for fault in faults.get(index, ())):
                    faults[index].append(
                        CellFault(f"{column.label_zh}为空，必填", f"{column.label_en} is empty and required")
                    )
                continue
            value = shown(str(table[column.name][index].as_py()))
            faults[index].append(
                CellFault(
                    f"{column.label_zh}“{value}”不符合要求，应为{violation.expected_zh}",
                    f"{column.label_en} {value!r} is not right; expected {violation.expected_en}",
                )
            )
