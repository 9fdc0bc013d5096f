"""One connection to a source database: statements in, Arrow batches out, whichever driver carries them.

ADBC drivers hand out Arrow themselves; the others hand out rows, which become batches of `_ROWS_A_BATCH`, so
that a table of any size passes through a bounded memory. What a driver raises becomes a `SessionError`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError

from ingestion.connectors.sql_dialect import Dialect
from ingestion.errors import PermanentError

_ROWS_A_BATCH = 32_768
_ANSWER_WITHIN_S = 30
_SQLITE_BATCH = {"adbc.sqlite.query.batch_rows": str(_ROWS_A_BATCH)}


class SessionError(Exception):
    """What the database or its driver said; `state` is its SQLSTATE where it gave one."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        self.state = str(getattr(cause, "sqlstate", None) or "")
        super().__init__(str(cause).splitlines()[0] if str(cause) else type(cause).__name__)


@contextmanager
def told(errors: type[Exception] | tuple[type[Exception], ...]) -> Iterator[None]:
    """Makes a driver's error a `SessionError`."""
    try:
        yield
    except errors as error:
        raise SessionError(error) from error


class Session(Protocol):
    """One open connection."""

    def execute(self, statement: str) -> None:
        """Run a statement without an answer."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The answer of a statement that gives few rows."""

    def batches(self, statement: str) -> Iterator[pa.RecordBatch]:
        """The answer of a statement that may give many; empty ones may come or not."""

    def close(self) -> None:
        """End the connection, and with it the snapshot."""


class AdbcSession:
    """A connection whose driver speaks Arrow."""

    def __init__(self, connection: Any, options: dict[str, str] | None = None) -> None:
        self._connection = connection
        self._options = options or {}
        self._reading: list[Any] = []

    def execute(self, statement: str) -> None:
        """Run a statement without an answer."""
        with told(AdbcError), self._connection.cursor() as cursor:
            cursor.execute(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The answer of a statement that gives few rows."""
        with told(AdbcError), self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def batches(self, statement: str) -> Iterator[pa.RecordBatch]:
        """Batches as the driver reads them off the wire."""
        cursor = self._connection.cursor()
        self._reading.append(cursor)
        with told(AdbcError):
            if self._options:
                cursor.adbc_statement.set_options(**self._options)
            cursor.execute(statement)
            reader = iter(cursor.fetch_record_batch())
        while True:
            with told((AdbcError, OSError)):
                batch = next(reader, None)
            if batch is None:
                break
            yield batch
        cursor.close()

    def close(self) -> None:
        """End the connection and readings that nobody finished; what it held open is rolled back."""
        with told(AdbcError):
            for cursor in self._reading:
                cursor.close()
            self._connection.close()


class DbapiSession:
    """A connection whose driver hands out rows."""

    def __init__(self, connection: Any, errors: type[Exception], streaming: type[Any] | None = None) -> None:
        self._connection = connection
        self._errors = errors
        self._streaming = streaming

    def execute(self, statement: str) -> None:
        """Run a statement without an answer."""
        with told(self._errors), closing(self._connection.cursor()) as cursor:
            cursor.execute(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The answer of a statement that gives few rows."""
        with told(self._errors), closing(self._connection.cursor()) as cursor:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    def batches(self, statement: str) -> Iterator[pa.RecordBatch]:
        """Rows turned into columns, a batch at a time."""
        kind = (self._streaming,) if self._streaming else ()
        with closing(self._connection.cursor(*kind)) as cursor:
            with told(self._errors):
                cursor.execute(statement)
            names = [column[0] for column in cursor.description]
            while True:
                with told(self._errors):
                    rows = cursor.fetchmany(_ROWS_A_BATCH)
                if not rows:
                    return
                columns = [pa.array(values) for values in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=names)

    def close(self) -> None:
        """End the connection; what it held open is rolled back."""
        with told(self._errors):
            self._connection.close()


@dataclass(frozen=True)
class _Driver:
    """How a dialect's driver is loaded, how it connects, and which of its errors are the database's."""

    module: str
    errors: str
    open: Callable[[Any, str], Session]


def connect(dialect: Dialect, url: str) -> Session:
    """Open a connection.

    Raises:
        PermanentError: the driver is not installed.
        SessionError: nobody answers, or the server refuses.
    """
    driver = _DRIVERS[dialect.name]
    try:
        loaded, errors = importlib.import_module(driver.module), importlib.import_module(driver.errors)
    except ImportError as error:
        msg = (
            f"connecting to {dialect.name}: its driver is not installed ({error}); "
            f"install chemlink[{dialect.extra or 'platform'}]"
        )
        raise PermanentError(msg) from error
    with told(errors.Error):
        return driver.open(loaded, url)


def _postgresql(driver: Any, url: str) -> Session:
    return AdbcSession(driver.connect(url))


def _sqlite(driver: Any, url: str) -> Session:
    path = unquote(urlsplit(url).path.removeprefix("/"))
    return AdbcSession(driver.connect(f"file:{path}?mode=ro"), _SQLITE_BATCH)


def _mysql(driver: Any, url: str) -> Session:
    parts = urlsplit(url)
    connection = driver.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/") or None,
        charset="utf8mb4",
        conv=driver.converters.encoders,  # without decoders values stay the server's text
        connect_timeout=_ANSWER_WITHIN_S,
    )
    streaming = importlib.import_module("pymysql.cursors").SSCursor
    return DbapiSession(connection, driver.Error, streaming)


def _sqlserver(driver: Any, url: str) -> Session:
    parts = urlsplit(url)
    settings = {
        "Server": f"{parts.hostname},{parts.port or 1433}",
        "Database": parts.path.strip("/"),
        "Uid": unquote(parts.username or ""),
        "Pwd": unquote(parts.password or ""),
        "Encrypt": "yes",
    }
    text = ";".join("{}={{{}}}".format(name, value.replace("}", "}}")) for name, value in settings.items())
    return DbapiSession(driver.connect(text), driver.Error)


def _oracle(driver: Any, url: str) -> Session:
    driver.defaults.fetch_decimals = True
    driver.defaults.fetch_lobs = False
    parts = urlsplit(url)
    connection = driver.connect(
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        dsn=f"{parts.hostname}:{parts.port or 1521}/{parts.path.strip('/')}",
        tcp_connect_timeout=_ANSWER_WITHIN_S,
    )
    return DbapiSession(connection, driver.Error)


_DRIVERS = {
    "PostgreSQL": _Driver("adbc_driver_postgresql.dbapi", "adbc_driver_manager", _postgresql),
    "SQLite": _Driver("adbc_driver_sqlite.dbapi", "adbc_driver_manager", _sqlite),
    "MySQL / MariaDB": _Driver("pymysql", "pymysql", _mysql),
    "SQL Server": _Driver("mssql_python", "mssql_python", _sqlserver),
    "Oracle": _Driver("oracledb", "oracledb", _oracle),
}
