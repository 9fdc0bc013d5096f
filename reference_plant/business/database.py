"""The business database: schemas and roles once, then the history's events in the order of their commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from itertools import groupby
from operator import attrgetter
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql

from reference_plant.business.cluster import DATABASE, Cluster
from reference_plant.business.journal import Event
from reference_plant.business.tables import TABLES, Value

READER = "chemlink_reader"
SCHEMAS = ("erp", "mes", "wms", "lims", "qms")


def prepare(cluster: Cluster, reader_password: str) -> None:
    """Schemas, the reader role and the mark of how much history is applied; nothing when they exist."""
    with postgresql.connect(cluster.admin_url) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_namespace where nspname = 'story'")
        found = cursor.fetchone()
    if found and found[0]:
        return
    folder = resources.files("reference_plant.business") / "schema"
    script = [(folder / f"{schema}.sql").read_text(encoding="utf-8") for schema in SCHEMAS]
    script.append(_roles(reader_password))
    script.append("create schema story; create table story.applied (events bigint not null);")
    script.append("insert into story.applied values (0);")
    cluster.run_script("\n".join(script))


def _roles(reader_password: str) -> str:
    quoted = reader_password.replace("'", "''")
    schemas = ", ".join(SCHEMAS)
    return (
        f"create role {READER} login password '{quoted}';\n"
        f"alter role {READER} set default_transaction_read_only = on;\n"
        f"grant connect on database {DATABASE} to {READER};\n"
        f"grant usage on schema {schemas} to {READER};\n"
        f"grant select on all tables in schema {schemas} to {READER};\n"
    )


def apply_until(admin_url: str, events: Sequence[Event], now_utc: datetime) -> int:
    """Commit every event up to `now_utc` that is not yet in the database.

    Events of one moment are one transaction, which also moves the mark: a crash repeats nothing.

    Returns:
        How many events of the history are in the database now.
    """
    with postgresql.connect(admin_url) as connection, connection.cursor() as cursor:
        applied = _applied(cursor)
        due = [event for event in events[applied:] if event.at_utc <= now_utc]
        connection.rollback()
        done = applied
        for _, moment in groupby(due, key=attrgetter("at_utc")):
            for event in moment:
                _execute(cursor, event)
                done += 1
            cursor.execute("update story.applied set events = $1", (done,))
            connection.commit()
    return done


def _applied(cursor: Any) -> int:
    cursor.execute("select events from story.applied")
    return int(cursor.fetchone()[0])


def _execute(cursor: Any, event: Event) -> None:
    statement, values = statement_of(event)
    cursor.execute(statement, values)


def statement_of(event: Event) -> tuple[str, tuple[Value, ...]]:
    """The SQL of one event with its parameters in order."""
    key = TABLES[event.table].key
    if event.operation == "insert":
        places = ", ".join(f"${place}" for place in range(1, len(event.values) + 1))
        sql = f"insert into {event.table} ({', '.join(event.values)}) values ({places})"  # noqa: S608
        return sql, tuple(event.values.values())
    shift = len(event.values)
    where = " and ".join(f"{column} = ${shift + place}" for place, column in enumerate(key, start=1))
    if event.operation == "delete":
        return f"delete from {event.table} where {where}", event.key  # noqa: S608
    changes = ", ".join(f"{column} = ${place}" for place, column in enumerate(event.values, start=1))
    sql = f"update {event.table} set {changes} where {where}"  # noqa: S608
    return sql, (*event.values.values(), *event.key)
