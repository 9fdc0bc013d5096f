"""A small lake with every raw table that the contracts declare, and dbt over it as a process of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from contracts.arrow import raw_schema
from contracts.loading import load_contracts
from contracts.model import Contract, ExtractMode
from lake import tables
from lake.layout import LakePaths

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = REPOSITORY / "dbt_project"
SITE = REPOSITORY / "reference_plant" / "site"
REGISTERS = SITE / "registers"
ZONE = ZoneInfo("Asia/Shanghai")
REGISTER_TABLES = ("outlets", "outlet_points", "outlet_limits")

Row = Mapping[str, Any]


@dataclass
class DbtLake:
    """Writes raw rows as landing and extraction would, builds, and reads what was built."""

    paths: LakePaths
    target: Path
    contracts: dict[str, Contract]
    _sequence: int = field(default=0)

    def create_raw_tables(self) -> None:
        """Every raw table, empty."""
        for contract in self.contracts.values():
            schema = raw_schema(contract)
            partition_by = ["source_date"] if contract.mode is ExtractMode.STREAM else []
            path = self.paths.table("raw", contract.name)
            tables.overwrite(path, schema.empty_table(), schema, partition_by=partition_by)

    def append_stream(
        self, table: str, rows: Iterable[Row], *, at_column: str, ingested_at: datetime
    ) -> None:
        """Rows of a stream table as landing appends them."""
        self._sequence += 1
        added = {"_stream": table, "_sequence": self._sequence, "_ingested_at_utc": ingested_at}
        self._append(
            table, [{"source_date": row[at_column].astimezone(ZONE).date(), **row, **added} for row in rows]
        )

    def append_changes(
        self, table: str, rows: Iterable[Row], *, op: str = "upsert", extracted_at: datetime | None = None
    ) -> None:
        """Rows of a change log as one extract appends them."""
        self._sequence += 1
        contract = self.contracts[table]
        added = {
            "_op": op,
            "_extracted_at_utc": extracted_at or datetime(2026, 11, 16, tzinfo=UTC),
            "_extract_sequence": self._sequence,
            "_schema_version": "1.0.0",
        }
        self._append(
            table,
            [
                {**row, **added, "_row_key": "|".join(str(row[key]) for key in contract.primary_key)}
                for row in rows
            ],
        )

    def load_registers(self) -> None:
        """The reference plant's outlets, points, limits and code mappings."""
        for table in REGISTER_TABLES:
            name = f"raw_site_register__{table}"
            self.append_changes(name, read_register(REGISTERS / f"{table}.csv", self.contracts[name]))
        mappings = self.contracts["raw_site_register__code_mappings"]
        self.append_changes(mappings.name, read_register(SITE / "mappings" / "code_mappings.csv", mappings))

    def dbt(self, command: str, *arguments: str) -> str:
        """Run dbt; its output. Fails the test with that output when dbt fails."""
        done = self.run_dbt(command, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_dbt(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt as a process of its own, as the platform does, however it ends."""
        environment = os.environ | {
            "CHEMLINK_LAKE": str(self.paths.root / "lake"),
            "CHEMLINK_BUILD_DB": str(self.paths.build_db),
            "CHEMLINK_CODE": str(REPOSITORY),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target / "log"),
        }
        return subprocess.run(
            [Path(sys.executable).with_name("dbt"), command, "--project-dir", PROJECT, *arguments],
            env=environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )

    def query(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows of the build database."""
        with duckdb.connect(str(self.paths.build_db), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            found = connection.execute(sql, parameters)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _append(self, table: str, rows: Sequence[Row]) -> None:
        schema = raw_schema(self.contracts[table])
        filled = [{name: row.get(name) for name in schema.names} for row in rows]
        arrow = pa.Table.from_pylist(filled, schema=schema)
        tables.append(
            self.paths.table("raw", table), arrow, schema, app_id=f"test.{table}", version=self._sequence
        )


def read_register(path: Path, contract: Contract) -> list[dict[str, Any]]:
    """Rows of a site register under the contract's names and types."""
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return [
        {
            column.name: _typed(row[column.source_name], column.logical_type)
            for column in contract.columns
            if column.source_name in row
        }
        for row in found
    ]


def _typed(text: str, logical_type: str) -> Any:
    if text == "":
        return None
    if logical_type == "number":
        return float(text)
    if logical_type == "boolean":
        return text == "true"
    return date.fromisoformat(text) if logical_type == "date" else text


def all_contracts() -> dict[str, Contract]:
    """Every contract of the repository, by raw table name."""
    return {one.name: one for one in load_contracts(REPOSITORY / "ingestion" / "systems")}
