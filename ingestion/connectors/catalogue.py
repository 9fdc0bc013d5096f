"""What a source says of its own columns: a database's catalogue, or the head of a sample file.

For proposing a contract only: nothing is landed by it, and a person judges what it proposes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from contracts.scaffold import FoundColumn
from ingestion.connectors.sql import dialect_of
from ingestion.connectors.sql_dialect import Dialect, SourceType, text_literal
from ingestion.connectors.sql_sessions import Session, SessionError, connect
from ingestion.errors import PermanentError, RefusedFileError
from ingestion.files.samples import sample_as_csv

_INTEGERS = {"tinyint": "i16", "smallint": "i16", "mediumint": "i32", "integer": "i32", "bigint": "i64"}
_FLOATS = {"real": "f32", "float": "f64", "double precision": "f64"}
_INSTANTS = {"timestamp", "datetime", "datetime2", "smalldatetime"}
_INSTANTS_WITH_ZONE = {"timestamptz", "datetimeoffset"}


def columns_of_table(url: str, source_name: str) -> list[FoundColumn]:
    """The columns of a table with their types, whether they may be empty, and the primary key.

    Raises:
        PermanentError: the database cannot be reached, or has no such table; nothing is proposed then.
    """
    dialect = dialect_of(url)
    try:
        session = connect(dialect, url)
        try:
            types = session.rows(dialect.catalogue(source_name))
            required, keys = _rules(session, dialect, source_name)
        finally:
            session.close()
    except SessionError as error:
        msg = f"reading the catalogue for {source_name}: {error}; check table and rights"
        raise PermanentError(msg) from error
    if not types:
        msg = f"{source_name}: {dialect.name} has no such table, or does not show it; check name and rights"
        raise PermanentError(msg)
    return [
        replace(
            _of_type(str(name), str(kind)),
            required=name in required or name in keys,
            key_position=keys.index(name) + 1 if name in keys else None,
        )
        for name, kind in types
    ]


def columns_of_sample(path: Path) -> list[FoundColumn]:
    """The columns of a delimited file, a workbook or a Parquet file with the types its values have.

    Raises:
        PermanentError: the file is neither, or cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            schema = pq.read_schema(path)
        else:
            schema = csv.read_csv(pa.BufferReader(sample_as_csv(path))).schema
    except (OSError, pa.ArrowInvalid, RefusedFileError) as error:
        reason = str(error).splitlines()[0]
        msg = f"{path}: cannot be read as a sample ({reason}); give CSV, xlsx or Parquet"
        raise PermanentError(msg) from error
    return [_of_arrow(field) for field in schema]


def _rules(session: Session, dialect: Dialect, source_name: str) -> tuple[set[str], list[str]]:
    """Names of the columns that are never empty, and of the key columns in their order."""
    *owner, table = source_name.split(".")
    if "sqlite" in dialect.schemes:
        rows = session.rows(
            f'select name, "notnull", pk from pragma_table_info({text_literal(table)})'  # noqa: S608 - quoted
        )
        keys = sorted((position, str(name)) for name, _, position in rows if position)
        return {str(name) for name, is_required, _ in rows if is_required}, [name for _, name in keys]
    where = f"table_name = {text_literal(table)}"
    where += f" and table_schema = {text_literal(owner[-1])}" if owner else ""
    required = session.rows(
        f"select column_name from information_schema.columns where {where} and is_nullable = 'NO'"  # noqa: S608
    )
    usage = where.replace("table_", "k.table_")
    keys_found = session.rows(
        "select k.column_name from information_schema.key_column_usage k "  # noqa: S608 - quoted
        "join information_schema.table_constraints c on c.constraint_name = k.constraint_name "
        "and c.table_schema = k.table_schema and c.table_name = k.table_name "
        f"where c.constraint_type = 'PRIMARY KEY' and {usage} order by k.ordinal_position"
    )
    return {str(row[0]) for row in required}, [str(row[0]) for row in keys_found]


def _of_type(name: str, text: str) -> FoundColumn:
    """The column of a catalogue's type; what contracts have no type for is text."""
    kind = SourceType.parse(text)
    source_type = kind.name if kind.name != "numeric" or kind.precision is None else text.replace(" ", "")
    if kind.name in _INTEGERS:
        return FoundColumn(name, "integer", source_type, _INTEGERS[kind.name])
    if kind.name in _FLOATS:
        return FoundColumn(name, "number", source_type, _FLOATS[kind.name])
    if kind.name == "numeric":
        return FoundColumn(name, "number", source_type, None if kind.precision else "f64")
    if kind.name in {"boolean", "bit", "date"}:
        return FoundColumn(name, "date" if kind.name == "date" else "boolean", source_type)
    if kind.name in _INSTANTS | _INSTANTS_WITH_ZONE:
        return FoundColumn(name, "timestamp", source_type, needs_zone=kind.name in _INSTANTS)
    return FoundColumn(name, "string", source_type)


def _of_arrow(field: pa.Field) -> FoundColumn:
    kind = field.type
    if pa.types.is_integer(kind):
        return FoundColumn(field.name, "integer", number_format=f"i{kind.bit_width}")
    if pa.types.is_decimal(kind):
        return FoundColumn(field.name, "number", f"numeric({kind.precision},{kind.scale})")
    if pa.types.is_floating(kind):
        return FoundColumn(field.name, "number", number_format=f"f{max(kind.bit_width, 32)}")
    if pa.types.is_boolean(kind):
        return FoundColumn(field.name, "boolean")
    if pa.types.is_date(kind):
        return FoundColumn(field.name, "date")
    if pa.types.is_timestamp(kind):
        return FoundColumn(field.name, "timestamp", needs_zone=kind.tz is None)
    return FoundColumn(field.name, "string")
