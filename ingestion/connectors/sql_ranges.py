"""Reading one table through several connections that see the same moment.

Worth it where the network or one core of the database is the limit. The ranges part the table by where its
rows lie, so that no index and no even key is needed; a window behind a cursor is small and is not parted.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeAlias

import pyarrow as pa

from ingestion.connectors.sql_dialect import Dialect, text_literal
from ingestion.connectors.sql_postgresql import PostgreSQL
from ingestion.connectors.sql_sessions import Session, SessionError, connect

_WAITING_BATCHES = 2  # a connection; more would only hold memory
_LOOK_AGAIN_S = 0.1
_Item: TypeAlias = "pa.RecordBatch | SessionError | None"


def read_ranges(
    session: Session, dialect: Dialect, url: str, table: str, statement: str, *, count: int
) -> Iterator[pa.RecordBatch]:
    """The answer of a statement without a condition, read by `count` connections.

    Args:
        session: holds the snapshot that the others join.
        dialect: of the database.
        url: where the others connect.
        table: as statements name it.
        statement: selects the columns.
        count: connections besides `session`.

    Raises:
        SessionError: one of the connections failed; the others are ended.
    """
    assert isinstance(dialect, PostgreSQL), "only PostgreSQL shares a snapshot between connections"
    [(snapshot,)] = session.rows("select pg_export_snapshot()")
    size = f"pg_relation_size({text_literal(table)}) / current_setting('block_size')::int"
    [(pages,)] = session.rows(f"select {size}")
    joining = (*dialect.snapshot, f"set transaction snapshot {text_literal(snapshot)}")
    conditions = dialect.ranges(int(pages), count)
    yield from _Readers(dialect, url, joining).read([f"{statement} where {each}" for each in conditions])


class _Readers:
    """Connections at work, each in a thread, and the batches they have read."""

    def __init__(self, dialect: Dialect, url: str, joining: tuple[str, ...]) -> None:
        self._dialect = dialect
        self._url = url
        self._joining = joining
        self._is_over = threading.Event()
        self._found: queue.Queue[_Item] = queue.Queue()

    def read(self, statements: list[str]) -> Iterator[pa.RecordBatch]:
        """The batches of all statements as they come."""
        self._found = queue.Queue(maxsize=len(statements) * _WAITING_BATCHES)
        threads = [threading.Thread(target=self._answer, args=(each,), daemon=True) for each in statements]
        for thread in threads:
            thread.start()
        reading = len(threads)
        try:
            while reading:
                item = self._found.get()
                if isinstance(item, SessionError):
                    raise item
                if item is None:
                    reading -= 1
                else:
                    yield item
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def _answer(self, statement: str) -> None:
        try:
            session = connect(self._dialect, self._url)
            try:
                for each in self._joining:
                    session.execute(each)
                for batch in session.batches(statement):
                    self._put(batch)
                    if self._is_over.is_set():
                        return
            finally:
                session.close()
            self._put(None)
        except SessionError as error:
            self._put(error)

    def _put(self, item: _Item) -> None:
        """Wait for room, but not for a reader who has gone."""
        while not self._is_over.is_set():
            try:
                self._found.put(item, timeout=_LOOK_AGAIN_S)
            except queue.Full:
                continue
            return
