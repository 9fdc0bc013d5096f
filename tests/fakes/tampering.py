"""Flipping single bits of what is stored, one at a time, and putting them back."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

# Every column whose value is a fact; next_attempt_at_utc is a plan.
COLUMNS = {
    "submissions": (
        "content", "content_sha256", "content_sm3", "idempotency_key", "report_id", "endpoint_id",
        "subject_id", "period_start_utc", "mode", "state", "source_table", "delta_version", "code_version",
        "created_at_utc", "due_at_utc", "acknowledged_at_utc", "revision",
    ),
    "receipts": ("body", "received_at_utc", "outcome", "receiver_reference"),
    "merkle_leaves": ("body", "leaf_sha256", "kind"),
    "merkle_checkpoints": ("signed_note", "root_sha256", "tree_size"),
}  # fmt: skip


@dataclass(frozen=True)
class Flip:
    """What was flipped, and a word that a report of it must name."""

    what: str
    named: str


class Tamperer:
    """Flips bits of a store that nothing else works on.

    Args:
        database: the SQLite state store.
        folder: the log's files.
        seed: of the choice.
    """

    def __init__(self, database: Path, folder: Path, seed: int) -> None:
        self._database = database
        self._files = sorted(path for path in folder.rglob("*") if path.is_file())
        self._random = random.Random(seed)
        with closing(sqlite3.connect(database)) as connection:
            self._rows = {
                table: [row[0] for row in connection.execute(f"select rowid from {table} order by rowid")]
                for table in COLUMNS
            }

    @contextmanager
    def flipped(self) -> Iterator[Flip]:
        """One bit is another within the block."""
        place = self._random.choice(["file", *COLUMNS])
        with self._flipped_file() if place == "file" else self._flipped_cell(place) as flip:
            yield flip

    @contextmanager
    def _flipped_file(self) -> Iterator[Flip]:
        path = self._random.choice(self._files)
        before = path.read_bytes()
        after, at = self._flip(before)
        path.write_bytes(after)
        try:
            yield Flip(f"{path} {at}", path.name)
        finally:
            path.write_bytes(before)

    @contextmanager
    def _flipped_cell(self, table: str) -> Iterator[Flip]:
        column = rowid = before = None
        while before is None:
            column, rowid = self._random.choice(COLUMNS[table]), self._random.choice(self._rows[table])
            before, key = self._read(table, column, rowid)
        after, at = self._changed(before)
        self._write(table, column, rowid, after)
        try:
            yield Flip(f"{table}.{column} of {key}: {at}", self._named(table, key))
        finally:
            self._write(table, column, rowid, before)

    def _changed(self, before: object) -> tuple[object, str]:
        if isinstance(before, int):
            bit = self._random.randrange(8, 20)  # above any size in use, which SQLite would refuse twice
            return before ^ (1 << bit), f"bit {bit}"
        if isinstance(before, bytes):
            return self._flip(before)
        changed, at = self._flip(str(before).encode())
        return changed, at  # bound as text below, whatever bytes it is

    def _flip(self, data: bytes) -> tuple[bytes, str]:
        at, bit = self._random.randrange(len(data)), self._random.randrange(8)
        return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :], f"byte {at} bit {bit}"

    def _read(self, table: str, column: str, rowid: int) -> tuple[object, str]:
        key = {"submissions": "submission_id", "receipts": "submission_id", "merkle_leaves": "leaf_index"}
        name = key.get(table, "tree_size")
        with closing(sqlite3.connect(self._database)) as connection:
            found = connection.execute(f"select {column}, {name} from {table} where rowid = ?", (rowid,))
            value, told = found.fetchone()
        return value, str(told)

    def _write(self, table: str, column: str, rowid: int, value: object) -> None:
        is_blob = (table, column) in {("submissions", "content"), ("receipts", "body")}
        is_text = isinstance(value, bytes) and not is_blob
        place = "cast(? as text)" if is_text else "?"
        with closing(sqlite3.connect(self._database)) as connection, connection:
            connection.execute(f"update {table} set {column} = {place} where rowid = ?", (value, rowid))

    def _named(self, table: str, key: str) -> str:
        return {"submissions": f"submission {key} ", "receipts": f"submission {key} "}.get(
            table, f"leaf {key}:" if table == "merkle_leaves" else "checkpoint"
        )
