"""How far each stream has landed, the streams of both collectors of a pair taken as one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from lake.state_tables import streams
from protocols.pair_streams import family_of


def stream_families(connection: Connection) -> dict[str, dict[str, Any]]:
    """By the name of the main collector's stream: what both brought together.

    `last_sequence` and `rows_total` are sums, so that they grow whichever collects; `newest_stream` and
    `newest_sequence` are of the one that landed last.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(select(streams).order_by(streams.c.last_arrived_at_utc)).mappings():
        family = family_of(row["stream"])
        before = found.get(family, {"last_sequence": 0, "rows_total": 0, "last_event_at_utc": None})
        events = [text for text in (before["last_event_at_utc"], row["last_event_at_utc"]) if text]
        found[family] = {
            "stream": family,
            "last_sequence": before["last_sequence"] + row["last_sequence"],
            "rows_total": before["rows_total"] + row["rows_total"],
            "last_event_at_utc": max(events, default=None),
            "last_arrived_at_utc": row["last_arrived_at_utc"],
            "newest_stream": row["stream"],
            "newest_sequence": row["last_sequence"],
        }
    return found
