"""The history of the business database as a list of events, and the state it leads to.

An event is visible from `at_utc`. Its change stamp says when the user pressed the key: the same moment or a
few seconds earlier, so that stamps do not become visible in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from reference_plant.business.tables import TABLES, Row, Value

State = dict[str, dict[tuple[Value, ...], Row]]
Operation = Literal["insert", "update", "delete"]
AT_ONCE = timedelta(0)


@dataclass(frozen=True)
class Event:
    """One change of one row."""

    at_utc: datetime
    table: str
    operation: Operation
    key: tuple[Value, ...]
    values: Mapping[str, Value]


class Journal:
    """Collects the events of one story in any order and hands them out in order of commit."""

    def __init__(self, zone: ZoneInfo, start_utc: datetime) -> None:
        self.zone = zone
        self._start_utc = start_utc
        self._entries: list[tuple[datetime, datetime, int, Event]] = []

    def insert(self, table: str, at_utc: datetime, row: Row, *, lag: timedelta = AT_ONCE) -> None:
        """A new row, stamped at `at_utc` and visible `lag` later."""
        spec = TABLES[table]
        key = tuple(row[column] for column in spec.key)
        self._add("insert", table, at_utc, key, row | spec.stamp(at_utc, self.zone), lag)

    def update(
        self, table: str, at_utc: datetime, key: tuple[Value, ...], changes: Row, *, lag: timedelta = AT_ONCE
    ) -> None:
        """Changed columns of a row, stamped at `at_utc` and visible `lag` later."""
        self._add("update", table, at_utc, key, changes | TABLES[table].stamp(at_utc, self.zone), lag)

    def delete(self, table: str, at_utc: datetime, key: tuple[Value, ...]) -> None:
        """A row gone for good: nothing is left to carry a stamp."""
        self._add("delete", table, at_utc, key, {}, AT_ONCE)

    def events(self, end_utc: datetime) -> list[Event]:
        """Everything visible before `end_utc`; what happened before the start is the opening load."""
        return [entry[-1] for entry in sorted(self._entries, key=lambda e: e[:3]) if entry[0] < end_utc]

    def _add(
        self,
        operation: Operation,
        table: str,
        at_utc: datetime,
        key: tuple[Value, ...],
        values: Row,
        lag: timedelta,
    ) -> None:
        visible = max(at_utc + lag, self._start_utc)
        event = Event(visible, table, operation, key, values)
        self._entries.append((visible, at_utc, len(self._entries), event))


def state_at(events: Iterable[Event], moment_utc: datetime) -> State:
    """What every table holds once all events up to and including `moment_utc` are committed.

    Raises:
        ValueError: the history contradicts itself: a row inserted twice, or changed while it is not there.
    """
    state: State = {name: {} for name in TABLES}
    for event in events:
        if event.at_utc > moment_utc:
            continue
        rows = state[event.table]
        if (event.key in rows) is (event.operation == "insert"):
            found = "there already" if event.key in rows else "absent"
            msg = (
                f"{event.table} {event.key}: {event.operation} at {event.at_utc.isoformat()} found the row "
                f"{found}; the story that made the event is wrong"
            )
            raise ValueError(msg)
        if event.operation == "delete":
            del rows[event.key]
        else:
            rows[event.key] = rows.get(event.key, {}) | dict(event.values)
    return state
