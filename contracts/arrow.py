"""Contract → Arrow schema: the source's columns in the contract's order, then the bookkeeping columns.

A table is cast to it before it is written; comments carry the unit, so that a reader of the Delta table alone
knows it.
"""

from __future__ import annotations

import re

import pyarrow as pa

from contracts.model import Column, Contract, ExtractMode

UTC_US = pa.timestamp("us", tz="UTC")
_DECIMAL = re.compile(r"^(?:numeric|decimal)\((\d+),\s*(\d+)\)$", re.IGNORECASE)
_SIMPLE: dict[str, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": UTC_US,
}
_NUMBERS: dict[str, pa.DataType] = {
    "i8": pa.int8(),
    "i16": pa.int16(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "f32": pa.float32(),
    "f64": pa.float64(),
}

CHANGE_LOG_BOOKKEEPING: tuple[pa.Field, ...] = (
    pa.field("_op", pa.string(), nullable=False),  # upsert | delete
    pa.field("_extracted_at_utc", UTC_US, nullable=False),
    pa.field("_extract_sequence", pa.int64(), nullable=False),  # Delta app transaction version of the extract
    pa.field("_source_file", pa.string()),
    pa.field("_source_row", pa.int64()),
    pa.field("_schema_version", pa.string(), nullable=False),
    pa.field("_row_key", pa.string(), nullable=False),
)
STREAM_BOOKKEEPING: tuple[pa.Field, ...] = (
    pa.field("source_date", pa.date32(), nullable=False),  # plant zone; partition
    pa.field("_stream", pa.string(), nullable=False),
    pa.field("_sequence", pa.int64(), nullable=False),
    pa.field("_ingested_at_utc", UTC_US, nullable=False),
)


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column; `numeric(p,s)` of the source stays exact as a decimal."""
    if column.logical_type in _SIMPLE:
        return _SIMPLE[column.logical_type]
    if column.logical_type == "integer":
        return _NUMBERS[column.source_format or "i64"]
    found = _DECIMAL.match(column.source_type or "")
    if found:
        return pa.decimal128(int(found.group(1)), int(found.group(2)))
    return _NUMBERS[column.source_format or "f64"]


def source_schema(contract: Contract) -> pa.Schema:
    """The schema of what the source gives: the contract's columns under our names, no bookkeeping."""
    return pa.schema(
        [
            pa.field(column.name, arrow_type(column), nullable=not column.required, metadata=_comment(column))
            for column in contract.columns
        ]
    )


def bookkeeping(contract: Contract) -> tuple[pa.Field, ...]:
    """The columns we add to each row: where it came from and when."""
    return STREAM_BOOKKEEPING if contract.mode is ExtractMode.STREAM else CHANGE_LOG_BOOKKEEPING


def raw_schema(contract: Contract) -> pa.Schema:
    """The schema of the raw Delta table."""
    return pa.schema([*source_schema(contract), *bookkeeping(contract)])


def _comment(column: Column) -> dict[str, str]:
    unit = column.unit or (f"in {column.unit_column}" if column.unit_column else "")
    text = f"{column.label_en} / {column.label_zh}" + (f" [{unit}]" if unit else "")
    return {"comment": text}
