"""Which instants of which tags are sealed: made from the segments, rebuilt from them, never the truth itself.

A source that sends by itself has no history to read again, so a point older than its tag's mark must be kept
when it is new and dropped when it is not. This file spares reading the segments for that. It holds what was
sealed in the last `remember_days` and where it stands in each stream: a process killed between the seal and
this file reads the segments in between when it starts.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

from ingestion.collector.sources.items import digest
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import manifest_path, read_table, sequences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

FILE_NAME = "known_times.sqlite"
EVENT_PREFIX = "event:"
_TABLES = """
create table if not exists keys (id integer primary key, name text not null unique);
create table if not exists known (
  key integer not null, ticks integer not null, digest integer not null, day integer not null,
  primary key (key, ticks, digest)
) without rowid;
create table if not exists positions (stream text primary key, sequence integer not null);
"""
_log = logging.getLogger(__name__)

# key, ticks, digest
Known = tuple[str, int, int]


class KnownTimes:
    """The instants sealed so far, by key: a tag id, or an event's id behind `EVENT_PREFIX`.

    Args:
        directory: the system's folder, which holds its streams.
        streams: the streams to know, each with its kind.
        today: the day number that new entries carry.
        remember_days: older entries are forgotten.
    """

    def __init__(self, directory: Path, streams: Mapping[str, str], today: int, remember_days: int) -> None:
        self._path = directory / FILE_NAME
        self._directory, self._streams = directory, streams
        self._lock = threading.Lock()
        self._remember_days = remember_days
        self._keys: dict[str, int] = {}
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            _log.warning("%s: %s; it is made anew from the segments that are still here", self._path, error)
            self._path.unlink(missing_ok=True)
            self._open()
        self._catch_up(today)
        self.forget_before(today)

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")
        self._connection.executescript(_TABLES)
        self._keys = dict(self._connection.execute("select name, id from keys"))

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def find(self, key: str, ticks: int) -> set[int]:
        """The digests sealed of a key at an instant; empty when that instant is new."""
        number = self._keys.get(key)
        if number is None:
            return set()
        with self._lock:
            rows = self._connection.execute(
                "select digest from known where key = ? and ticks = ?", (number, ticks)
            )
            return {row[0] for row in rows}

    def add(self, known: Iterable[Known], positions: Mapping[str, int], today: int) -> None:
        """Remember what was sealed, and up to which sequence of each stream."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                self._connection.executemany(
                    "insert or ignore into known values (?, ?, ?, ?)",
                    [(self._number(key), ticks, of_value, today) for key, ticks, of_value in known],
                )
                self._connection.executemany(
                    "insert into positions values (?, ?) on conflict (stream) do update set sequence = "
                    "excluded.sequence",
                    list(positions.items()),
                )
                self._connection.execute("commit")
            except BaseException:
                self._connection.execute("rollback")
                self._keys = dict(self._connection.execute("select name, id from keys"))
                raise

    def forget_before(self, today: int) -> None:
        """Forget what was sealed more than `remember_days` ago."""
        with self._lock:
            self._connection.execute("delete from known where day < ?", (today - self._remember_days,))

    def _number(self, key: str) -> int:
        number = self._keys.get(key)
        if number is None:
            cursor = self._connection.execute("insert into keys (name) values (?)", (key,))
            number = self._keys[key] = int(cursor.lastrowid or 0)
        return number

    def _catch_up(self, today: int) -> None:
        positions = dict(self._connection.execute("select stream, sequence from positions"))
        for stream, kind in self._streams.items():
            for sequence in sequences(self._directory, stream):
                if sequence > positions.get(stream, 0):
                    table = read_table(manifest_path(self._directory, stream, sequence))
                    self.add(_READERS[kind](table), {stream: sequence}, today)


def _known_points(table: pa.Table) -> list[Known]:
    columns = [table[name].to_pylist() for name in ("tag_id", "value_number", "value_text", "status_code")]
    ticks = _ticks(table, "source_at")
    return [
        (tag, at, digest(number, text, status))
        for at, tag, number, text, status in zip(ticks, *columns, strict=True)
    ]


def _known_events(table: pa.Table) -> list[Known]:
    names = ("event_id", "source_name", "event_type", "message", "link", "attributes")
    event_ids, *content = [table[name].to_pylist() for name in names]
    said = zip(*content, strict=True)
    return [
        (EVENT_PREFIX + event_id, at, digest(*parts))
        for event_id, at, parts in zip(event_ids, _ticks(table, "event_at"), said, strict=True)
    ]


_READERS = {"points": _known_points, "events": _known_events}


def _ticks(table: pa.Table, prefix: str) -> list[int]:
    micros = table[f"{prefix}_utc"].cast("int64").to_pylist()
    digits = table[f"{prefix}_100ns"].to_pylist()
    return [micro * 10 + digit + UNIX_EPOCH_TICKS for micro, digit in zip(micros, digits, strict=True)]
