"""The code mappings of a register that may land, and a finding for each that may not."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ingestion.change_log import ChangeLog
from ingestion.connectors.mapping_rules import RefusedMapping, judge_mappings
from ingestion.context import ExtractContext
from lake.findings import Finding, close_absent, open_finding

KIND = "refused_mapping"
MAPPINGS = "raw_site_register__code_mappings"


def sound_mappings(rows: pa.Table, log: ChangeLog) -> tuple[pa.Table, list[RefusedMapping]]:
    """The rows that may land, where need be with what stood before, and those that may not."""
    names = [column.name for column in log.contract.columns]
    standing = log.live().select(names).to_pylist() if log.exists else []
    kept, refused = judge_mappings(rows.to_pylist(), standing)
    return pa.Table.from_pylist([dict(row) for row in kept], schema=rows.schema), refused


def tell(log: ChangeLog, refused: Sequence[RefusedMapping], context: ExtractContext) -> None:
    """Open a finding for each refused mapping and close those of lines that were corrected."""
    now = context.clock.now()
    name, file = log.contract.name, log.contract.source_name
    with context.state.begin() as connection:
        keys = [open_finding(connection, _finding(name, file, one), now=now) for one in refused]
        close_absent(connection, KIND, keys, now=now, subject_prefix=f"{name}.")


def _finding(table: str, file: str, one: RefusedMapping) -> Finding:
    row = one.row
    meant = f"{row['source_system']} {row['code_type']} {row['source_code']} → {row['standard_code']}"
    return Finding(
        kind=KIND,
        subject=f"{table}.{one.subject}",
        severity="error",
        cause_zh=f"{file} 第 {one.line} 行（{meant}）被隔离：{one.reason_zh}",
        cause_en=f"{file}, line {one.line} ({meant}) is set aside: {one.reason_en}",
        remedy_zh="改正该行；下次抽取后入库并关闭本问题。在此之前，该映射此前的正确内容仍有效",
        remedy_en="Correct the line; the next extract lands it. Till then what it said before stands",
    )
