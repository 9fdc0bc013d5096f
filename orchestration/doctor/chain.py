"""The chain of one tag or outlet: tag → unit → factor → limit → report → endpoint, link by link.

Reads the site's own files and the state store, so that it answers before the first run as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import select

from exports.endpoints import refusal_of
from exports.secrets import SiteSecrets
from lake.state import StateStore
from lake.state_tables import latest_values
from orchestration.doctor.diagnosis import Diagnosis, well, wrong
from orchestration.location import Location
from transforms.reference import read_reference

Row = dict[str, str]
STATE_CODES = {"i12001"}  # HJ 212 annex B: site information, no measured factor
_BAD = 0x80000000  # OPC UA severity "bad" is the highest bit


@dataclass(frozen=True)
class Register:
    """The site's registers and tag tables, as text."""

    outlets: list[Row]
    points: list[Row]
    limits: list[Row]
    tags: list[Row]

    def points_of(self, subject: str) -> list[Row]:
        """The points of an outlet, or the point of a tag."""
        return [row for row in self.points if subject in (row["outlet_id"], row["tag_id"])]


def read_register(site_dir: Path, today: date) -> Register:
    """The register rows that hold today, and every tag of every system."""
    registers = site_dir / "registers"
    tags = [
        {**row, "system_id": path.stem}
        for path in sorted((site_dir / "tags").glob("*.csv"))
        for row in _rows(path)
    ]
    return Register(
        outlets=_rows(registers / "outlets.csv"),
        points=[row for row in _rows(registers / "outlet_points.csv") if _holds(row, today)],
        limits=[row for row in _rows(registers / "outlet_limits.csv") if _holds(row, today)],
        tags=tags,
    )


def examine_chain(location: Location, state: StateStore, subject: str) -> Iterator[Diagnosis]:
    """Every link of the chain of a tag or an outlet."""
    settings = location.settings
    register = read_register(settings.site_dir, settings.clock.now().astimezone(settings.zone).date())
    points = register.points_of(subject)
    tag = next((row for row in register.tags if row["tag_id"] == subject), None)
    if not points and tag is None:
        yield _unknown(register, subject)
        return
    if not points and tag is not None:
        yield from _tag(state, tag)
        yield well(f"tag {subject}", "不属于任何排口，不上报", "belongs to no outlet and is in no report")
        return
    for point in points:
        yield from _point(register, state, point)
    for outlet_id in sorted({point["outlet_id"] for point in points}):
        yield _outlet(register, outlet_id)
    yield from _delivery(location)


def _point(register: Register, state: StateStore, point: Row) -> Iterator[Diagnosis]:
    subject = f"{point['outlet_id']} {point['factor_code']}"
    tag = next((row for row in register.tags if row["tag_id"] == point["tag_id"]), None)
    if tag is None:
        yield wrong(
            subject,
            (f"测点指向的位号 {point['tag_id']} 不在点表中", f"its tag {point['tag_id']} is in no tag table"),
            (f"在 tags/{point['system_id']}.csv 中增加该位号", f"add it to tags/{point['system_id']}.csv"),
        )
        return
    yield from _tag(state, tag)
    yield _unit(subject, tag, point["factor_code"])
    yield _limit(register, subject, point)


def _tag(state: StateStore, tag: Row) -> Iterator[Diagnosis]:
    subject = f"tag {tag['tag_id']}"
    condition = (latest_values.c.system_id == tag["system_id"]) & (latest_values.c.tag_id == tag["tag_id"])
    with state.read() as connection:
        row = connection.execute(select(latest_values).where(condition)).mappings().first()
    if row is None:
        yield wrong(
            subject,
            ("从未收到值", "no value ever arrived"),
            ("检查 node_id、采集器与入湖", "check its node_id, the collector and landing"),
        )
    elif row["status_code"] & _BAD:
        yield wrong(
            subject,
            (
                f"最新值状态为坏（0x{row['status_code']:08X}）",
                f"its last value is bad (0x{row['status_code']:08X})",
            ),
            ("检查仪表与通讯", "check the instrument and its line"),
        )
    else:
        value = row["value_text"] if row["value_number"] is None else f"{row['value_number']:g}"
        shown = f"{value} {tag['unit']} @ {row['source_at_utc']}"
        yield well(subject, f"最新值 {shown}", f"last value {shown}")


def _unit(subject: str, tag: Row, factor_code: str) -> Diagnosis:
    if factor_code in STATE_CODES:
        return well(subject, "仪表工作状态，决定数据标记", "the instrument's work state, which decides marks")
    factor = next((row for row in read_reference("hj212_factors") if row["factor_code"] == factor_code), None)
    if factor is None:
        return wrong(
            subject,
            (f"因子 {factor_code} 不在 HJ 212 因子表中", f"factor {factor_code} is not in the HJ 212 list"),
            (
                "更正 registers/outlet_points.csv 的 factor_code",
                "correct factor_code in registers/outlet_points.csv",
            ),
        )
    pairs = {(row["from_unit"], row["to_unit"]) for row in read_reference("unit_conversions")}
    if tag["unit"] == factor["unit"] or (tag["unit"], factor["unit"]) in pairs:
        text = f"{tag['unit']} → {factor['unit']}"
        return well(subject, f"{factor['name_zh']}，单位 {text}", f"{factor['name_en']}, unit {text}")
    return wrong(
        subject,
        (
            f"单位 {tag['unit']} 不能换算为 {factor['unit']}",
            f"{tag['unit']} cannot be converted to {factor['unit']}",
        ),
        (f"更正位号 {tag['tag_id']} 的单位", f"correct the unit of tag {tag['tag_id']}"),
    )


def _limit(register: Register, subject: str, point: Row) -> Diagnosis:
    found = [
        row
        for row in register.limits
        if (row["outlet_id"], row["factor_code"]) == (point["outlet_id"], point["factor_code"])
    ]
    if not found:
        return well(subject, "没有登记限值，只上报不判定", "no limit registered: reported, not judged")
    first = found[0]
    text = f"{first['limit_value']} {first['unit_code']} ({first['averaging_code']}, {first['standard_no']})"
    return well(subject, f"限值 {text}", f"limit {text}")


def _outlet(register: Register, outlet_id: str) -> Diagnosis:
    row = next((row for row in register.outlets if row["outlet_id"] == outlet_id), None)
    if row is not None and len(row["mn"]) == 24:
        return well(
            f"outlet {outlet_id}",
            f"{row['outlet_name_zh']}，MN {row['mn']}",
            f"{row['outlet_name_en']}, MN {row['mn']}",
        )
    return wrong(
        f"outlet {outlet_id}",
        ("未登记，或 MN 不是 24 位", "not registered, or its MN is not 24 characters"),
        ("更正 registers/outlets.csv", "correct registers/outlets.csv"),
    )


def _delivery(location: Location) -> Iterator[Diagnosis]:
    settings = location.settings
    secrets = SiteSecrets(settings.secrets.folder, settings.secrets.overrides())
    for report, endpoint in location.deliveries():
        subject = f"{report.report_id} → {endpoint.endpoint_id}"
        refusal = refusal_of(endpoint, settings.environment, secrets)
        if refusal is None:
            yield well(subject, f"{report.label_zh}：可发送", f"{report.label_en}: may be sent")
        else:
            remedy = f"endpoints/{endpoint.endpoint_id}.yml, secrets/"
            yield wrong(
                subject,
                (refusal.reason_zh, refusal.reason_en),
                (f"检查 {remedy}", f"check {remedy}"),
                # Inactive may be meant: whether the site must have this endpoint is clause 6's question.
                "error" if endpoint.status == "active" else "warning",
            )


def _unknown(register: Register, subject: str) -> Diagnosis:
    known = ", ".join(row["outlet_id"] for row in register.outlets)
    return wrong(
        subject,
        (
            f"既不是位号也不是排口；已登记排口：{known or '无'}",
            f"neither a tag nor an outlet; registered outlets: {known or 'none'}",
        ),
        (
            "核对拼写；位号在 tags/*.csv，排口在 registers/outlets.csv",
            "check the spelling; tags are in tags/*.csv, outlets in registers/outlets.csv",
        ),
    )


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def _holds(row: Row, today: date) -> bool:
    """Dated rows hold from `valid_from` up to, and not on, `valid_to`."""
    begins, ends = row.get("valid_from") or "", row.get("valid_to") or ""
    text = today.isoformat()
    return (not begins or begins <= text) and (not ends or text < ends)
