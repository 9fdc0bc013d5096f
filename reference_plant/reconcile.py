"""Compares, as sets: what the plant produced with raw, and what the marts say with what the receivers hold.

The receivers' side is read from their own stores, and the numbers expected of them are rounded here anew, so
that a fault of the renderer cannot hide. Not here: anything that repairs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from lake import tables
from lake.layout import LakePaths
from reference_plant.truth import write_truth
from transforms.reference import read_reference

ZONE = ZoneInfo("Asia/Shanghai")
POINT = ["tag_id", "source_at_utc", "source_at_100ns", "value_number", "value_text", "status_code"]
ALARM = [
    *("event_id", "condition_id", "branch_id", "source_name", "severity", "event_at_utc", "event_at_100ns"),
    *("is_active", "is_acknowledged", "is_confirmed", "is_retained", "is_suppressed", "is_out_of_service"),
    *("shelving_state", "limit_state", "active_state", "quality_code", "comment", "client_user_id"),
]
PROVINCE = {
    "2051": "reg_province__hj212_minute",
    "2061": "reg_province__hj212_hour",
    "2031": "reg_province__hj212_day",
}
FIELDS = {
    "Cou": "cou_value",
    "Min": "min_value",
    "Avg": "avg_value",
    "Max": "max_value",
    "ZsMin": "converted_min_value",
    "ZsAvg": "converted_avg_value",
    "ZsMax": "converted_max_value",
}
PARK_NUMBERS = ("avg_value", "converted_avg_value", "emission_kg", "limit_value")
EMISSION_DECIMALS = 4
SHOWN = 3

Fact = tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """Two sets that must be equal, with a few examples of what only one of them has."""

    label_zh: str
    label_en: str
    expected: int
    found: int
    missing: int
    unexpected: int
    repeated: int
    examples: tuple[str, ...] = ()

    @property
    def differences(self) -> int:
        """How many facts stand on one side only, or twice."""
        return self.missing + self.unexpected + self.repeated


def reconcile(site_dir: Path) -> list[Comparison]:
    """Every comparison of one site, points first, then each receiver.

    Only what has been acknowledged is compared with the receivers; what is still queued is for the caller to
    drain first.
    """
    write_truth(site_dir)
    lake = LakePaths(site_dir / "var")
    systems = sorted(path.stem for path in (site_dir / "tags").glob("*.csv"))
    compared = [compare_points(site_dir, lake, system_id) for system_id in systems]
    compared += [compare_alarms(site_dir, lake, system_id) for system_id in systems]
    compared += [compare_province(site_dir, lake, command) for command in PROVINCE]
    compared.append(compare_real_time(site_dir))
    compared.append(compare_park(site_dir, lake))
    return compared


def compare_points(site_dir: Path, lake: LakePaths, system_id: str) -> Comparison:
    """Points of one system: (tag, source time, value, status) produced against raw."""
    truth = pl.read_parquet(site_dir / "var" / "plant" / "truth" / f"{system_id}.parquet").select(POINT)
    raw = _raw(lake, f"raw_{system_id}__points", POINT)
    return _frames_compared(f"测点 {system_id}", f"points of {system_id}", truth, raw)


def compare_alarms(site_dir: Path, lake: LakePaths, system_id: str) -> Comparison:
    """Alarm events of one system: produced against raw."""
    truth = pl.read_parquet(site_dir / "var" / "plant" / "truth" / f"{system_id}.alarms.parquet")
    raw = _raw(lake, f"raw_{system_id}__alarms", ALARM)
    return _frames_compared(f"报警 {system_id}", f"alarms of {system_id}", truth.select(ALARM), raw)


def _raw(lake: LakePaths, table: str, columns: list[str]) -> pl.DataFrame:
    frame = pl.from_arrow(tables.read(lake.table("raw", table), columns=columns))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _frames_compared(label_zh: str, label_en: str, truth: pl.DataFrame, raw: pl.DataFrame) -> Comparison:
    raw = raw.cast(dict(truth.schema))  # type: ignore[arg-type]
    missing = truth.join(raw, on=truth.columns, how="anti", nulls_equal=True)
    unexpected = raw.join(truth, on=truth.columns, how="anti", nulls_equal=True)
    examples = [f"missing {row}" for row in missing.head(SHOWN).rows()]
    examples += [f"unexpected {row}" for row in unexpected.head(SHOWN).rows()]
    return Comparison(
        label_zh,
        label_en,
        expected=truth.height,
        found=raw.height,
        missing=missing.height,
        unexpected=unexpected.height,
        repeated=raw.height - raw.n_unique(),
        examples=tuple(examples),
    )


def compare_province(site_dir: Path, lake: LakePaths, command: str) -> Comparison:
    """Values of one HJ 212 command: the regulatory table against what the province stored."""
    table = PROVINCE[command]
    sent = _acknowledged(site_dir, table)
    decimals, amounts = _factor_decimals("decimals"), _factor_decimals("amount_decimals")
    rows = tables.read(lake.table("regulatory", table)).to_pylist()
    expected = [
        fact
        for row in rows
        if (row["outlet_id"], row["period_start_utc"]) in sent
        for fact in _province_facts(row, decimals[row["factor_code"]], amounts.get(row["factor_code"], 0))
    ]
    held = _query(
        site_dir / "var" / "plant" / "receivers" / "province.sqlite",
        'select mn, data_time, factor_code, field, value, flag from "values" where cn = ?',
        (command,),
    )
    found = [
        (mn, at, code, field, _plain(value), flag)
        for mn, at, code, field, value, flag in held
        if field in FIELDS
    ]
    return _facts_compared(f"省平台 {command}", f"province {command}", expected, found)


def _province_facts(row: dict[str, Any], decimals: int, amount_decimals: int) -> Iterable[Fact]:
    at = row["period_start_utc"].astimezone(ZONE).strftime("%Y%m%d%H%M%S")
    for field, column in FIELDS.items():
        if row[column] is not None:
            value = _rounded(row[column], amount_decimals if field == "Cou" else decimals)
            yield row["mn"], at, row["factor_code"], field, value, row["data_flag"]


def compare_real_time(site_dir: Path) -> Comparison:
    """Real-time moments (2011): what landing observed of each outlet against what the province stored."""
    state = site_dir / "var" / "state.db"
    observed = _query(state, "select outlet_id, observed_at_utc, values_json from stream_observations", ())
    mn = _device_numbers(site_dir)
    decimals = _factor_decimals("decimals")
    expected = [
        (mn[outlet], _local(at), value["factor_code"], "Rtd", number, value["flag"])
        for outlet, at, text in observed
        for value in json.loads(text)
        if value["value"] is not None
        for number in [_rounded(value["value"], decimals[value["factor_code"]])]
    ]
    held = _query(
        site_dir / "var" / "plant" / "receivers" / "province.sqlite",
        "select mn, data_time, factor_code, field, value, flag from \"values\" where cn = '2011'",
        (),
    )
    found = [
        (number, at, code, field, _plain(value), flag)
        for number, at, code, field, value, flag in held
        if field == "Rtd"
    ]
    return _facts_compared("省平台 2011 实时", "province 2011 real time", expected, found)


def compare_park(site_dir: Path, lake: LakePaths) -> Comparison:
    """Rows of the hourly park report: the regulatory table against the newest revision the park stored."""
    sent = {start for _, start in _acknowledged(site_dir, "reg_park__outlet_hourly")}
    rows = tables.read(lake.table("regulatory", "reg_park__outlet_hourly")).to_pylist()
    decimals = _factor_decimals("decimals")
    expected = [
        _park_fact(_as_sent(row, decimals[row["factor_code"]]), row["period_start_utc"].astimezone(UTC))
        for row in rows
        if row["period_start_utc"] in sent
    ]
    held = _query(
        site_dir / "var" / "plant" / "receivers" / "park.sqlite",
        "select body from reports order by period_start, revision",
        (),
    )
    newest = {document["period_start"]: document for document in (json.loads(body) for (body,) in held)}
    found = [
        _park_fact(row, datetime.fromisoformat(start).astimezone(UTC))
        for start, document in newest.items()
        for row in document["rows"]
    ]
    return _facts_compared("园区平台 小时报", "park hourly report", expected, found)


def _park_fact(row: dict[str, Any], start: datetime) -> Fact:
    numbers = ["" if row.get(name) is None else _plain(row[name]) for name in PARK_NUMBERS]
    return row["outlet_id"], row["factor_code"], start.isoformat(), *numbers, str(row["data_flag"])


def _as_sent(row: dict[str, Any], decimals: int) -> dict[str, Any]:
    """A row of the mart with its numbers rounded as the park's report promises."""
    places = {"avg_value": decimals, "converted_avg_value": decimals, "emission_kg": EMISSION_DECIMALS}
    rounded = {name: _rounded(row[name], places[name]) for name in places if row[name] is not None}
    return {**row, **rounded}


def _acknowledged(site_dir: Path, table: str) -> set[tuple[str, datetime]]:
    """Subjects and periods whose newest revision has a receipt."""
    rows = _query(
        site_dir / "var" / "state.db",
        "select subject_id, period_start_utc from submissions "
        "where source_table = ? and state = 'acknowledged'",
        (table,),
    )
    return {(subject, datetime.fromisoformat(start)) for subject, start in rows}


def _facts_compared(
    label_zh: str, label_en: str, expected: Sequence[Fact], found: Sequence[Fact]
) -> Comparison:
    wanted, held = set(expected), set(found)
    missing, unexpected = wanted - held, held - wanted
    examples = [f"missing {fact}" for fact in sorted(missing)[:SHOWN]]
    examples += [f"unexpected {fact}" for fact in sorted(unexpected)[:SHOWN]]
    return Comparison(
        label_zh,
        label_en,
        expected=len(expected),
        found=len(found),
        missing=len(missing),
        unexpected=len(unexpected),
        repeated=len(found) - len(held),
        examples=tuple(examples),
    )


def _factor_decimals(column: str) -> dict[str, int]:
    return {row["factor_code"]: int(row[column]) for row in read_reference("hj212_factors") if row[column]}


def _device_numbers(site_dir: Path) -> dict[str, str]:
    outlets = pl.read_csv(site_dir / "registers" / "outlets.csv", infer_schema=False)
    return dict(zip(outlets["outlet_id"], outlets["mn"], strict=True))


def _local(at_utc: str) -> str:
    return datetime.fromisoformat(at_utc).astimezone(ZONE).strftime("%Y%m%d%H%M%S")


def _rounded(value: float, decimals: int) -> str:
    exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return _plain(exact)


def _plain(value: object) -> str:
    """One spelling for equal numbers, whatever zeros they were written with."""
    number = Decimal(str(value)).normalize()
    return f"{number + 0:f}"


def _query(path: Path, sql: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, parameters).fetchall()
