"""A table that users change, with the log a trigger keeps of it, and the five contracts that read it.

Everything a business table goes through: rows entered, changed and deleted, changes stamped earlier than they
become visible, keys renumbered.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.model import Column, Contract, ExtractMode

START = datetime(2026, 11, 1, tzinfo=UTC)
OVERLAP_S = 3600
_LATEST_S = 1800  # how far a stamp may lie before the moment its change becomes visible
_BEFORE_FIRST = 30

SCHEMA = """
drop table if exists things, things_log;
create table things (
    thing_id bigint primary key, name varchar(20) not null, mass numeric(12,3),
    updated_at timestamptz not null);
create table things_log (
    log_no bigserial primary key, what char(1) not null,
    thing_id bigint not null, name varchar(20) not null, mass numeric(12,3), updated_at timestamptz not null);
create or replace function keep_things_log() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or tg_op = 'UPDATE' and old.thing_id <> new.thing_id then
        insert into things_log (what, thing_id, name, mass, updated_at)
        values ('D', old.thing_id, old.name, old.mass, old.updated_at);
    end if;
    if tg_op <> 'DELETE' then
        insert into things_log (what, thing_id, name, mass, updated_at)
        values (left(tg_op, 1), new.thing_id, new.name, new.mass, new.updated_at);
    end if;
    return null;
end $$;
create trigger things_log after insert or update or delete on things
    for each row execute function keep_things_log();
"""

Row = tuple[str, Decimal | None, datetime]


@dataclass
class ChangingTable:
    """What the table holds, and the statements that change it.

    Attributes:
        rows: what is there now.
        gone: what was there and is not any more.
        versions: everything that each row ever was.
        touched: the rows entered or changed since somebody cleared it.
    """

    draw: random.Random
    rows: dict[int, Row] = field(default_factory=dict)
    gone: dict[int, Row] = field(default_factory=dict)
    versions: dict[int, list[Row]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    _next_id: int = 1

    def first_rows(self) -> Iterator[str]:
        """What is there before the first extract."""
        for _ in range(_BEFORE_FIRST):
            yield self._insert(START)

    def changes(self, moment: datetime) -> Iterator[str]:
        """Statements of one moment, each of its own transaction."""
        for _ in range(self.draw.randrange(1, 6)):
            stamp = moment - timedelta(seconds=self.draw.choice((0, 0, self.draw.uniform(0, _LATEST_S))))
            kind = self.draw.choices(
                ("insert", "update", "delete", "renumber", "return"), weights=(30, 45, 12, 5, 8)
            )[0]
            if kind == "insert" or len(self.rows) < _BEFORE_FIRST // 2:
                yield self._insert(stamp)
            elif kind == "update":
                yield self._update(stamp)
            elif kind == "delete":
                yield self._delete()
            elif kind == "renumber":
                yield self._renumber(stamp)
            elif self.gone:
                yield self._insert(stamp, self.draw.choice(sorted(self.gone)))

    def _insert(self, stamp: datetime, thing_id: int | None = None) -> str:
        if thing_id is None:
            thing_id = self._next_id
            self._next_id += 1
        self.gone.pop(thing_id, None)
        row = self._put(thing_id, self._row(stamp))
        return f"insert into things values ({thing_id}, {_literals(row)})"

    def _update(self, stamp: datetime) -> str:
        thing_id = self.draw.choice(sorted(self.rows))
        name, mass, at = self._put(thing_id, self._row(stamp))
        values = f"name = '{name}', mass = {_number(mass)}, updated_at = '{at.isoformat()}'"
        return f"update things set {values} where thing_id = {thing_id}"

    def _delete(self) -> str:
        thing_id = self.draw.choice(sorted(self.rows))
        self.gone[thing_id] = self.rows.pop(thing_id)
        return f"delete from things where thing_id = {thing_id}"

    def _renumber(self, stamp: datetime) -> str:
        old, new = self.draw.choice(sorted(self.rows)), self._next_id
        self._next_id += 1
        name, mass, _ = self.gone[old] = self.rows.pop(old)
        self._put(new, (name, mass, stamp))
        return (
            f"update things set thing_id = {new}, updated_at = '{stamp.isoformat()}' where thing_id = {old}"
        )

    def _put(self, thing_id: int, row: Row) -> Row:
        self.rows[thing_id] = row
        self.versions.setdefault(thing_id, []).append(row)
        self.touched.add(thing_id)
        return row

    def _row(self, stamp: datetime) -> Row:
        mass = self.draw.choice((None, Decimal(self.draw.randrange(10**6)) / 1000))
        return (
            self.draw.choice(("氯气", "caustic", "盐酸 31%", "")) + str(self.draw.randrange(100)),
            mass,
            stamp,
        )


def _literals(row: Row) -> str:
    name, mass, stamp = row
    return f"'{name}', {_number(mass)}, '{stamp.isoformat()}'"


def _number(mass: Decimal | None) -> str:
    return "null" if mass is None else str(mass)


def _column(name: str, logical_type: Any, source_name: str, source_type: str, **more: Any) -> Column:
    return Column(
        name,
        logical_type,
        "列",
        name,
        "一般",
        "管理",
        source_name=source_name,
        source_type=source_type,
        **more,
    )


_KEY = _column("thing_id", "integer", "thing_id", "bigint", required=True, key_position=1, unit="1")
_REST = (
    _column("thing_name", "string", "name", "varchar(20)", required=True),
    _column("mass_kg", "number", "mass", "numeric(12,3)", unit="kg"),
    _column("updated_at_utc", "timestamp", "updated_at", "timestamptz", required=True),
)
_LOG = (
    _column("log_number", "integer", "log_no", "bigint", required=True, unit="1"),
    _column("operation_code", "string", "what", "char(1)", required=True),
)


def contract_of(mode: ExtractMode) -> Contract:
    """The contract that reads the table, or its log, in a mode."""
    is_log = mode is ExtractMode.CHANGE_LOG
    has_cursor = mode in (ExtractMode.CURSOR, ExtractMode.CURSOR_SWEEP)
    return Contract(
        system_id="simulated",
        table=mode.value,
        version="1.0.0",
        label_zh="物",
        label_en="Things",
        description="",
        grain="one thing",
        owner="owner",
        category="管理",
        mode=mode,
        columns=(_KEY, *_REST, *(_LOG if is_log else ())),
        cadence_s=60,
        retention_days=365,
        source_name="public.things_log" if is_log else "public.things",
        cursor="log_number" if is_log else "updated_at_utc" if has_cursor else None,
        overlap=10 if is_log else OVERLAP_S if has_cursor else 0,
        operation="operation_code" if is_log else None,
        delete_codes=("D",) if is_log else (),
        least_share=0.3,
    )
