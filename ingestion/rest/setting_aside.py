"""Records of an interface that do not fit: quarantined with a finding, once for each content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from contracts.arrow import source_schema
from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.connectors.workbook_quarantine import ROW_KIND, QuarantinedRow
from ingestion.context import ExtractContext, Outcome
from ingestion.snapshots import land_changes
from lake.findings import Finding, close_absent, close_finding, open_finding

_MOST_FINDINGS = 50


def set_aside(
    quarantine: ChangeLog,
    contract: Contract,
    refused: Mapping[str, QuarantinedRow],
    context: ExtractContext,
    *,
    is_complete: bool,
    landed: set[str],
) -> int:
    """Land what does not fit and tell it; close what fits again.

    Args:
        quarantine: the system's table of rows set aside.
        contract: the table they were meant for.
        refused: the records, by content.
        context: state store and clock.
        is_complete: whether every record of the source was looked at.
        landed: keys of the records that fitted.

    Returns:
        How many records do not fit now.
    """
    now = context.clock.now()
    rows = [_row(contract, row, now) for row in refused.values()]
    known = set(quarantine.live(columns=quarantine.contract.primary_key)["_row_key"].to_pylist())
    fresh = [row for row in rows if row["quarantine_id"] not in known]
    land_changes(
        quarantine,
        pa.Table.from_pylist(fresh, schema=source_schema(quarantine.contract)),
        quarantine.no_rows(),
        context,
        outcome=Outcome.LANDED if fresh else Outcome.UNCHANGED,
        rows_read=len(rows),
    )
    prefix = f"{contract.contract_id}/"
    with context.state.begin() as connection:
        for key in sorted(landed)[: 0 if is_complete else None]:
            close_finding(connection, f"{ROW_KIND}:{prefix}{key}", now=now)
        keys = [open_finding(connection, _finding(contract, row), now=now) for row in rows[:_MOST_FINDINGS]]
        if is_complete:
            close_absent(connection, ROW_KIND, keys, now=now, subject_prefix=prefix)
    return len(rows)


def _row(contract: Contract, row: QuarantinedRow, now: object) -> dict[str, Any]:
    content = json.dumps(dict(row.written), ensure_ascii=False)
    sha256 = hashlib.sha256(f"{contract.table}\0{content}".encode(errors="replace")).hexdigest()
    return {
        "quarantine_id": f"{contract.table}:{sha256[:24]}",
        "file_name": contract.table,
        "file_sha256": sha256,
        "sheet_name": "",
        "row_number": row.place,
        "record_key": row.key,
        "row_json": content,
        "reasons_zh": "；".join(fault.reason_zh for fault in row.faults),
        "reasons_en": "; ".join(fault.reason_en for fault in row.faults),
        "received_at_utc": now,
        "submitted_by": contract.system_id,
    }


def _finding(contract: Contract, row: Mapping[str, Any]) -> Finding:
    which = row["record_key"] or row["file_sha256"][:12]
    return Finding(
        kind=ROW_KIND,
        subject=f"{contract.contract_id}/{which}",
        severity="warning",
        cause_zh=f"{contract.label_zh}：接口记录 {which} 未入库：{row['reasons_zh']}",
        cause_en=f"{contract.label_en}: record {which} of the interface did not land: {row['reasons_en']}",
        remedy_zh=f"在来源系统更正，或由 {contract.owner} 修改合同；下次提取自动入库并关闭",
        remedy_en=f"Correct it in the source, or let {contract.owner} change the contract",
    )
