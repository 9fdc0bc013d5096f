"""Dagster's SQLite event log with connections kept open.

The original opens a new connection for every event: a build with its two hundred checks then spends as long
on bookkeeping as on building (23 s of 67 s, measured). Tables and files are the original's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import create_db_conn_string
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

BUSY_TIMEOUT_S = 60
KEPT_OPEN = 4  # shards: the index and the runs of a tick; an older run's is opened again when asked for


class KeptOpenEventLogStorage(SqliteEventLogStorage):
    """The event log of one process, with one connection a shard for as long as it is in use."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> KeptOpenEventLogStorage:
        """Made by Dagster from `dagster.yaml`."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            return self._engines[shard]
        while len(self._engines) >= KEPT_OPEN:
            oldest = next(name for name in self._engines if name != "index")
            self._engines.pop(oldest).dispose()
        arguments = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
        engine = create_engine(
            create_db_conn_string(self._base_dir, shard), poolclass=StaticPool, connect_args=arguments
        )
        event.listen(engine, "connect", _write_ahead)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        return engine

    def dispose(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def _write_ahead(connection: Any, _record: object) -> None:
    """In write-ahead mode NORMAL loses at most the last events of a power cut, and never the file."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
