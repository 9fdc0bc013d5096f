"""Findings that only show when parts are seen together: units, codes, endpoints, gaps.

Each look is complete: what it no longer finds is closed. What one part can see alone (a refused row, a failed
gate) that part opens itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from exports.endpoints import EndpointSpec
from ingestion.gateway.links import SILENT, announced, silence_findings
from lake import tables
from lake.findings import Finding, close_absent, open_finding
from lake.state import StateStore
from lake.state_tables import gaps
from orchestration.acquisition_findings import collection_gaps, device_problems, silent_areas, unguarded_links
from orchestration.certificate_findings import NOTE as CERTIFICATE_NOTE
from orchestration.certificate_findings import ending_certificates
from orchestration.location import Location
from orchestration.production_findings import LOT_CYCLE, MASS_BALANCE, lot_cycles, open_mass_balances

# Clause 6: inside a park its platform; at a monitoring point the county's, which is the province's network.
MANDATORY_AUTHORITY = {"park": "park", "monitoring_point": "government"}
_AUTHORITY_ZH = {"park": "园区", "government": "属地政府部门"}


@dataclass(frozen=True)
class Look:
    """One kind of finding and how to look for it."""

    kind: str
    find: Callable[[Location, StateStore], Iterable[Finding]]


def refresh_findings(location: Location, state: StateStore) -> dict[str, int]:
    """Look for every kind, open what is found, close what is gone; how many stand, by kind."""
    standing: dict[str, int] = {}
    now = location.settings.clock.now()
    for look in LOOKS:
        found = list(look.find(location, state))
        with state.begin() as connection:
            keys = [open_finding(connection, finding, now=now) for finding in found]
            close_absent(connection, look.kind, keys, now=now)
        standing[look.kind] = len(found)
    return standing


def changed_units(location: Location, _state: StateStore) -> list[Finding]:
    """Tags whose unit on the server is another than in the tag table: every value would be read wrongly."""
    path = location.settings.lake.table("ops", "ops_unit_mismatches")
    if not tables.exists(path):
        return []
    rows = tables.read(path).to_pylist()
    return [_changed_unit(**row) for row in rows if row["resolved_at_utc"] is None]


def unmapped_codes(location: Location, _state: StateStore) -> list[Finding]:
    """Local codes without a unified one, as the model of that name lists them."""
    path = location.settings.lake.table("ops", "ops_unmapped_codes")
    if not tables.exists(path):
        return []
    return [_unmapped(row) for row in tables.read(path).to_pylist()]


def missing_endpoints(location: Location, _state: StateStore) -> list[Finding]:
    """The endpoint that the site's kind makes mandatory, when none is active here (clause 6)."""
    settings = location.settings
    wanted = MANDATORY_AUTHORITY[settings.site.kind]
    active = [
        endpoint
        for endpoint in location.endpoints.values()
        if endpoint.status == "active" and settings.environment in endpoint.environments
    ]
    if any(authority_of(endpoint) == wanted for endpoint in active):
        return []
    kind_zh = "园区内企业" if wanted == "park" else "监测点"
    return [
        Finding(
            kind="missing_endpoint",
            subject=wanted,
            severity="error",
            cause_zh=f"本站点为{kind_zh}，必须向{_AUTHORITY_ZH[wanted]}上报，但没有启用的接收端（第 6 章）",
            cause_en=f"the site is of kind {settings.site.kind}: it must report to the {wanted}, and no such "
            "endpoint is active here (clause 6)",
            remedy_zh="在 endpoints/ 中补齐该接收端，设为 status: active 并列出本环境",
            remedy_en="complete that endpoint in endpoints/, set status: active and list this environment",
        )
    ]


def open_gaps(_location: Location, state: StateStore) -> list[Finding]:
    """Segments that were sent and never arrived; one finding a stream."""
    with state.read() as connection:
        rows = connection.execute(
            select(gaps.c.stream, gaps.c.sequence).where(gaps.c.refilled_at_utc.is_(None))
        ).all()
        sent = announced(connection)
    missing: dict[str, list[int]] = {}
    for stream, sequence in rows:
        # What the sender itself says is still to come is late, not lost.
        if stream not in sent or not any(first <= sequence <= last for first, last in sent[stream].waiting):
            missing.setdefault(stream, []).append(sequence)
    return [_gap(stream, sorted(numbers)) for stream, numbers in sorted(missing.items())]


def silent_links(_location: Location, state: StateStore) -> list[Finding]:
    """Senders behind the gateway that are not heard; landing tells of them too, this look when it stands."""
    with state.read() as connection:
        return silence_findings(connection, datetime.now(UTC))


def authority_of(endpoint: EndpointSpec) -> str:
    """Whether an endpoint is the park's or the government's."""
    return "park" if endpoint.transport.type == "https_json" else "government"


LOOKS: Sequence[Look] = (
    Look("changed_unit", changed_units),
    Look("unmapped_code", unmapped_codes),
    Look("missing_endpoint", missing_endpoints),
    Look("stream_gap", open_gaps),
    Look(SILENT, silent_links),
    Look("collection_gap", collection_gaps),
    Look(CERTIFICATE_NOTE, ending_certificates),
    Look("device_problem", device_problems),
    Look(MASS_BALANCE, open_mass_balances),
    Look(LOT_CYCLE, lot_cycles),
    Look("silent_area", silent_areas),
    Look("unguarded_link", unguarded_links),
)


def _changed_unit(
    *, system_id: str, tag_id: str, unit: str, unit_on_server: str, **_times: object
) -> Finding:
    return Finding(
        kind="changed_unit",
        subject=f"{system_id}/{tag_id}",
        severity="error",
        cause_zh=f"位号 {tag_id}：点表单位为 {unit}，服务器为 {unit_on_server}",
        cause_en=f"tag {tag_id}: the tag table says {unit}, the server says {unit_on_server}",
        remedy_zh=f"与仪表人员核实后更正 tags/{system_id}.csv 的 unit，或更正服务器组态",
        remedy_en=f"ask the instrument engineer, then correct tags/{system_id}.csv or the server",
    )


def _unmapped(row: dict[str, Any]) -> Finding:
    subject = f"{row['system_id']}/{row['code_type']}/{row['source_code']}"
    where = f"{row['first_table_name']}: {row['row_count']}{_at_stake(row)}"
    return Finding(
        kind="unmapped_code",
        subject=subject,
        severity="error",
        cause_zh=f"{row['system_id']} 的 {row['code_type']} 代码 {row['source_code']} 未映射（{where}）",
        cause_en=f"{row['system_id']}: {row['code_type']} code {row['source_code']} is not mapped ({where})",
        remedy_zh="在 mappings/code_mappings.csv 中增加一行映射；下次运行后自动关闭",
        remedy_en="add a row to mappings/code_mappings.csv; the next run closes this",
    )


def _at_stake(row: dict[str, Any]) -> str:
    """Mass and money of the rows that wait for a mapping, as far as they state any."""
    stated = ((row.get("quantity_kg"), "kg"), (row.get("amount_cny"), "CNY"))
    return "".join(f", {amount:,.10g} {unit}" for amount, unit in stated if amount is not None)


def _gap(stream: str, numbers: list[int]) -> Finding:
    listed = ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")
    return Finding(
        kind="stream_gap",
        subject=stream,
        severity="error",
        cause_zh=f"数据流 {stream} 缺少 {len(numbers)} 个数据段：{listed}",
        cause_en=f"stream {stream} misses {len(numbers)} segments: {listed}",
        remedy_zh="请在生产控制区命令采集器重发这些编号；补齐后自动关闭",
        remedy_en="order the collector, in the control zone, to send these again; refilled gaps close",
    )
