"""What the heartbeats of a pair of collectors say about it: nobody stands by, or both collect.

A dead collector is a silent link already (`ingestion.gateway.links`); here is what only the living can tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lake.findings import Finding, close_absent, open_finding
from protocols.pair_streams import family_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping

    from protocols.heartbeat import PairBeat

NO_REDUNDANCY = "collector_no_redundancy"
BOTH_ACTIVE = "collectors_both_active"


def pair_columns(pair: PairBeat | None) -> dict[str, Any]:
    """A link's columns about its pair; empty for a collector that is alone."""
    if pair is None:
        return {"pair_role": None, "pair_state": None, "pair_epoch": None, "pair_hears_peer": None}
    return {
        "pair_role": "main" if pair.is_main else "spare",
        "pair_state": "active" if pair.is_active else "waiting",
        "pair_epoch": pair.epoch,
        "pair_hears_peer": int(pair.peer_is_heard),
    }


def refresh_pairs(connection: Connection, heard: Sequence[RowMapping], *, now: datetime) -> None:
    """Open and close the findings of pairs.

    Args:
        connection: a write transaction.
        heard: the links whose heartbeats arrive.
        now: the plant's present instant.
    """
    active = [row for row in heard if row["pair_state"] == "active"]
    alone = [_alone(row) for row in active if not row["pair_hears_peer"]]
    keys = [open_finding(connection, finding, now=now) for finding in alone]
    close_absent(connection, NO_REDUNDANCY, keys, now=now)
    both = [
        _both(one, other)
        for at, one in enumerate(active)
        for other in active[at + 1 :]
        if one["pair_role"] != other["pair_role"] and _families(one) & _families(other)
    ]
    keys = [open_finding(connection, finding, now=now) for finding in both]
    close_absent(connection, BOTH_ACTIVE, keys, now=now)


def _families(row: RowMapping) -> set[str]:
    return {family_of(stream) for stream in json.loads(row["sent_json"] or "{}")}


def _alone(row: RowMapping) -> Finding:
    return Finding(
        kind=NO_REDUNDANCY,
        subject=row["link_id"],
        severity="warning",
        cause_zh=f"采集器 {row['link_id']} 听不到另一台采集器：现在没有备用，故障时无人接替",
        cause_en=f"collector {row['link_id']} does not hear the other one of its pair: nobody stands by",
        remedy_zh="在控制区检查另一台采集器是否运行、两机间网络、双方的 peer_certificate",
        remedy_en="in the control zone see that the other collector runs, the network between the two, and "
        "both peer_certificate files",
    )


def _both(one: RowMapping, other: RowMapping) -> Finding:
    names = " + ".join(sorted((one["link_id"], other["link_id"])))
    return Finding(
        kind=BOTH_ACTIVE,
        subject=names,
        severity="warning",
        cause_zh=f"{names} 同时在采集：两机互不可达。重复的点入湖时只留一份，数据不丢不重",
        cause_en=f"{names} both collect, for they do not hear each other; landing keeps each point once",
        remedy_zh="恢复两台采集器之间的网络；恢复后较晚接替的一台继续，另一台自动退为备用",
        remedy_en="restore the network between the two; the one that took over last then goes on, the other "
        "stands by",
    )
