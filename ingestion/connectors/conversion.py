"""Source values → the contract's Arrow types, losing nothing in silence.

Blank-padded CHAR is trimmed, because its blanks mean nothing; every other text is kept as received. What
cannot be converted is a `ConversionError` that names the value.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import UTC_US, arrow_type
from contracts.model import Column

EPOCH_MS = "epoch_ms"
_DIRECTIVES = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


class ConversionError(ValueError):
    """A source value that does not mean what the contract says; the message names column and value."""


def convert(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """The values of one source column in the contract's type.

    Raises:
        ConversionError: a value or the whole type cannot be converted.
    """
    try:
        return _convert(_plain(values), column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        found = str(error).splitlines()[0]
        msg = f"{column.name} (source {column.source_name}): {found}, expected {arrow_type(column)}"
        raise ConversionError(msg) from error


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The storage of an extension type: PostgreSQL's numeric arrives as exact text in one."""
    if not isinstance(values.type, pa.BaseExtensionType):
        return values
    storage = values.type.storage_type
    return pa.chunked_array([chunk.storage for chunk in values.chunks], type=storage)


def _convert(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    expected = arrow_type(column)
    if column.logical_type == "timestamp":
        return _instants(values, column)
    if not pa.types.is_string(values.type):
        return values.cast(expected)
    if column.logical_type == "string":
        return _untextual(values, column)
    text = pc.utf8_trim_whitespace(values)
    filled = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if column.logical_type == "date" and column.source_format is not None:
        return pc.strptime(filled, format=date_directive(column.source_format), unit="s").cast(expected)
    if pa.types.is_decimal(expected):
        return _decimals(filled, expected)
    return filled.cast(expected)


def _untextual(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    is_padded = (column.source_type or "").startswith("char(")
    return pc.utf8_rtrim(values, characters=" ") if is_padded else values


def _decimals(text: pa.ChunkedArray, expected: pa.DataType) -> pa.ChunkedArray:
    """Exact: more digits after the point than the contract has are refused, not rounded."""
    return text.cast(expected)


def _instants(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    if column.source_format == EPOCH_MS:
        return values.cast(pa.int64()).cast(pa.timestamp("ms", tz="UTC")).cast(UTC_US)
    if pa.types.is_string(values.type):
        text = pc.utf8_trim_whitespace(values)
        filled = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        if column.source_format is None and column.source_zone is None:
            return filled.cast(UTC_US)
        values = _local_instants(filled, column)
    if pa.types.is_timestamp(values.type) and values.type.tz is None:
        if column.source_zone is None:
            msg = f"an instant without a zone ({values.type}); declare logicalTypeOptions.defaultTimezone"
            raise pa.ArrowInvalid(msg)
        values = pc.assume_timezone(values, column.source_zone, ambiguous="earliest", nonexistent="latest")
    return values.cast(UTC_US)


def _local_instants(text: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    if column.source_format is None:
        return text.cast(pa.timestamp("us"))
    return pc.strptime(text, format=date_directive(column.source_format), unit="s")


def date_directive(source_format: str) -> str:
    """A date pattern of the standard (JDK letters) as strptime wants it."""
    for letters, directive in _DIRECTIVES.items():
        source_format = source_format.replace(letters, directive)
    return source_format
