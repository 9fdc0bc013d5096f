"""Oracle, through its own driver `python-oracledb` in thin mode, which needs no Oracle software.

Documented limit: no Oracle server could be had to test against. The statements are tested as text, the
conversions with the values that the driver's documentation promises. Oracle keeps no empty text: it is no
value. Identifiers are taken literally: contracts write them as Oracle keeps them, mostly in capitals.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from contracts.model import Column
from ingestion.connectors.sql_dialect import Dialect, SourceType, text_literal

_CONNECTION_LOST = ("DPY-4011", "DPY-6000", "DPY-6001", "DPY-6005", "ORA-03113", "ORA-03114", "ORA-12541")
_WHOLE = frozenset({"smallint", "integer", "bigint"})


class Oracle(Dialect):
    """Oracle 12.1 and newer."""

    name = "Oracle"
    schemes = ("oracle",)
    extra = "oracle"
    snapshot = ("set transaction read only",)
    equivalents: ClassVar = {
        "char": frozenset({"char", "nchar"}),
        "varchar": frozenset({"varchar2", "nvarchar2"}),
        "text": frozenset({"clob", "nclob"}),
        "real": frozenset({"binary_float"}),
        "double precision": frozenset({"binary_double", "float"}),
        "numeric": frozenset({"number"}),
        "boolean": frozenset({"number"}),
        "date": frozenset({"date"}),
        "timestamp": frozenset({"timestamp", "date"}),
        "timestamptz": frozenset({"timestamptz", "timestamp with local time zone"}),
    }

    def limited(self, statement: str, rows: int) -> str:
        """As standard SQL says."""
        return f"{statement} fetch first {rows} rows only"

    def instant_literal(self, utc: datetime) -> str:
        """The standard's literal with its offset."""
        return f"timestamp '{utc.replace(tzinfo=None).isoformat(sep=' ')} +00:00'"

    def catalogue(self, source_name: str) -> str:
        """Numbers with their digits, instants without theirs."""
        *schema, table = source_name.split(".")
        owner = text_literal(schema[-1]) if schema else "sys_context('userenv', 'current_schema')"
        digits = "'(' || data_precision || ',' || nvl(data_scale, 0) || ')'"
        plain = "lower(regexp_replace(data_type, '\\(\\d+\\)', ''))"
        return (
            f"select column_name, {plain} || "  # noqa: S608 - quoted
            f"case when data_type = 'NUMBER' and data_precision is not null then {digits} end "
            f"from all_tab_columns where owner = {owner} and table_name = {text_literal(table)} "
            "order by column_id"
        )

    def is_same_type(self, column: Column, found: str) -> bool:
        """Whole numbers are NUMBER without digits after the point."""
        declared, actual = SourceType.parse(column.source_type or ""), SourceType.parse(found)
        if declared.name in _WHOLE:
            return actual.name == "number" and (actual.scale or 0) == 0
        return super().is_same_type(column, found)

    def is_lost_connection(self, error: BaseException, state: str) -> bool:
        """The driver's and the listener's codes of a connection that is gone."""
        return any(code in str(error) for code in _CONNECTION_LOST)
