"""What flows: lag and gaps of streams, submissions whose receipt is late, findings that stand open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from ingestion.gateway.links import links
from ingestion.stream_families import stream_families
from lake.findings import open_findings
from lake.state import StateStore, from_utc_text
from lake.state_tables import gaps
from orchestration.delivery import overdue
from orchestration.doctor.diagnosis import Diagnosis, well, wrong
from orchestration.location import Location

LAG_LIMIT = timedelta(minutes=10)


def examine_flow(location: Location, state: StateStore) -> Iterator[Diagnosis]:
    """Streams in, reports out, findings between."""
    yield from _streams(location, state)
    yield from _links(state)
    yield from _gaps(state)
    yield from _overdue(location, state)
    yield from _findings(state)


def _streams(location: Location, state: StateStore) -> Iterator[Diagnosis]:
    now = location.settings.clock.now()
    with state.read() as connection:
        rows = stream_families(connection)
    for system in location.stream_systems:
        name = f"{system.system_id}.points"
        if name not in rows:
            yield wrong(
                f"stream {name}",
                ("从未到达数据", "nothing ever arrived"),
                (
                    "检查采集器、证书信任与网闸目录",
                    "check the collector, certificate trust and the gateway's folder",
                ),
            )
            continue
        lag = now - from_utc_text(rows[name]["last_arrived_at_utc"])
        if lag <= LAG_LIMIT:
            yield well(f"stream {name}", f"滞后 {_minutes(lag)} 分钟", f"{_minutes(lag)} min behind")
        else:
            yield wrong(
                f"stream {name}",
                (f"滞后 {_minutes(lag)} 分钟", f"{_minutes(lag)} min behind"),
                ("检查采集器与入湖进程", "check the collector and landing"),
            )


def _links(state: StateStore) -> Iterator[Diagnosis]:
    """Each sender behind the gateway: heard or silent, what waits there, what the way loses."""
    now = datetime.now(UTC)
    with state.read() as connection:
        found = links(connection)
    for link in found:
        subject, row, silent = f"gateway {link.link_id}", link.row, link.silent_for(now)
        if silent is not None:
            yield wrong(
                subject,
                (f"{_minutes(silent)} 分钟没有心跳", f"no heartbeat for {_minutes(silent)} min"),
                (
                    "检查控制区采集进程、网闸设备与线缆；数据在控制区保存，恢复后自动补传",
                    "check the collector, the gateway and its cables; data waits there and follows by itself",
                ),
            )
            continue
        loss = 0.0 if row["loss_rate"] is None else row["loss_rate"]
        lag, backlog, missing = (
            row["lag_s"] or 0.0,
            row["backlog_segments"] or 0,
            row["segments_missing"] or 0,
        )
        yield well(
            subject,
            f"{row['transport']}：时延 {lag:.1f} 秒，待补传 {backlog} 段，丢包 {loss:.2%}，缺 {missing} 段",
            f"{row['transport']}: lag {lag:.1f} s, backlog {backlog}, loss {loss:.2%}, missing {missing}",
        )


def _gaps(state: StateStore) -> Iterator[Diagnosis]:
    with state.read() as connection:
        names = connection.scalars(select(gaps.c.stream).where(gaps.c.refilled_at_utc.is_(None))).all()
    for stream, count in sorted(Counter(names).items()):
        yield wrong(
            f"stream {stream}",
            (f"缺 {count} 个数据段", f"{count} segments are missing"),
            (
                "编号见 chemlink findings --kind stream_gap；"
                f"在控制区用 chemlink resend --stream {stream} 重发",
                "`chemlink findings --kind stream_gap` has the numbers; in the control zone run "
                f"`chemlink resend --stream {stream}`",
            ),
        )


def _overdue(location: Location, state: StateStore) -> Iterator[Diagnosis]:
    for report, endpoint in location.deliveries():
        late = overdue(state, report.report_id, endpoint.endpoint_id, report.grace_minutes)
        subject = f"report {report.report_id} → {endpoint.endpoint_id}"
        if not late:
            yield well(subject, "没有逾期", "nothing overdue")
            continue
        yield wrong(
            subject,
            (
                f"{len(late)} 份上报逾期无回执，最早 {late[0]}",
                f"{len(late)} without a receipt, oldest {late[0]}",
            ),
            (
                "检查接收端网络与发送进程；队列会自动补发",
                "check network and dispatcher; the queue is sent afterwards",
            ),
        )


def _findings(state: StateStore) -> Iterator[Diagnosis]:
    with state.read() as connection:
        rows = open_findings(connection)
    for kind, count in sorted(Counter(row["kind"] for row in rows).items()):
        is_error = any(row["severity"] == "error" for row in rows if row["kind"] == kind)
        yield wrong(
            f"findings {kind}",
            (f"{count} 个待处理", f"{count} open"),
            (f"chemlink findings --kind {kind}", f"chemlink findings --kind {kind}"),
            "error" if is_error else "warning",
        )


def _minutes(lag: timedelta) -> int:
    return int(lag.total_seconds() // 60)
