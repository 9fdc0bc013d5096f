"""MySQL and MariaDB, through PyMySQL.

Values travel as the server's own text, so that decimals stay exact and nothing depends on the driver's ideas
of dates. The session is in UTC: `timestamp` columns are instants, `datetime` columns carry no zone and need
one in the contract. Not supported: the zero date '0000-00-00', which is a breach that names the column;
several connections in one snapshot, so a table is read through one.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import pyarrow as pa

from contracts.model import Column
from ingestion.connectors.conversion import convert
from ingestion.connectors.sql_dialect import Dialect, SourceType, by_information_schema

_CONNECTION_LOST = {1040, 1053, 2002, 2003, 2006, 2013, 1205}  # client and server error numbers
_FIXED_TEXT = frozenset({"char", "varchar"})


class MySQL(Dialect):
    """MySQL 8 and MariaDB 10.6 and newer; a database of the server is a schema."""

    name = "MySQL / MariaDB"
    schemes = ("mysql", "mariadb")
    extra = "mysql"
    snapshot = (
        "set time_zone = '+00:00'",
        "set transaction isolation level repeatable read",
        "start transaction with consistent snapshot, read only",
    )
    equivalents: ClassVar = {
        "char": _FIXED_TEXT,
        "varchar": _FIXED_TEXT,
        "text": frozenset({"tinytext", "text", "mediumtext", "longtext"}),
        "smallint": frozenset({"smallint", "tinyint"}),
        "real": frozenset({"float"}),
        "boolean": frozenset({"tinyint"}),
        "timestamp": frozenset({"datetime"}),
        "timestamptz": frozenset({"timestamp"}),
    }

    def quoted(self, name: str) -> str:
        """Backticks, whatever the server's SQL mode makes of double quotes."""
        return "`" + name.replace("`", "``") + "`"

    def received(self, values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
        """Instants come as text of the session's zone, which is UTC."""
        if SourceType.parse(column.source_type or "").name == "timestamptz":
            values = values.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        return convert(values, column)

    def local_literal(self, local: datetime) -> str:
        """Text that the server reads as an instant without a zone."""
        return f"timestamp'{local.isoformat(sep=' ')}'"

    def instant_literal(self, utc: datetime) -> str:
        """The session's zone is UTC."""
        return self.local_literal(utc.replace(tzinfo=None))

    def catalogue(self, source_name: str) -> str:
        """Decimals with their digits; `int` for MariaDB's `int(11)`."""
        digits = "concat('(', numeric_precision, ',', numeric_scale, ')')"
        type_text = f"concat(data_type, if(data_type = 'decimal', {digits}, ''))"
        return by_information_schema(source_name, default_schema="database()", type_text=type_text)

    def is_lost_connection(self, error: BaseException, state: str) -> bool:
        """The numbers that say the connection is gone or the server is full."""
        number = error.args[0] if error.args else None
        return number in _CONNECTION_LOST
