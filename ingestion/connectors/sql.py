"""Reading PostgreSQL through ADBC, Arrow all the way, in one consistent snapshot.

Only declared columns are selected. A column of another type than the contract says, or none at all, is a
breach; a column that the contract does not know is told and not read. Not supported: sources other than
PostgreSQL, and cursors that are neither instants nor integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_manager import OperationalError
from adbc_driver_postgresql import dbapi

from contracts.model import Column, Contract
from ingestion.connectors.conversion import ConversionError, convert, source_literal
from ingestion.errors import ContractBreachError, IngestionError, PermanentError, SourceUnavailableError

# PostgreSQL's catalogue names of the types that contracts write in SQL.
_CATALOGUE_NAMES = {
    "char": "bpchar",
    "varchar": "varchar",
    "text": "text",
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "numeric": "numeric",
    "real": "float4",
    "double precision": "float8",
    "boolean": "bool",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
}
_CONNECTION_LOST = ("08", "57P")  # SQLSTATE classes: connection exception, operator intervention


@dataclass(frozen=True)
class SqlSnapshot:
    """One table of the source as of one moment."""

    connection: dbapi.Connection
    contract: Contract

    def read_rows(self, *, since: datetime | int | None = None) -> pa.Table:
        """The rows under our names in the contract's types.

        Args:
            since: only rows whose cursor is at least this.

        Raises:
            ContractBreachError: a column is gone, has another type, or holds what its type cannot.
        """
        return self._select(self.contract.columns, self._window(since))

    def read_keys(self) -> pa.Table:
        """The key columns of every row."""
        names = self.contract.primary_key
        return self._select(tuple(self.contract.column(name) for name in names), "")

    def is_empty(self) -> bool:
        """Whether the source table has no row at all."""
        return not self._query(f"select 1 as one from {self._table} limit 1").num_rows  # noqa: S608

    def unknown_columns(self) -> tuple[str, ...]:
        """Columns of the source that the contract does not know.

        Raises:
            ContractBreachError: a declared column is gone or has another type.
        """
        found = self._query(f"select * from {self._table} limit 0").schema  # noqa: S608
        problems = [problem for column in self.contract.columns for problem in _type_problems(column, found)]
        if problems:
            raise ContractBreachError(self.contract.name, problems)
        declared = {column.source_name for column in self.contract.columns}
        return tuple(name for name in found.names if name not in declared)

    @property
    def _table(self) -> str:
        return ".".join(_quoted(part) for part in self.contract.source_name.split("."))

    def _window(self, since: datetime | int | None) -> str:
        if since is None or self.contract.cursor is None:
            return ""
        cursor = self.contract.column(self.contract.cursor)
        return f" where {_quoted(cursor.source_name)} >= {source_literal(cursor, since)}"

    def _select(self, columns: tuple[Column, ...], where: str) -> pa.Table:
        names = ", ".join(_quoted(column.source_name) for column in columns)
        found = self._query(f"select {names} from {self._table}{where}")  # noqa: S608  (names come from the contract)
        arrays, problems = {}, []
        for position, column in enumerate(columns):
            try:
                arrays[column.name] = convert(found.column(position), column)
            except ConversionError as error:
                problems.append(str(error))
        if problems:
            raise ContractBreachError(self.contract.name, problems)
        return pa.table(arrays)

    def _query(self, statement: str) -> pa.Table:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetch_arrow_table()
        except AdbcError as error:
            raise _explained(
                error, f"reading {self.contract.source_name} for {self.contract.name}"
            ) from error


@contextmanager
def open_snapshot(url: str, contract: Contract) -> Iterator[SqlSnapshot]:
    """The source table as of now; every reading inside the block sees the same rows.

    Raises:
        SourceUnavailableError: nobody answers at the URL, or the connection broke.
        PermanentError: the source answers and refuses.
    """
    try:
        connection = dbapi.connect(url)
    except AdbcError as error:
        raise _explained(error, f"connecting to the source of {contract.name}") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
        yield SqlSnapshot(connection, contract)
        connection.rollback()
    finally:
        connection.close()


def _explained(error: AdbcError, what: str) -> IngestionError:
    """The failure as one of ours; its type says whether trying again helps."""
    first_line = str(error).splitlines()[0]
    state = error.sqlstate or ""
    if isinstance(error, OperationalError) and (not state or state.startswith(_CONNECTION_LOST)):
        return SourceUnavailableError(f"{what}: {first_line}; the next run tries again")
    return PermanentError(
        f"{what}: {first_line} (SQLSTATE {state or 'none'}); check table, rights and contract"
    )


def _type_problems(column: Column, found: pa.Schema) -> list[str]:
    if column.source_name not in found.names:
        return [f"{column.name}: the source has no column {column.source_name!r}"]
    declared = column.source_type or ""
    name = declared.split("(")[0].strip()
    metadata = found.field(column.source_name).metadata or {}
    actual = metadata.get(b"POSTGRESQL:type", b"").decode()
    if actual == "numeric":
        actual = _numeric(int(metadata.get(b"POSTGRESQL:typmod", b"-1")))
        declared = declared.replace(" ", "")
    else:
        declared = _CATALOGUE_NAMES.get(name, name)
    if name and declared != actual:
        return [
            f"{column.name} (source {column.source_name}): found type {actual}, expected {column.source_type}"
        ]
    return []


def _numeric(typmod: int) -> str:
    """`numeric(p,s)` of PostgreSQL's type modifier, in which an unlimited numeric is negative."""
    packed = typmod - 4
    return f"numeric({packed >> 16},{packed & 0x7FF})" if packed >= 0 else "numeric"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
