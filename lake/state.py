"""The state store: a small transactional database, SQLite on local disk or PostgreSQL by URL.

Writers take SQLite's write lock at the start of a transaction (BEGIN IMMEDIATE), because a transaction that
reads first and writes later fails at once, without waiting, when another wrote in between. Keep transactions
short, and make no network call inside one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite

from lake.engine import READS_ONLY, make_engine
from lake.migrations import migrate

__all__ = [
    "StateStore",
    "from_utc_text",
    "insert_absent",
    "insert_if_absent",
    "insert_or_update",
    "migrate",
    "open_state",
    "utc_text",
]


def utc_text(instant: datetime) -> str:
    """An instant as the state store keeps it: ISO 8601, UTC, microseconds, so that text orders like time.

    Raises:
        ValueError: the instant has no zone.
    """
    if instant.tzinfo is None:
        msg = f"{instant.isoformat()}: found an instant without a zone, expected an aware one"
        raise ValueError(msg)
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def from_utc_text(text: str) -> datetime:
    """The aware instant that `utc_text` wrote."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class StateStore:
    """Transactions over the state tables.

    Attributes:
        url: SQLAlchemy URL, `sqlite:///…` or `postgresql://…`.
        now: the plant's clock.
        engine: made from the URL.
    """

    url: str
    now: Callable[[], datetime]
    engine: Engine = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine", make_engine(self.url))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back when the block raises."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for reading; it holds up no writer and is never committed."""
        with self.engine.connect().execution_options(**{READS_ONLY: True}) as connection:
            yield connection
            connection.rollback()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_state(url: str, now: Callable[[], datetime]) -> StateStore:
    """The state store at a URL; `lake.migrations.migrate` must have made its tables."""
    return StateStore(url, now)


def insert_or_update(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert the row, or set its other columns where its primary key is there."""
    keys = [column.name for column in table.primary_key]
    statement = _dialect_insert(connection, table).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=keys, set_={name: value for name, value in row.items() if name not in keys}
        )
    )


def insert_if_absent(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert the row unless a unique key of it is there; says whether it was inserted."""
    statement = _dialect_insert(connection, table).values(**row).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def insert_absent(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert those of many rows whose unique keys are not there, in one statement."""
    if rows:
        connection.execute(_dialect_insert(connection, table).on_conflict_do_nothing(), list(rows))


def _dialect_insert(connection: Connection, table: Table) -> Any:
    """Core has no portable upsert; the two dialects spell theirs alike."""
    dialects: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    return dialects[connection.dialect.name](table)
