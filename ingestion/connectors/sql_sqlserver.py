"""SQL Server, through Microsoft's own driver `mssql-python`.

Documented limit: no SQL Server could be had to test against. The statements are tested as text, the
conversions with the values that the driver's documentation promises. Snapshot isolation must be allowed in
the database (`alter database … set allow_snapshot_isolation on`), else the source refuses and says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from ingestion.connectors.sql_dialect import Dialect, by_information_schema

_CONNECTION_LOST = ("08", "HYT")  # SQLSTATE classes: connection exception, timeout


class SQLServer(Dialect):
    """SQL Server 2016 and newer; quoted identifiers, as the driver sets them."""

    name = "SQL Server"
    schemes = ("mssql", "sqlserver")
    extra = "sqlserver"
    snapshot = ("set transaction isolation level snapshot", "begin transaction")
    equivalents: ClassVar = {
        "char": frozenset({"char", "nchar"}),
        "varchar": frozenset({"varchar", "nvarchar"}),
        "text": frozenset({"varchar", "nvarchar", "text", "ntext"}),
        "smallint": frozenset({"smallint", "tinyint"}),
        "double precision": frozenset({"float"}),
        "boolean": frozenset({"bit"}),
        "timestamp": frozenset({"datetime", "datetime2", "smalldatetime"}),
        "timestamptz": frozenset({"datetimeoffset"}),
    }

    def quoted(self, name: str) -> str:
        """Brackets, whatever the session makes of double quotes."""
        return "[" + name.replace("]", "]]") + "]"

    def limited(self, statement: str, rows: int) -> str:
        """`top` comes before the columns."""
        return statement.replace("select ", f"select top ({rows}) ", 1)

    def local_literal(self, local: datetime) -> str:
        """An instant to the 100 ns, without a zone."""
        return f"cast('{local.isoformat()}' as datetime2)"

    def instant_literal(self, utc: datetime) -> str:
        """An instant of UTC; other offsets compare as the instants they are."""
        return f"cast('{utc.isoformat()}' as datetimeoffset)"

    def catalogue(self, source_name: str) -> str:
        """Decimals with their digits."""
        digits = "concat('(', numeric_precision, ',', numeric_scale, ')')"
        is_decimal = "data_type in ('decimal', 'numeric')"
        type_text = f"concat(data_type, case when {is_decimal} then {digits} else '' end)"
        return by_information_schema(source_name, default_schema="schema_name()", type_text=type_text)

    def is_lost_connection(self, error: BaseException, state: str) -> bool:
        """States of the connection; the driver writes them at the start of its message."""
        return any(f"[{lost}" in str(error) or state.startswith(lost) for lost in _CONNECTION_LOST)
