"""One table of a source database as of one moment, in the contract's names and types, batch by batch.

The URL says which database it is; what databases say differently lies in the dialects. Only declared columns
are selected. A column of another type than the contract says, or none at all, is a breach; a column that the
contract does not know is told and not read. Not supported: cursors that are neither instants nor integers.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from contracts.arrow import source_schema
from contracts.model import Column, Contract
from ingestion.connectors.conversion import ConversionError
from ingestion.connectors.sql_dialect import Dialect, type_faults
from ingestion.connectors.sql_mysql import MySQL
from ingestion.connectors.sql_oracle import Oracle
from ingestion.connectors.sql_postgresql import PostgreSQL
from ingestion.connectors.sql_ranges import read_ranges
from ingestion.connectors.sql_sessions import Session, SessionError, connect
from ingestion.connectors.sql_sqlite import SQLite
from ingestion.connectors.sql_sqlserver import SQLServer
from ingestion.errors import ContractBreachError, IngestionError, PermanentError, SourceUnavailableError

DIALECTS: tuple[Dialect, ...] = (PostgreSQL(), SQLite(), MySQL(), SQLServer(), Oracle())


@dataclass(frozen=True)
class SqlSnapshot:
    """One table of the source as of one moment.

    Attributes:
        session: the connection that holds the moment.
        dialect: how this database speaks.
        contract: what the table holds.
        url: for further connections.
        connections: how many may read one table at the same time.
    """

    session: Session
    dialect: Dialect
    contract: Contract
    url: str
    connections: int = 1

    def batches(self, *, since: datetime | int | None = None) -> Generator[pa.RecordBatch, None, None]:
        """The rows under our names in the contract's types, in no order.

        Args:
            since: only rows whose cursor is at least this.

        Raises:
            ContractBreachError: a column is gone, has another type, or holds what its type cannot.
            SourceUnavailableError: the connection broke on the way.
        """
        yield from self._select(self.contract.columns, self._window(since))

    def read_rows(self, *, since: datetime | int | None = None) -> pa.Table:
        """All of `batches` at once."""
        return pa.Table.from_batches(self.batches(since=since), source_schema(self.contract))

    def read_keys(self) -> pa.Table:
        """The key columns of every row."""
        names = self.contract.primary_key
        columns = tuple(self.contract.column(name) for name in names)
        schema = pa.schema([source_schema(self.contract).field(name) for name in names])
        return pa.Table.from_batches(self._select(columns, ""), schema)

    def is_empty(self) -> bool:
        """Whether the source table has no row at all."""
        return not self._rows(self.dialect.limited(f"select 1 from {self._table}", 1))  # noqa: S608

    def newest_cursor(self, now: datetime) -> datetime | int | None:
        """The greatest cursor that is not in the future; None where there is none."""
        assert self.contract.cursor is not None
        column = self.contract.column(self.contract.cursor)
        name = self.dialect.quoted(column.source_name)
        until = ""
        if column.logical_type == "timestamp":
            until = f" where {name} <= {self.dialect.literal(column, now)}"
        newest = f"(select max({name}) as {name} from {self._table}{until}) newest"  # noqa: S608
        statement = f"select {self.dialect.selected(column)} from {newest}"  # noqa: S608
        with self._explained():
            batches = [self._converted(b, (column,)) for b in self.session.batches(statement)]
        found = [value for batch in batches for value in batch.column(0).to_pylist()]
        return found[0] if found else None

    def unknown_columns(self) -> tuple[str, ...]:
        """Columns of the source that the contract does not know.

        Raises:
            ContractBreachError: a declared column is gone or has another type.
            PermanentError: there is no such table, or the reader may not see it.
        """
        found = {str(name): str(kind) for name, kind in self._rows(self._catalogue)}
        if not found:
            msg = (
                f"{self._what}: {self.dialect.name} has no such table or does not show it (42P01); "
                "check the name and the reader's rights"
            )
            raise PermanentError(msg)
        faults = type_faults(self.dialect, self.contract.columns, found)
        if faults:
            raise ContractBreachError(self.contract.name, faults)
        declared = {column.source_name for column in self.contract.columns}
        return tuple(name for name in found if name not in declared)

    @property
    def _table(self) -> str:
        return self.dialect.table(self.contract.source_name)

    @property
    def _catalogue(self) -> str:
        return self.dialect.catalogue(self.contract.source_name)

    @property
    def _what(self) -> str:
        return f"reading {self.contract.source_name} for {self.contract.name}"

    def _window(self, since: datetime | int | None) -> str:
        if since is None or self.contract.cursor is None:
            return ""
        column = self.contract.column(self.contract.cursor)
        return f"{self.dialect.quoted(column.source_name)} >= {self.dialect.literal(column, since)}"

    def _select(self, columns: tuple[Column, ...], where: str) -> Iterator[pa.RecordBatch]:
        """Batches of the columns, converted; the driver's errors told as ours."""
        names = ", ".join(self.dialect.selected(column) for column in columns)
        statement = f"select {names} from {self._table}"  # noqa: S608  (names come from the contract)
        with self._explained():
            if self.connections > 1 and self.dialect.has_ranges and not where:
                found = read_ranges(
                    self.session, self.dialect, self.url, self._table, statement, count=self.connections
                )
            else:
                found = self.session.batches(statement + (f" where {where}" if where else ""))
            for batch in found:
                yield self._converted(batch, columns)

    def _converted(self, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> pa.RecordBatch:
        arrays, problems = [], []
        for position, column in enumerate(columns):
            values = pa.chunked_array([batch.column(position)])
            try:
                arrays.append(_one_chunk(self.dialect.received(values, column)))
            except ConversionError as error:
                problems.append(str(error))
        if problems:
            raise ContractBreachError(self.contract.name, problems)
        fields = source_schema(self.contract)
        return pa.RecordBatch.from_arrays(
            arrays, schema=pa.schema([fields.field(column.name) for column in columns])
        )

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._explained():
            return self.session.rows(statement)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SessionError as error:
            breach = self.dialect.breach_of(error.cause, self.contract.columns)
            if breach:
                raise ContractBreachError(self.contract.name, [breach]) from error
            raise _explained(self.dialect, error, self._what) from error


@contextmanager
def open_snapshot(url: str, contract: Contract, *, connections: int = 1) -> Iterator[SqlSnapshot]:
    """The source table as of now; every reading inside the block sees the same rows.

    Args:
        url: says which database, where and who.
        contract: the table.
        connections: how many may read the table at the same time, where the database can share a snapshot.

    Raises:
        SourceUnavailableError: nobody answers at the URL, or the connection broke.
        PermanentError: the source answers and refuses.
    """
    dialect = dialect_of(url)
    try:
        session = connect(dialect, url)
    except SessionError as error:
        raise _explained(dialect, error, f"connecting to the source of {contract.name}") from error
    try:
        for statement in dialect.snapshot:
            try:
                session.execute(statement)
            except SessionError as error:
                raise _explained(dialect, error, f"opening a snapshot for {contract.name}") from error
        yield SqlSnapshot(session, dialect, contract, url, connections)
    finally:
        session.close()


def dialect_of(url: str) -> Dialect:
    """The dialect of the database that the URL names.

    Raises:
        PermanentError: no dialect knows the scheme.
    """
    scheme = urlsplit(url).scheme.split("+")[0]
    for dialect in DIALECTS:
        if scheme in dialect.schemes:
            return dialect
    known = [name for dialect in DIALECTS for name in dialect.schemes]
    msg = f"a source's URL begins with {scheme!r}; expected one of {', '.join(known)}; correct the secret"
    raise PermanentError(msg)


def _one_chunk(values: pa.ChunkedArray) -> pa.Array:
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def _explained(dialect: Dialect, error: SessionError, what: str) -> IngestionError:
    """The failure as one of ours; its type says whether trying again helps."""
    if dialect.is_lost_connection(error.cause, error.state):
        return SourceUnavailableError(f"{what}: {error}; the next run tries again")
    state = f" (SQLSTATE {error.state})" if error.state else ""
    return PermanentError(f"{what}: {error}{state}; check table, rights and contract")
