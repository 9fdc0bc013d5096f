"""What becomes of refused rows and files: a row of the quarantine table, and a finding for a person."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.arrow import source_schema
from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.connectors.workbook_cells import CellFault
from ingestion.connectors.workbook_file import WorkbookFile
from ingestion.connectors.workbook_judgement import Judgement, record_key
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import RefusedFileError
from ingestion.snapshots import land_changes
from lake.findings import Finding, close_absent, close_finding, open_finding

ROW_KIND = "quarantined_row"
FILE_KIND = "refused_file"
INBOX_KIND = "unreadable_inbox_entry"
_MOST_FINDINGS = (
    50  # of one file; a workbook that is wrong throughout needs one person, not a thousand findings
)


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that cannot land: where it stands, what it would have been, and why not.

    Attributes:
        sheet: of a workbook; empty for other files.
        place: its row, line or count in the file, from 1.
        key: of the record it would have been; None where a part of it cannot be read.
        written: its texts under their headings.
        faults: the reasons.
    """

    sheet: str
    place: int
    key: str | None
    written: Mapping[str, str]
    faults: Sequence[CellFault]


def quarantined(judgement: Judgement, results: Contract) -> list[QuarantinedRow]:
    """The refused rows of a workbook."""
    return [
        QuarantinedRow(
            row.row.sheet, row.row.row_number, record_key(row, results), row.row.written, row.faults
        )
        for row in judgement.refused
    ]


def land_quarantine(
    log: ChangeLog,
    file: WorkbookFile,
    refused: Sequence[QuarantinedRow],
    landed: Collection[str | None],
    context: ExtractContext,
    submitted_by: str | None = None,
    replaces: tuple[str, str] | None = None,
) -> ExtractReport:
    """Land the refused rows, open their findings, and close those whose record has landed since.

    Args:
        log: the quarantine table.
        file: where the rows stand.
        refused: the rows.
        landed: keys of the records of the file that are in the lake.
        context: state store and clock.
        submitted_by: who handed the file in; its owner by default.
        replaces: name and hash of the file whose answer this is, corrected: its rows are judged anew here.
    """
    now = context.clock.now()
    rows = [
        {
            "quarantine_id": f"{file.sha256[:16]}:{row.sheet}:{row.place}",
            "file_name": file.name,
            "file_sha256": file.sha256,
            "sheet_name": row.sheet,
            "row_number": row.place,
            "record_key": row.key,
            "row_json": json.dumps(dict(row.written), ensure_ascii=False),
            "reasons_zh": "；".join(fault.reason_zh for fault in row.faults),
            "reasons_en": "; ".join(fault.reason_en for fault in row.faults),
            "received_at_utc": now,
            "submitted_by": submitted_by or file.owner,
        }
        for row in refused
    ]
    report = _land(log, rows, file, context)
    known = log.live(columns=["file_name", "file_sha256", "sheet_name", "row_number", "record_key"])
    resolved = [row for row in known.to_pylist() if row["record_key"] in landed and row["record_key"]]
    with context.state.begin() as connection:
        # A file of this name was refused as a whole, and now one is read.
        close_absent(
            connection, FILE_KIND, [], now=now, subject_prefix=f"{log.contract.system_id}/{file.name}/"
        )
        if replaces is not None:
            name, sha256 = replaces
            prefix = f"{log.contract.system_id}/{name}/{sha256[:8]}"
            close_absent(connection, ROW_KIND, [], now=now, subject_prefix=prefix)
        for row in resolved:
            close_finding(connection, f"{ROW_KIND}:{_subject(log, row)}", now=now)
        for row in rows[:_MOST_FINDINGS]:
            open_finding(connection, _row_finding(_subject(log, row), row), now=now)
        if len(rows) > _MOST_FINDINGS:
            open_finding(connection, _summary(log, file, len(rows)), now=now)
    return report


def land_refusal(
    log: ChangeLog, file: WorkbookFile, reason: RefusedFileError, context: ExtractContext
) -> ExtractReport:
    """Land a file that could not be read as one quarantined row, numbered 0."""
    now = context.clock.now()
    row = {
        "quarantine_id": f"{file.sha256[:16]}::0",
        "file_name": file.name,
        "file_sha256": file.sha256,
        "sheet_name": "",
        "row_number": 0,
        "record_key": None,
        "row_json": "{}",
        "reasons_zh": reason.reason_zh,
        "reasons_en": reason.reason_en,
        "received_at_utc": now,
        "submitted_by": file.owner,
    }
    report = _land(log, [row], file, context)
    with context.state.begin() as connection:
        subject = f"{log.contract.system_id}/{file.name}/{file.sha256[:8]}"
        open_finding(connection, _file_finding(FILE_KIND, subject, file.name, reason), now=now)
    return report


def note_unreadable(system_id: str, reasons: Mapping[str, RefusedFileError], context: ExtractContext) -> None:
    """Findings for inbox entries that cannot even be archived; closed when the entry is gone."""
    now = context.clock.now()
    with context.state.begin() as connection:
        keys = [
            open_finding(connection, _file_finding(INBOX_KIND, f"{system_id}/{name}", name, reason), now=now)
            for name, reason in reasons.items()
        ]
        close_absent(connection, INBOX_KIND, keys, now=now, subject_prefix=f"{system_id}/")


def _land(
    log: ChangeLog, rows: list[dict[str, Any]], file: WorkbookFile, context: ExtractContext
) -> ExtractReport:
    """Rows known from an earlier, killed run are not landed twice: only the time of receipt would differ."""
    schema = source_schema(log.contract)
    known = set(log.live(columns=log.contract.primary_key)["_row_key"].to_pylist())
    fresh = [row for row in rows if row["quarantine_id"] not in known]
    table = pa.Table.from_pylist(fresh, schema=schema)
    return land_changes(
        log,
        table,
        log.no_rows(),
        context,
        outcome=Outcome.LANDED if fresh else Outcome.UNCHANGED,
        rows_read=len(rows),
        source_file=file.archive_name,
    )


def _subject(log: ChangeLog, row: Mapping[str, Any]) -> str:
    place = f"{row['file_name']}/{row['file_sha256'][:8]}/{row['sheet_name']}"
    return f"{log.contract.system_id}/{place}/{row['row_number']}"


def _row_finding(subject: str, row: Mapping[str, Any]) -> Finding:
    place_zh = f"{row['file_name']} 工作表“{row['sheet_name']}”第 {row['row_number']} 行"
    place_en = f"{row['file_name']}, sheet {row['sheet_name']!r}, row {row['row_number']}"
    return Finding(
        kind=ROW_KIND,
        subject=subject,
        severity="warning",
        cause_zh=f"{place_zh}：{row['reasons_zh']}",
        cause_en=f"{place_en}: {row['reasons_en']}",
        remedy_zh="改正该行后用新文件重新提交；若样品已入库，须填写更正原因和更正人",
        remedy_en="Correct the row, hand it in with a new file, with reason and author if the sample landed",
    )


def _file_finding(kind: str, subject: str, name: str, reason: RefusedFileError) -> Finding:
    return Finding(
        kind=kind,
        subject=subject,
        severity="error",
        cause_zh=f"文件 {name} 被拒收：{reason.reason_zh}",
        cause_en=f"File {name} was refused: {reason.reason_en}",
        remedy_zh="按原因处理后重新提交，并从收件目录移走无法读取的文件",
        remedy_en="Do as the reason says and hand it in again; take unreadable entries out of the inbox",
    )


def _summary(log: ChangeLog, file: WorkbookFile, count: int) -> Finding:
    return Finding(
        kind=ROW_KIND,
        subject=f"{log.contract.system_id}/{file.name}/{file.sha256[:8]}",
        severity="error",
        cause_zh=f"文件 {file.name} 有 {count} 行被隔离，只逐行列出前 {_MOST_FINDINGS} 行",
        cause_en=f"File {file.name} has {count} quarantined rows; the first {_MOST_FINDINGS} are listed",
        remedy_zh="全部原因见结果工作簿与隔离表；改正后用新文件重新提交",
        remedy_en="All reasons are in the result workbook and the quarantine table; hand in a corrected file",
    )
