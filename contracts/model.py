"""What a contract says, as frozen values: one `Contract` a raw table, one `Column` a column of its source.

The file format is the Open Data Contract Standard; `loading.py` is the only place that knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

LogicalType = Literal["string", "integer", "number", "boolean", "date", "timestamp"]


class ExtractMode(StrEnum):
    """How rows of a table come in.

    `stream` rows are points, alarms and tags of the collector and are never replaced. Every other mode writes
    a change log: the present state of a key is its row of the highest `_extract_sequence`.
    """

    STREAM = "stream"
    FULL = "full"
    CURSOR = "cursor"
    CURSOR_SWEEP = "cursor_sweep"
    SNAPSHOT_DIFF = "snapshot_diff"
    CHANGE_LOG = "change_log"
    MANUAL = "manual"


@dataclass(frozen=True)
class Code:
    """One permitted value of a column, with what it means."""

    value: str | int
    label_zh: str
    label_en: str


@dataclass(frozen=True)
class Column:
    """One column: what it holds, in which unit, under which name the source has it, who may see it."""

    name: str
    logical_type: LogicalType
    label_zh: str
    label_en: str
    grade: str  # 核心 | 重要 | 一般 (7.2.2 a)
    category: str  # 研发 | 生产 | 运维 | 管理 | 外部 (7.2.2 a)
    description: str = ""
    source_name: str = ""
    source_type: str | None = None
    required: bool = False
    key_position: int | None = None
    partition_position: int | None = None
    unit: str | None = None  # UCUM-like id; "1" is a count or ratio
    unit_column: str | None = None  # the column of the same row that holds the unit
    code_type: str | None = None  # values are local codes, mapped by code_mappings of this type
    codes: tuple[Code, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    source_format: str | None = None  # numbers: i8 … i64, f32, f64; instants: epoch_ms or yyyy/MM/dd HH:mm:ss
    source_zone: str | None = None  # the zone of a source timestamp that carries none
    references: str | None = None  # <system>.<table>.<column> of a register that lists the permitted values
    is_personal: bool = False
    is_derived: bool = False  # worked out while reading, so no one is asked to enter it


@dataclass(frozen=True)
class Contract:
    """One raw table: its columns, its key, how it is read, who answers for it and how long it is kept."""

    system_id: str
    table: str
    version: str
    label_zh: str
    label_en: str
    description: str
    grain: str
    owner: str
    category: str
    mode: ExtractMode
    columns: tuple[Column, ...]
    cadence_s: int
    retention_days: int
    source_name: str
    clauses: tuple[str, ...] = ()
    cursor: str | None = None
    overlap: int = 0  # seconds of a timestamp cursor, steps of an integer cursor
    operation: str | None = None  # change_log: the column that says what happened to the row
    delete_codes: tuple[str, ...] = ()  # change_log: its values that mean the row is gone
    least_share: float = 0.8  # a complete reading below this share of the last is not believed
    mass_balance_tolerance_pct: float | None = None  # of what went in; None: the table closes no balance
    path: Path | None = None

    @property
    def contract_id(self) -> str:
        """`<system>.<table>`, also the Delta application id of the table's extracts."""
        return f"{self.system_id}.{self.table}"

    @property
    def name(self) -> str:
        """The raw table's name, which is also the last part of its asset key."""
        return f"raw_{self.system_id}__{self.table}"

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Names of the key columns in their order."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(column.name for column in sorted(keyed, key=lambda column: column.key_position or 0))

    @property
    def partition_by(self) -> tuple[str, ...]:
        """Names of the partition columns in their order; streams are partitioned by plant date."""
        if self.mode is ExtractMode.STREAM:
            return ("source_date",)
        parted = [column for column in self.columns if column.partition_position is not None]
        return tuple(
            column.name for column in sorted(parted, key=lambda column: column.partition_position or 0)
        )

    def column(self, name: str) -> Column:
        """The column called `name`.

        Raises:
            KeyError: the contract has no such column; the message lists those it has.
        """
        for column in self.columns:
            if column.name == name:
                return column
        msg = f"{self.contract_id} has no column {name!r}; it has {[c.name for c in self.columns]}"
        raise KeyError(msg)
