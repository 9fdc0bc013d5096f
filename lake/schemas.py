"""Rows against a declared Arrow schema: cast what loses nothing, refuse the rest and say why.

Frames from Polars carry `string_view`, those from pandas nanoseconds and large strings; on disk only the
declared types may appear, or DuckDB's string filters fail and time is cut silently.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import SchemaError


def conform(table: pa.Table, schema: pa.Schema, *, what: str) -> pa.Table:
    """The same rows in exactly the declared columns, order and types.

    Args:
        table: rows as produced.
        schema: the declared schema.
        what: names the table in the error message.

    Raises:
        SchemaError: a column is missing, unexpected, null where it may not be, or would lose something.
    """
    declared = set(schema.names)
    problems = [
        f"{name} (found {table.schema.field(name).type}, expected no such column)"
        for name in table.column_names
        if name not in declared
    ]
    columns = []
    for field in schema:
        problem, column = _conform_column(table, field)
        if problem:
            problems.append(problem)
        columns.append(column)
    if problems:
        raise SchemaError(what, problems)
    return pa.Table.from_arrays(columns, schema=schema)


def _conform_column(table: pa.Table, field: pa.Field) -> tuple[str | None, pa.ChunkedArray | None]:
    """One column cast to its field, or the sentence that says why not."""
    if field.name not in table.column_names:
        return f"{field.name} (found no such column, expected {field.type})", None
    column = table.column(field.name)
    if not field.nullable and column.null_count:
        return f"{field.name} (found {column.null_count} null value(s), expected none)", None
    if column.type == field.type:
        return None, column
    if not _may_cast(column.type, field.type):
        return f"{field.name} (found {column.type}, expected {field.type})", None
    try:
        return None, pc.cast(column, field.type, safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        return f"{field.name} (found {column.type}, expected {field.type}: {error})", None


def _may_cast(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether the two types mean the same kind of thing; a cast may then still refuse single values."""
    if pa.types.is_dictionary(found):
        return _may_cast(found.value_type, expected)
    if pa.types.is_null(found):
        return True
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(expected):
        return (found.tz is None) == (expected.tz is None)
    return _family(found) == _family(expected)


def _family(kind: pa.DataType) -> str:
    """Text, bytes, number, truth, date; any other type is a family of its own."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return "bytes"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return f"list<{_family(kind.value_type)}>"
    return str(kind)


def storable(schema: pa.Schema) -> pa.Schema:
    """The schema in types that every reader of Delta knows, for rows whose schema an engine made.

    Strings without views, microseconds, no unsigned or 16-byte floats; an instant without a zone whose name
    ends in `_utc` is UTC, as the naming rule says.
    """
    return pa.schema(
        [pa.field(field.name, _storable_type(field), field.nullable, field.metadata) for field in schema]
    )


def _storable_type(field: pa.Field) -> pa.DataType:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(kind):
        is_instant = kind.tz is not None or field.name.endswith("_utc")
        return pa.timestamp("us", tz="UTC" if is_instant else None)
    if _family(kind) == "text":
        return pa.string()
    if _family(kind) == "bytes":
        return pa.binary()
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_unsigned_integer(kind):
        return {8: pa.int16(), 16: pa.int32()}.get(kind.bit_width, pa.int64())
    return kind
