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
    found: queue.Queue[_Item] = queue.Queue(maxsize=count * _WAITING_BATCHES)
    is_over = threading.Event()

    def put(item: _Item) -> None:
        while not is_over.is_set():
            try:
                found.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read(condition: str) -> None:
        try:
            other = connect(dialect, url)
            try:
                for each in joining:
                    other.execute(each)
                for batch in other.batches(f"{statement} where {condition}"):
                    put(batch)
                    if is_over.is_set():
                        return
            finally:
                other.close()
            put(None)
        except SessionError as error:
            put(error)

    readers = [
        threading.Thread(target=read, args=(condition,), daemon=True)
        for condition in dialect.ranges(int(pages), count)
    ]
    try:
        yield from _until_all_ended(readers, found)
    finally:
        is_over.set()
        for reader in readers:
            reader.join()


def _until_all_ended(readers: list[threading.Thread], found: queue.Queue[_Item]) -> Iterator[pa.RecordBatch]:
    for reader in readers:
        reader.start()
    reading = len(readers)
    while reading:
        item = found.get()
        if isinstance(item, SessionError):
            raise item
        if item is None:
            reading -= 1
        else:
            yield item
