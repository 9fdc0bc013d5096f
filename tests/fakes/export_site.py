"""A small site with its state store and regulatory tables, for tests of the exports."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from exports.endpoints import EndpointSpec
from exports.render.hj212 import Device
from exports.reports import ReportSpec
from exports.secrets import SiteSecrets
from exports.site import ExportSite
from lake import tables
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import insert_if_absent, open_state, utc_text
from lake.state_tables import stream_observations

ZONE = ZoneInfo("Asia/Shanghai")
DEVICES = {
    "DA001": Device("320400000000000000000DA1", "31"),
    "DA002": Device("320400000000000000000DA2", "31"),
    "DW001": Device("320400000000000000000D01", "32"),
}
FACTORS = {"DA001": ("a21026", "a21002"), "DA002": ("a24088",), "DW001": ("w01018", "w01001")}
NUMBERS = (
    "cou_value", "min_value", "avg_value", "max_value",
    "converted_min_value", "converted_avg_value", "converted_max_value",
)  # fmt: skip
PROVINCE_SCHEMA = pa.schema(
    [
        pa.field("outlet_id", pa.string()),
        pa.field("mn", pa.string()),
        pa.field("st_code", pa.string()),
        pa.field("factor_code", pa.string()),
        pa.field("period_start_utc", pa.timestamp("us", tz="UTC")),
        pa.field("plant_date", pa.date32()),
        pa.field("unit", pa.string()),
        *(pa.field(name, pa.float64()) for name in NUMBERS),
        pa.field("data_flag", pa.string()),
        pa.field("is_valid", pa.bool_()),
    ]
)
PARK_SCHEMA = pa.schema(
    [
        pa.field("outlet_id", pa.string()),
        pa.field("outlet_name_zh", pa.string()),
        pa.field("factor_code", pa.string()),
        pa.field("factor_name_zh", pa.string()),
        pa.field("period_start_utc", pa.timestamp("us", tz="UTC")),
        pa.field("plant_date", pa.date32()),
        pa.field("unit", pa.string()),
        pa.field("avg_value", pa.float64()),
        pa.field("converted_avg_value", pa.float64()),
        pa.field("emission_kg", pa.float64()),
        pa.field("data_flag", pa.string()),
        pa.field("limit_value", pa.float64()),
        pa.field("limit_basis", pa.string()),
        pa.field("standard_no", pa.string()),
        pa.field("standard_name_zh", pa.string()),
        pa.field("is_exceeded", pa.bool_()),
    ]
)


@dataclass
class SetClock:
    """Plant time that stands until it is set; or runs, when it has a start."""

    at: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        return self.at

    def real_seconds(self, plant_seconds: float) -> float:
        return plant_seconds / self.speed


def local(text: str) -> datetime:
    """A moment of the plant's wall clock, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def make_site(root: Path, clock: Any) -> ExportSite:
    """A site directory with a migrated state store and the two secrets."""
    for folder in ("secrets", "pki", "var/run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, value in {"province_hj212_password": "aB3xYz", "park_hmac_key": "0f" * 32}.items():
        path = root / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(value + "\n")
    lake = LakePaths(root / "var")
    migrate(lake.state_url, lake)
    return ExportSite(
        site_id="reference_plant",
        root=root,
        zone=ZONE,
        environment="demo",
        lake=lake,
        state=open_state(lake.state_url, clock.now),
        clock=clock,
        secrets=SiteSecrets(root / "secrets"),
        devices=DEVICES,
    )


def report(report_id: str = "province_hj212_hour", **changed: Any) -> ReportSpec:
    """One of the fixed reports."""
    hj212 = {"renderer": "hj212", "subject": "outlet", "endpoints": ["province_hj212"]}
    known: dict[str, dict[str, Any]] = {
        "province_hj212_realtime": {**hj212, "mode": "stream", "period": "real_time", "command": "2011"},
        "province_hj212_ten_minute": {**hj212, "period": "ten_minute", "command": "2051"},
        "province_hj212_hour": {**hj212, "period": "hour", "command": "2061"},
        "province_hj212_day": {**hj212, "period": "day", "command": "2031"},
        "park_outlet_hourly": {
            "renderer": "park_json", "subject": "site", "endpoints": ["park_https"], "period": "hour",
        },
    }  # fmt: skip
    tables_of = {"2051": "minute", "2061": "hour", "2031": "day"}
    spec = {
        "report_id": report_id,
        "label_zh": "报告",
        "label_en": "report",
        "mode": "scheduled",
        "source_table": "reg_park__outlet_hourly",
        "due_minutes": 10,
        "grace_minutes": 30,
        "clause": "8.9.2.1",
        **known[report_id],
    }
    if command := tables_of.get(spec.get("command", "")):
        spec["source_table"] = f"reg_province__hj212_{command}"
    return ReportSpec.model_validate({**spec, **changed})


def province(port: int, **changed: Any) -> EndpointSpec:
    """The province's endpoint on a local port, in a hurry."""
    spec = {
        "schema_version": 1,
        "endpoint_id": "province_hj212",
        "label_zh": "省平台",
        "label_en": "Province",
        "status": "active",
        "environments": ["demo"],
        "transport": {
            "type": "hj212_tcp", "host": "127.0.0.1", "port": port,
            "password_secret": "province_hj212_password", "resends": 1,
        },
        "retry": {
            "timeout_s": 0.3, "attempts": 3, "backoff": {"first_s": 0.1, "factor": 1.5, "limit_s": 0.5},
        },
        "rate": {"per_second": 2000},
        "order": {"window": 4},
    }  # fmt: skip
    return EndpointSpec.model_validate({**spec, **changed})


def park(port: int, **changed: Any) -> EndpointSpec:
    """The park's endpoint on a local port, in a hurry."""
    spec = {
        "schema_version": 1,
        "endpoint_id": "park_https",
        "label_zh": "园区平台",
        "label_en": "Park",
        "status": "active",
        "environments": ["demo"],
        "transport": {
            "type": "https_json", "url": f"https://127.0.0.1:{port}/api/v1/reports",
            "ca_file": "pki/park_ca.pem", "enterprise_code": "91320400MA1CHEM01X",
            "hmac_key_secret": "park_hmac_key",
        },
        "retry": {
            "timeout_s": 2, "attempts": 3, "backoff": {"first_s": 0.1, "factor": 1.5, "limit_s": 0.5},
        },
        "rate": {"per_second": 2000},
    }  # fmt: skip
    return EndpointSpec.model_validate({**spec, **changed})


def province_rows(
    start: datetime, value: float = 12.345, outlets: Iterable[str] = DEVICES
) -> list[dict[str, Any]]:
    """Rows of one period for the given outlets."""
    return [
        {
            "outlet_id": outlet,
            "mn": DEVICES[outlet].mn,
            "st_code": DEVICES[outlet].st_code,
            "factor_code": code,
            "period_start_utc": start,
            "plant_date": start.astimezone(ZONE).date(),
            "unit": "mg/m3",
            **dict.fromkeys(NUMBERS, value if code != "w01001" else 7.0),
            "data_flag": "N",
            "is_valid": True,
        }
        for outlet in outlets
        for code in FACTORS[outlet]
    ]


def park_rows(start: datetime, value: float = 12.345) -> list[dict[str, Any]]:
    """Rows of one hour of the park's report."""
    return [
        {
            "outlet_id": "DA001",
            "outlet_name_zh": "锅炉烟囱",
            "factor_code": "a21026",
            "factor_name_zh": "二氧化硫",
            "period_start_utc": start,
            "plant_date": start.astimezone(ZONE).date(),
            "unit": "mg/m3",
            "avg_value": value,
            "converted_avg_value": value,
            "emission_kg": 0.64825,
            "data_flag": "N",
            "limit_value": 50.0,
            "limit_basis": "converted",
            "standard_no": "GB 13271-2014",
            "standard_name_zh": "锅炉大气污染物排放标准",
            "is_exceeded": False,
        }
    ]


def write_rows(site: ExportSite, table: str, rows: list[dict[str, Any]]) -> int:
    """Make a regulatory table hold exactly these rows; answers its Delta version."""
    schema = PARK_SCHEMA if table == "reg_park__outlet_hourly" else PROVINCE_SCHEMA
    path = site.lake.table("regulatory", table)
    written = tables.overwrite(
        path, pa.Table.from_pylist(rows, schema=schema), schema, partition_by=["plant_date"]
    )
    return written.delta_version


def hours(first: datetime, count: int) -> list[datetime]:
    """Starts of successive hours."""
    return [first + timedelta(hours=index) for index in range(count)]


def observe(site: ExportSite, outlet_id: str, at: datetime, value: float = 3.14159) -> None:
    """Store what landing would have observed of an outlet."""
    values = [
        {"factor_code": code, "value": value, "converted_value": None, "flag": "N"}
        for code in FACTORS[outlet_id]
    ]
    with site.state.begin() as conn:
        insert_if_absent(
            conn,
            stream_observations,
            {
                "outlet_id": outlet_id,
                "observed_at_utc": utc_text(at),
                "values_json": json.dumps(values),
                "created_at_utc": utc_text(at),
            },
        )


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
