"""A site with one system whose tables come as files: a weighbridge, made from a few words a column."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ingestion.change_log import ChangeLog
from ingestion.context import ExtractContext, ExtractReport
from ingestion.extract import extract_table
from ingestion.registry import PRODUCT_SYSTEMS, SystemSpec, load_registry
from lake import tables
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from tests.fakes.still_clock import StillClock

SYSTEM = "weighbridge"
NOW = datetime(2026, 11, 17, 4, 0, tzinfo=UTC)
Column = dict[str, Any]


def column(name: str, kind: str, label: str, label_zh: str, **more: Any) -> Column:
    """One property of a contract; `own` are its custom properties."""
    own = [{"property": key, "value": value} for key, value in more.pop("own", {}).items()]
    found = {
        "name": name,
        "logicalType": kind,
        "businessName": label,
        "synonyms": [{"synonym": label_zh, "locale": "zh-CN"}],
        "classification": "一般",
        **more,
    }
    return found | ({"customProperties": own} if own else {})


def code(value: str, label: str, label_zh: str) -> dict[str, Any]:
    """One code of a list."""
    return {
        "value": value,
        "label": label,
        "customProperties": [{"property": "labelZh", "value": label_zh}],
    }


TICKETS: tuple[Column, ...] = (
    column("ticket_no", "string", "Ticket", "磅单号", required=True, primaryKey=True, primaryKeyPosition=1,
           logicalTypeOptions={"pattern": "^[A-Z0-9-]{3,20}$"}),
    column("weighed_at_utc", "timestamp", "Weighed at", "过磅时间", required=True,
           logicalTypeOptions={"timezone": False, "defaultTimezone": "Asia/Shanghai"}),
    column("plate_no", "string", "Number plate", "车牌号"),
    column("net_weight_kg", "number", "Net weight", "净重", required=True, physicalType="numeric(12,3)",
           logicalTypeOptions={"minimum": 0, "maximum": 100000}, own={"unit": "kg"}),
    column("axle_count", "integer", "Axles", "轴数", logicalTypeOptions={"format": "i32"}, own={"unit": "1"}),
    column("is_inbound", "boolean", "Is inbound", "是否进厂"),
    column("due_date", "date", "Due date", "应付日期"),
    column("status_code", "string", "Status", "状态",
           enum=[code("open", "Open", "未结"), code("closed", "Closed", "已结")]),
)  # fmt: skip
HEADINGS = tuple(str(found["name"]) for found in TICKETS)


def contract_text(
    table: str, columns: tuple[Column, ...], mode: str = "manual", source_name: str | None = None, **own: Any
) -> str:
    """The contract of a table as YAML."""
    properties = {"extractMode": mode, **own}
    return yaml.safe_dump(
        {
            "apiVersion": "v3.2.0",
            "kind": "DataContract",
            "id": f"{SYSTEM}.{table}",
            "version": "1.0.0",
            "status": "active",
            "dataProduct": SYSTEM,
            "domain": "管理",
            "team": {"name": "warehouse"},
            "authoritativeDefinitions": [{"type": "clause", "url": "DB32/T 4765-2024#7.2.1.4"}],
            "slaProperties": [
                {"property": "frequency", "value": 5, "unit": "m"},
                {"property": "retention", "value": 3650, "unit": "d"},
            ],
            "schema": [
                {
                    "name": table,
                    "physicalName": source_name or table,
                    "businessName": "Weighbridge tickets",
                    "synonyms": [{"synonym": "磅单", "locale": "zh-CN"}],
                    "description": "What was weighed.",
                    "dataGranularityDescription": "one ticket",
                    "customProperties": [
                        {"property": key, "value": value} for key, value in properties.items()
                    ],
                    "properties": list(columns),
                }
            ],
        },
        allow_unicode=True,
        sort_keys=False,
    )


@dataclass
class FileSite:
    """A site with the weighbridge, and what is asked of it again and again."""

    context: ExtractContext
    system: SystemSpec

    @property
    def folder(self) -> Path:
        """The drop folder."""
        return self.context.site_dir / "drop" / SYSTEM

    def drop(self, name: str, content: bytes) -> Path:
        """Put a file into the inbox."""
        path = self.folder / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def take_in(self, table: str = "tickets") -> ExtractReport:
        """Run the extract."""
        return extract_table(self.system, table, self.context)

    def present(self, table: str = "tickets") -> dict[str, dict[str, Any]]:
        """The present rows by key."""
        live = ChangeLog(self.system.contract(table), self.context.lake).live()
        return {row["_row_key"]: row for row in live.to_pylist()}

    def raw(self, table: str = "tickets") -> list[dict[str, Any]]:
        """Every row version that landed."""
        return tables.read(self.context.lake.table("raw", self.system.contract(table).name)).to_pylist()

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        """The rows set aside, in the order of their places."""
        rows = ChangeLog(self.system.contract("quarantine"), self.context.lake).live().to_pylist()
        return sorted(rows, key=lambda row: row["row_number"])

    @property
    def findings(self) -> dict[str, Any]:
        """The open findings by subject."""
        with self.context.state.read() as connection:
            return {row["subject"]: row for row in open_findings(connection)}


def make_file_site(
    folder: Path, contracts: dict[str, str] | None = None, layouts: dict[str, Any] | None = None
) -> FileSite:
    """A site whose weighbridge has these contracts; one of tickets by default.

    Args:
        folder: of the site.
        contracts: contract texts by table.
        layouts: what `files.yml` says, by table; nothing has to settle by default.
    """
    contracts = contracts or {"tickets": contract_text("tickets", TICKETS)}
    system = folder / "systems" / SYSTEM
    system.mkdir(parents=True)
    (system / "system.yml").write_text(
        f"schema_version: 1\nsystem_id: {SYSTEM}\nkind: files\nlabel_zh: 地磅\nlabel_en: Weighbridge\n"
        "owner: warehouse\narea: gate\n",
        encoding="utf-8",
    )
    for table, text in contracts.items():
        (system / f"{table}.odcs.yaml").write_text(text, encoding="utf-8")
    quarantine = (PRODUCT_SYSTEMS / "lab_manual" / "quarantine.odcs.yaml").read_text(encoding="utf-8")
    (system / "quarantine.odcs.yaml").write_text(quarantine.replace("lab_manual", SYSTEM), encoding="utf-8")
    shutil.copy(PRODUCT_SYSTEMS / "wms_main" / "quirks.md", system)
    given = {table: {"settle_s": 0, **(layouts or {}).get(table, {})} for table in contracts}
    (system / "files.yml").write_text(
        yaml.safe_dump({"schema_version": 1, "tables": given}, allow_unicode=True), encoding="utf-8"
    )
    (folder / "systems" / f"{SYSTEM}.yml").write_text(
        f"schema_version: 1\nsystem_id: {SYSTEM}\n", encoding="utf-8"
    )
    migrations.migrate(LakePaths(folder / "var").state_url)
    return reopened(folder)


def reopened(folder: Path) -> FileSite:
    """The site as another process sees it."""
    lake, clock = LakePaths(folder / "var"), StillClock(NOW)
    context = ExtractContext(lake, open_state(lake.state_url, clock.now), str, clock, folder, run_id="test")
    (spec,) = (found for found in load_registry(folder) if found.system_id == SYSTEM)
    return FileSite(context, spec)
