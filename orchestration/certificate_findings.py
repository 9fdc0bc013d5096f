"""Certificates of the control zone that must be renewed, as its collectors tell in their gap streams.

A collector tells at every change and once a day for as long as one ends soon, and nothing once all are
renewed: so what was told in the last two days stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lake import tables
from lake.findings import Finding
from lake.state import StateStore
from orchestration.location import Location

NOTE = "certificate_ends"
STANDS_FOR = timedelta(days=2)
_SUFFIX = "__gaps"
_CRITICAL = "【紧急】"


def ending_certificates(location: Location, _state: StateStore) -> list[Finding]:
    """One finding a system whose own, server's or user's certificate ends soon or is over."""
    lake, now = location.settings.lake, location.settings.clock.now()
    found: list[Finding] = []
    for name in lake.tables("raw"):
        if name.endswith(_SUFFIX):
            filters = [("reason", "=", NOTE), ("observed_at_utc", ">=", now - STANDS_FOR)]
            rows = tables.read(
                lake.table("raw", name), columns=["observed_at_utc", "detail"], filters=filters
            ).to_pylist()
            found += judge_notes(name.removesuffix(_SUFFIX), rows, now)
    return found


def judge_notes(system_id: str, rows: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Finding]:
    """The finding that a system's notes stand for, if any was told of late.

    Args:
        system_id: whose notes.
        rows: `observed_at_utc` and `detail`: Chinese, a slash, English; several joined by semicolons.
        now: plant time.
    """
    recent = [row for row in rows if row["observed_at_utc"] >= now - STANDS_FOR]
    if not recent:
        return
    detail = str(max(recent, key=lambda row: row["observed_at_utc"])["detail"])
    parts = [part.partition(" / ") for part in detail.split("; ")]
    yield Finding(
        kind=NOTE,
        subject=system_id,
        severity="error" if _CRITICAL in detail else "warning",
        cause_zh=f"{system_id}：" + "；".join(zh for zh, _, _ in parts),
        cause_en=f"{system_id}: " + "; ".join(en for _, _, en in parts),
        remedy_zh="在控制区换发证书并更新信任列表，用 chemlink collect check 核对；换发两天后此问题自动关闭",
        remedy_en="renew it in the control zone and update the trust lists, `chemlink collect check` tells "
        "how it stands; this closes two days after",
    )
