"""SQLite: a file read through ADBC.

A column of SQLite may hold anything, whatever its declared type, and the driver judges a column by its first
rows. So every value travels as text behind a mark that tells it from no value, and must then be what the
contract says. Not supported: decimals that were stored as binary fractions of more than 15 digits.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Column
from ingestion.connectors.conversion import convert
from ingestion.connectors.sql_dialect import Dialect, text_literal

_MARK = "="


class SQLite(Dialect):
    """SQLite 3; a URL is `sqlite:////absolute/path`."""

    name = "SQLite"
    schemes = ("sqlite",)
    snapshot = ("begin",)
    equivalents: ClassVar = {
        "smallint": frozenset({"smallint", "integer", "bigint"}),
        "integer": frozenset({"integer", "bigint"}),
        "bigint": frozenset({"integer", "bigint"}),
        "double precision": frozenset({"double precision", "real", "float"}),
        "timestamptz": frozenset({"timestamptz", "timestamp", "datetime", "text"}),
        "timestamp": frozenset({"timestamp", "datetime", "text"}),
        "date": frozenset({"date", "text"}),
    }

    def selected(self, column: Column) -> str:
        """The value as text behind a mark; no value is an empty text."""
        name = self.quoted(column.source_name)
        return f"case when {name} is null then '' else '{_MARK}' || cast({name} as text) end"

    def received(self, values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
        """The text without its mark, in the contract's type."""
        is_value = pc.starts_with(values, _MARK)
        text = pc.if_else(is_value, pc.utf8_slice_codeunits(values, 1), pa.scalar(None, pa.string()))
        return convert(text, column)

    def local_literal(self, local: datetime) -> str:
        """Texts of one form compare like the instants they name."""
        return text_literal(local.isoformat(sep=" "))

    def instant_literal(self, utc: datetime) -> str:
        """An instant is expected as text of UTC."""
        return text_literal(utc.replace(tzinfo=None).isoformat(sep=" "))

    def catalogue(self, source_name: str) -> str:
        """The declared types; SQLite keeps them as they were written."""
        table = text_literal(source_name.split(".")[-1])
        return f"select name, lower(type) from pragma_table_info({table}) order by cid"  # noqa: S608

    def is_lost_connection(self, error: BaseException, state: str) -> bool:
        """A file that another process has locked for writing."""
        return "locked" in str(error) or "busy" in str(error)
