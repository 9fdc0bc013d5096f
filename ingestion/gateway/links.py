"""What the business zone knows of each sender: a row a link, and a finding while one is silent.

Two write the row: landing, which sees the heartbeats of either transport, and the UDP receiver, which counts.
Instants are machine time: a plant may run at another speed, a cable does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from ingestion.gateway.pair_links import pair_columns, refresh_pairs
from lake.findings import Finding, close_absent, open_finding
from lake.state import from_utc_text, insert_or_update, utc_text
from lake.state_tables import gateway_links
from protocols.heartbeat import StreamSent
from protocols.number_ranges import NumberRanges

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from ingestion.gateway.link_state import LinkState
    from protocols.heartbeat import Heartbeat

SILENT = "gateway_silent"
SILENT_AFTER = timedelta(seconds=30)
_BEATS_MISSED = 6


@dataclass(frozen=True)
class Link:
    """One sender as its row has it.

    Attributes:
        link_id: the collector's id.
        row: all of its columns.
    """

    link_id: str
    row: RowMapping

    def silent_for(self, now: datetime) -> timedelta | None:
        """How long nothing has been heard, once that is longer than it may be.

        Args:
            now: the present instant of this machine.
        """
        arrived, every_s = self.row["heartbeat_arrived_at_real_utc"], self.row["heartbeat_every_s"]
        if arrived is None or every_s is None:
            return None  # counted by a receiver, and no heartbeat yet
        age = now - from_utc_text(arrived)
        return age if age > max(SILENT_AFTER, timedelta(seconds=every_s * _BEATS_MISSED)) else None


def links(connection: Connection) -> list[Link]:
    """Every link ever heard of, by name."""
    rows = connection.execute(select(gateway_links).order_by(gateway_links.c.link_id)).mappings()
    return [Link(row["link_id"], row) for row in rows]


def note_heartbeat(connection: Connection, heartbeat: Heartbeat, *, arrived_at: datetime) -> bool:
    """Keep a heartbeat that is newer than the last one; False for one that was played again.

    Args:
        connection: a write transaction.
        heartbeat: verified.
        arrived_at: the present instant of this machine.
    """
    last = connection.scalar(
        select(gateway_links.c.heartbeat_number).where(gateway_links.c.link_id == heartbeat.collector_id)
    )
    if last is not None and heartbeat.number <= last:
        return False
    sent = {
        name: [each.first, each.last, [list(pair) for pair in each.waiting]]
        for name, each in heartbeat.streams.items()
    }
    row = {
        "link_id": heartbeat.collector_id,
        "transport": heartbeat.transport,
        "heartbeat_number": heartbeat.number,
        "heartbeat_every_s": heartbeat.every_s,
        "heartbeat_sent_at_real_utc": utc_text(heartbeat.sent_at),
        "heartbeat_arrived_at_real_utc": utc_text(arrived_at),
        "lag_s": (arrived_at - heartbeat.sent_at).total_seconds(),
        "backlog_segments": heartbeat.backlog_segments,
        "sent_json": json.dumps(sent, sort_keys=True),
        **pair_columns(heartbeat.pair),
    }
    insert_or_update(connection, gateway_links, row)
    return True


def note_counts(connection: Connection, link: LinkState, *, datagrams_refused: int) -> None:
    """Keep what a UDP receiver counted of a sender.

    Args:
        connection: a write transaction.
        link: what the receiver knows.
        datagrams_refused: dropped by it, from whomever.
    """
    counts, missing = link.counts, link.missing()
    lost = counts.symbols_sent - counts.symbols_received
    row = {
        "link_id": link.collector_id,
        "transport": "udp",
        "counted_at_real_utc": utc_text(datetime.now(UTC)),
        "loss_rate": lost / counts.symbols_sent if counts.symbols_sent else None,
        "blocks_whole": counts.blocks_whole,
        "blocks_lost": counts.blocks_lost,
        "symbols_repaired": counts.symbols_repaired,
        "segments_received": counts.segments_received,
        "segments_repeated": counts.segments_repeated,
        "segments_refused": counts.segments_refused,
        "segments_missing": sum(map(len, missing.values())),
        "missing_json": json.dumps({name: ranges.pairs() for name, ranges in missing.items()}),
        "bytes_received": counts.bytes_received,
        "datagrams_refused": datagrams_refused,
    }
    insert_or_update(connection, gateway_links, row)


def announced(connection: Connection) -> dict[str, StreamSent]:
    """How far each stream was sent, as the last heartbeats say."""
    found: dict[str, StreamSent] = {}
    for text in connection.execute(select(gateway_links.c.sent_json)).scalars():
        for name, (first, last, waiting) in json.loads(text or "{}").items():
            sent = StreamSent(first, last, tuple((begin, end) for begin, end in waiting))
            # Of a pair both may send a stream: what its dead sealer had left, the other one sends.
            found[name] = sent if name not in found else _joined(found[name], sent)
    return found


def _joined(one: StreamSent, other: StreamSent) -> StreamSent:
    waiting = NumberRanges([*one.waiting, *other.waiting])
    return StreamSent(min(one.first, other.first), max(one.last, other.last), tuple(waiting.pairs()))


def silence_findings(connection: Connection, now: datetime) -> list[Finding]:
    """A finding for each link that is silent now.

    Args:
        connection: a transaction.
        now: the present instant of this machine.
    """
    found = [(link, link.silent_for(now)) for link in links(connection)]
    return [_silence(link, age) for link, age in found if age is not None]


def refresh_silence(connection: Connection, *, now: datetime, real_now: datetime) -> None:
    """Open and close the findings of silent links, and of pairs that are none.

    Args:
        connection: a write transaction.
        now: the plant's present instant.
        real_now: this machine's.
    """
    keys = [open_finding(connection, finding, now=now) for finding in silence_findings(connection, real_now)]
    close_absent(connection, SILENT, keys, now=now)
    heard = [link.row for link in links(connection) if link.silent_for(real_now) is None]
    refresh_pairs(connection, heard, now=now)


def _silence(link: Link, age: timedelta) -> Finding:
    minutes = age.total_seconds() / 60
    last = link.row["heartbeat_arrived_at_real_utc"]
    return Finding(
        kind=SILENT,
        subject=link.link_id,
        severity="error",
        cause_zh=f"采集器 {link.link_id} 已 {minutes:.1f} 分钟没有心跳（最后一次 {last}）",
        cause_en=f"no heartbeat of collector {link.link_id} for {minutes:.1f} min (the last one at {last})",
        remedy_zh="检查控制区采集进程、网闸设备与线缆、业务区接收进程；数据在控制区保存，恢复后自动补传",
        remedy_en="check the collector, the gateway and its cables, and the receiver here; data waits in the "
        "control zone and follows by itself",
    )
