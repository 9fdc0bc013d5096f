"""Refused records as rows of the quarantine table, with the key of the record that each would have been."""

from __future__ import annotations

import pyarrow as pa

from contracts.model import Contract
from ingestion.connectors.workbook_cells import CellFault
from ingestion.connectors.workbook_quarantine import QuarantinedRow
from ingestion.files.cells import read_cell
from ingestion.files.judging import RefusedRecord
from ingestion.files.records import Reading, as_written


def as_quarantined(refused: RefusedRecord, reading: Reading, contract: Contract) -> QuarantinedRow:
    """The row of the quarantine table."""
    return QuarantinedRow(
        sheet=reading.sheet,
        place=refused.record.place,
        key=_key(refused, reading, contract),
        written=as_written(refused.record, reading.headings),
        faults=refused.faults,
    )


def keys_of(rows: pa.Table, contract: Contract) -> set[str | None]:
    """The keys of rows, as the quarantine table writes them."""
    parts = [rows[name].to_pylist() for name in contract.primary_key]
    return {"|".join(map(str, key)) for key in zip(*parts, strict=True)}


def _key(refused: RefusedRecord, reading: Reading, contract: Contract) -> str | None:
    if not refused.record.cells:
        return None
    parts = []
    for column, cell in zip(contract.columns, refused.record.cells, strict=True):
        if column.name in contract.primary_key:
            value = None if cell is None else read_cell(cell, column, epoch=reading.epoch)
            if value is None or isinstance(value, CellFault):
                return None
            parts.append((contract.primary_key.index(column.name), str(value)))
    return "|".join(text for _, text in sorted(parts))
