"""Findings about what is read, over which network, and through which isolation device (7.2.1, 7.3.1.1, 10.3).

The models list the facts; whether a certificate holds is judged here, by the plant's calendar day, so that a
certificate that ends overnight is told in the morning without a rebuild.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from lake import tables
from lake.findings import Finding
from lake.state import StateStore
from orchestration.location import Location

CERTIFICATE_WARNING = timedelta(days=60)
_REGISTER = "registers/devices.csv"

# By problem: what was found and what to do, each in Chinese and English.
_PROBLEMS: Mapping[str, tuple[str, str, str, str]] = {
    "no_path": (
        "未登记采集路径，也未说明原因（7.2.1.1）",
        "has no acquisition path and no reason why not (7.2.1.1)",
        f"在 {_REGISTER} 中填写 system_id 与 tag_id，或填写 no_path_reason_zh",
        f"give it system_id and tag_id in {_REGISTER}, or a no_path_reason_zh",
    ),
    "unknown_tag": (
        "登记的位号 {system_id}/{tag_id} 不在点表中（7.2.1.1）",
        "is registered with tag {system_id}/{tag_id}, which no tag table has (7.2.1.1)",
        f"更正 {_REGISTER} 中的位号，或在控制区把该位号加入点表",
        f"correct the tag in {_REGISTER}, or add it to the tag table in the control zone",
    ),
    "no_live_data": (
        "最近一天没有任何数据（{system_id}/{tag_id}）（7.2.1.1）",
        "had no data on the newest day ({system_id}/{tag_id}) (7.2.1.1)",
        "在控制区查看 status.json 的 failed_tags，检查仪表与通信；停用的设备请填写 valid_to",
        "read failed_tags of status.json in the control zone, check instrument and line; end a retired "
        "device with valid_to",
    ),
    "unknown_area": (
        "所属区域 {area_id} 不在区域台账中（7.2.1.2）",
        "stands in area {area_id}, which the register of areas lacks (7.2.1.2)",
        f"更正 {_REGISTER}，或在 registers/areas.csv 中增加该区域",
        f"correct {_REGISTER}, or add the area to registers/areas.csv",
    ),
    "no_segment": (
        "没有生产网络覆盖（网段：{segment_id}）（7.3.1.1）",
        "is reached by no segment of the production network (segment: {segment_id}) (7.3.1.1)",
        f"接入网络后在 {_REGISTER} 填写 segment_id，网段须在 registers/network_segments.csv 中有效",
        f"connect it, then give it a segment_id in {_REGISTER} that registers/network_segments.csv holds",
    ),
}


def device_problems(location: Location, _state: StateStore) -> list[Finding]:
    """Devices that are not read, not alive or not reached by a network; one finding a problem."""
    return [_device_problem(row) for row in _rows(location, "ops", "ops_device_problems")]


def silent_areas(location: Location, _state: StateStore) -> list[Finding]:
    """Areas that need live data and have none (7.2.1.2)."""
    return [_silent_area(row) for row in _rows(location, "ops", "ops_silent_areas")]


def unguarded_links(location: Location, _state: StateStore) -> list[Finding]:
    """Links out of the control zone that no certified one-way device guards today (10.3)."""
    today = location.settings.clock.now().astimezone(location.settings.zone).date()
    return list(judge_links(_rows(location, "marts", "dim_network_link"), today))


def collection_gaps(location: Location, _state: StateStore) -> list[Finding]:
    """Data lost before it reached a segment, as collectors tell; one finding a system and reason."""
    return [_collection_gap(row) for row in _rows(location, "ops", "ops_open_gaps")]


def judge_links(rows: Sequence[Mapping[str, Any]], today: date) -> Iterator[Finding]:
    """What is wrong with each link between the control zone and another on one day.

    Args:
        rows: `dim_network_link`: one link with one certificate each, or with none.
        today: the plant's calendar day.
    """
    by_link: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        is_in_force = row["valid_from_date"] <= today < row["valid_to_date"]
        if row["is_zone_crossing"] and is_in_force:
            by_link.setdefault(row["link_id"], []).append(row)
    for _, certificates in sorted(by_link.items()):
        if (finding := _judge_link(certificates, today)) is not None:
            yield finding


def _judge_link(certificates: Sequence[Mapping[str, Any]], today: date) -> Finding | None:
    link = certificates[0]
    if link["passes_device_id"] is None:
        return _unguarded(
            link, "没有经过任何单向隔离网闸", "passes no one-way isolation gateway at all", _CUT
        )
    if link["direction_code"] != "one_way":
        return _unguarded(link, "登记为双向传输", "is registered as two-way", _CUT)
    known = [row for row in certificates if row["certificate_no"] is not None]
    device = link["passes_device_id"]
    if not known:
        return _unguarded(
            link,
            f"经过的 {device} 没有覆盖该链路的证书",
            f"passes {device}, which has no certificate for this link",
            _CERTIFY,
        )
    valid = [row for row in known if row["certificate_from_date"] <= today < row["certificate_to_date"]]
    newest = max(known, key=lambda row: row["certificate_to_date"])
    number, ends = newest["certificate_no"], newest["certificate_to_date"]
    if not valid:
        return _unguarded(
            link,
            f"{device} 的证书 {number} 今日无效（{newest['certificate_from_date']} 至 {ends}）",
            f"passes {device}, whose certificate {number} does not hold today "
            f"({newest['certificate_from_date']} to {ends})",
            _CERTIFY,
        )
    if ends - today <= CERTIFICATE_WARNING:
        left = (ends - today).days
        return _unguarded(
            link,
            f"{device} 的证书 {number} 还有 {left} 天到期",
            f"passes {device}, whose certificate {number} ends in {left} days",
            _CERTIFY,
            is_certain=False,
        )
    return None


_CUT = (
    "拆除该链路，或改经公安部认证的单向隔离网闸，并登记到 network_links.csv 与 isolation_devices.csv",
    "remove the link or lead it through a certified one-way gateway, then enter that in "
    "registers/network_links.csv and isolation_devices.csv",
)
_CERTIFY = (
    "换发证书或更换网闸，并在 registers/isolation_devices.csv 中增加一行",
    "renew the certificate or replace the device, then add a row to registers/isolation_devices.csv",
)


def _unguarded(
    link: Mapping[str, Any], zh: str, en: str, remedy: tuple[str, str], *, is_certain: bool = True
) -> Finding:
    zones = f"{link['from_zone_code'] or '?'} → {link['to_zone_code'] or '?'}"
    return Finding(
        kind="unguarded_link",
        subject=str(link["link_id"]),
        severity="error" if is_certain else "warning",
        cause_zh=f"链路 {link['link_id']}（{link['link_name_zh']}，{zones}）{zh}（10.3）",
        cause_en=f"link {link['link_id']} ({link['link_name_en']}, {zones}) {en} (10.3)",
        remedy_zh=remedy[0],
        remedy_en=remedy[1],
    )


def _device_problem(row: Mapping[str, Any]) -> Finding:
    cause_zh, cause_en, remedy_zh, remedy_en = _PROBLEMS[row["problem_code"]]
    shown = {name: value or "—" for name, value in row.items()}
    return Finding(
        kind="device_problem",
        subject=f"{row['device_id']}/{row['problem_code']}",
        severity="warning" if row["problem_code"] == "no_live_data" else "error",
        cause_zh=f"设备 {row['device_id']}（{row['device_name_zh']}）{cause_zh.format(**shown)}",
        cause_en=f"device {row['device_id']} ({row['device_name_en']}) {cause_en.format(**shown)}",
        remedy_zh=remedy_zh,
        remedy_en=remedy_en,
    )


def _silent_area(row: Mapping[str, Any]) -> Finding:
    last, day = row["last_source_at_utc"] or "—", row["looked_at_date"]
    return Finding(
        kind="silent_area",
        subject=str(row["area_id"]),
        severity="error",
        cause_zh=f"区域 {row['area_id']}（{row['area_name_zh']}）{day} 没有实时数据；"
        f"位号 {row['tag_count']} 个，最后数据 {last}（7.2.1.2）",
        cause_en=f"area {row['area_id']} ({row['area_name_en']}) had no live data on {day}; "
        f"{row['tag_count']} tags, last point {last} (7.2.1.2)",
        remedy_zh="接入该区域的仪表（chemlink collect discover 可生成点表），"
        "或在 registers/areas.csv 中更正 is_live_data_needed",
        remedy_en="connect its instruments (`chemlink collect discover` proposes the tags), or correct "
        "is_live_data_needed in registers/areas.csv",
    )


_GAP_REASONS: Mapping[str, tuple[str, str]] = {
    "not_watched": ("位号未被监视且没有历史", "the tags were not monitored and have no history"),
    "notifications_lost": (
        "服务器无法重发通知，位号没有历史",
        "the server could not send notifications again",
    ),
    "queue_overflow": ("服务器队列溢出，位号没有历史", "the server's queues ran over"),
    "history_failed": ("历史读取失败", "history cannot be read"),
    "disk_full": ("采集端磁盘已满，停止读取", "the collector's disk was full and reading stood still"),
    "segments_dropped": ("为腾出空间删除了数据段", "sealed segments were deleted to make room"),
    "sequence_gap": ("边缘节点序号跳变", "an edge node's numbers jumped"),
    "session_lost": ("消息代理丢失了会话", "the broker lost our session"),
}


def _collection_gap(row: Mapping[str, Any]) -> Finding:
    reason = row["reason_code"]
    zh, en = _GAP_REASONS.get(reason, (reason, reason))
    hours = f"{row['missing_s'] / 3600:.2f}"
    system_id, tag_id = row["system_id"], row["first_tag_id"]
    begins, ends = row["first_from_at_utc"], row["last_until_at_utc"]
    return Finding(
        kind="collection_gap",
        subject=f"{system_id}/{reason}",
        severity="error",
        cause_zh=f"{system_id} 有 {row['gap_count']} 处数据缺失未补齐（{zh}）：{row['tag_count']} 个位号，"
        f"如 {tag_id}，合计 {hours} 小时，{begins} 至 {ends}",
        cause_en=f"{system_id}: {row['gap_count']} gaps stay open ({en}): {row['tag_count']} tags such as "
        f"{tag_id}, {hours} h in all, {begins} to {ends}",
        remedy_zh="明细见 marts.fct_collection_gap；在控制区按 status.json 排除原因，"
        "历史可读后缺口会自动关闭",
        remedy_en="details are in marts.fct_collection_gap; remove the cause that status.json names in the "
        "control zone: once history can be read, gaps close by themselves",
    )


def _rows(location: Location, layer: str, name: str) -> list[dict[str, Any]]:
    path = location.settings.lake.table(layer, name)
    if not tables.exists(path):
        return []
    found: list[dict[str, Any]] = tables.read(path).to_pylist()
    return found
