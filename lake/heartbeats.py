"""Signs of life of the long-running processes, in machine time, which runs even when plant time stands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from lake.state import from_utc_text, insert_or_update, utc_text
from lake.state_tables import process_heartbeats


@dataclass(frozen=True)
class Heartbeat:
    """The last sign of life of one process."""

    process: str
    pid: int
    beat_at_real_utc: datetime
    detail: str | None

    def age_s(self) -> float:
        """Seconds of this machine since the beat."""
        return (datetime.now(UTC) - self.beat_at_real_utc).total_seconds()


def beat(connection: Connection, process: str, *, detail: str | None = None) -> None:
    """Say that this process lives and what it is doing."""
    row = {
        "process": process,
        "pid": os.getpid(),
        "beat_at_real_utc": utc_text(datetime.now(UTC)),
        "detail": detail,
    }
    insert_or_update(connection, process_heartbeats, row)


def heartbeats(connection: Connection) -> list[Heartbeat]:
    """The last sign of life of every process that ever gave one, by name."""
    rows = connection.execute(select(process_heartbeats).order_by(process_heartbeats.c.process)).mappings()
    return [
        Heartbeat(row["process"], row["pid"], from_utc_text(row["beat_at_real_utc"]), row["detail"])
        for row in rows
    ]
