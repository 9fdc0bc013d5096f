"""Workbooks that people drop into the site's inbox: judged row by row, landed, answered, archived.

Each file goes through the same steps, every one harmless to repeat: land what is right, quarantine what is
wrong, open findings, write the answer, archive the original by its hash. So a run killed anywhere is finished
by the next, and the same file handed in twice is recognised whatever its name.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from openpyxl import Workbook

from ingestion.change_log import ChangeLog
from ingestion.connectors.registered import registered_values
from ingestion.connectors.workbook_archive import Intake, answer, archive, inbox_files, was_archived
from ingestion.connectors.workbook_file import WorkbookFile, open_workbook, read_workbook_file, readable_name
from ingestion.connectors.workbook_forms import Forms, read_rows, submitter, template_of
from ingestion.connectors.workbook_judgement import CORRECTION, Judgement, as_table, judge, record_key
from ingestion.connectors.workbook_quarantine import (
    land_quarantine,
    land_refusal,
    note_unreadable,
    quarantined,
)
from ingestion.connectors.workbook_result import answered_file, render_refusal, render_result
from ingestion.connectors.workbook_rows import Reading
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import PermanentError, RefusedFileError
from ingestion.files.drop_folder import settled
from ingestion.registry import QUARANTINE, SystemSpec
from ingestion.snapshots import land_changes

_SETTLE_S = 3.0  # of a file that is no whole workbook yet, or none at all


@dataclass(frozen=True)
class _Tables:
    """The tables of a workbook system: what people fill in, by contract, and the rows set aside."""

    filled: Mapping[str, ChangeLog]
    quarantine: ChangeLog

    def of(self, book: Workbook) -> ChangeLog:
        """The table whose template the workbook is; the only one where there is one.

        Raises:
            RefusedFileError: it is no template, or of another system, and there are several tables.
        """
        said = template_of(book) or ""
        if said in self.filled:
            return self.filled[said]
        if len(self.filled) == 1:
            return next(iter(self.filled.values()))
        expected = ", ".join(self.filled)
        raise RefusedFileError(
            reason_zh=f"文件不是本系统的模板（{said or '无合同标识'}）；应为其中之一：{expected}",
            reason_en=f"the file is no template of this system ({said or 'no contract named'}); "
            f"expected one of {expected}",
        )


def extract_workbooks(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Take in every workbook of the system's inbox; the report is about `table`.

    All tables of the system are fed by the same files, so whichever is asked for first takes them in.

    Raises:
        PermanentError: a table has no columns for corrections, or there is none to fill in.
    """
    tables = _tables(system, context)
    intake = Intake.of(system.system_id, context)
    reports = {
        log.contract.table: land_changes(
            log, log.no_rows(), log.no_rows(), context, outcome=Outcome.EMPTY_WINDOW, rows_read=0
        )
        for log in (*tables.filled.values(), tables.quarantine)
    }
    unreadable: dict[str, RefusedFileError] = {}
    for path in _whole(inbox_files(intake.inbox)):
        try:
            file = read_workbook_file(path)
        except RefusedFileError as reason:
            unreadable[readable_name(path)] = reason
            continue
        taken = _take_in(file, system, tables, intake, context)
        archive(file, path, intake)
        reports = {name: report.with_more(taken.get(name)) for name, report in reports.items()}
    note_unreadable(system.system_id, unreadable, context)
    return reports[table]


def _whole(paths: list[Path]) -> list[Path]:
    """All but files that are still being copied: the directory of a workbook stands at its end."""
    regular = [path for path in paths if path.is_file() and not path.is_symlink()]
    copied = set(settled(regular, lambda path: 0.0 if zipfile.is_zipfile(path) else _SETTLE_S))
    return [path for path in paths if path in copied or path not in regular]


def _take_in(
    file: WorkbookFile, system: SystemSpec, tables: _Tables, intake: Intake, context: ExtractContext
) -> dict[str, ExtractReport]:
    """Land one file and answer it; a report for each table it touched."""
    earlier = was_archived(file, intake)
    if earlier is not None:
        again = RefusedFileError(
            reason_zh=f"与已收到的文件 {earlier} 完全相同，未重复处理",
            reason_en=f"it is the very file {earlier} that was received before; not processed again",
        )
        answer(file, render_refusal(file.name, again), intake)
        return {}
    forms = Forms.of_system(system.folder)
    try:
        book = open_workbook(file, values_only=True)
        log = tables.of(book)
        rows = read_rows(book, log.contract, forms)
    except RefusedFileError as reason:
        answer(file, render_refusal(file.name, reason), intake)
        return {QUARANTINE: land_refusal(tables.quarantine, file, reason, context)}
    contract = log.contract
    reading = Reading(
        contract=contract,
        forms=forms,
        known=registered_values(contract, context.site_dir),
        now=context.clock.now(),
        submitted_by=submitter(book, file),
        epoch=book.epoch,
    )
    judgement = judge(rows, log.live(), reading)
    replaces = answered_file(book)
    landed = _land_accepted(file, judgement, log, context)
    kept = {record_key(row, contract) for row in (*judgement.accepted, *judgement.known)}
    aside = quarantined(judgement, contract)
    set_aside = land_quarantine(tables.quarantine, file, aside, kept, context, reading.submitted_by, replaces)
    answer(file, render_result(file, judgement, reading), intake)
    landed = replace(landed, rows_read=len(rows), rows_quarantined=len(judgement.refused))
    return {contract.table: landed, QUARANTINE: set_aside}


def _land_accepted(
    file: WorkbookFile, judgement: Judgement, log: ChangeLog, context: ExtractContext
) -> ExtractReport:
    rows = as_table(judgement.accepted, log.contract).append_column(
        "_source_row", pa.array([row.row.row_number for row in judgement.accepted], pa.int64())
    )
    return land_changes(
        log,
        rows,
        log.no_rows(),
        context,
        outcome=Outcome.LANDED if rows.num_rows else Outcome.UNCHANGED,
        rows_read=rows.num_rows,
        source_file=file.archive_name,
    )


def _tables(system: SystemSpec, context: ExtractContext) -> _Tables:
    contracts = [contract for contract in system.tables if contract.table != QUARANTINE]
    for contract in contracts:
        missing = [name for name in CORRECTION if name not in {column.name for column in contract.columns}]
        if missing:
            msg = (
                f"{contract.contract_id}: people correct what they filled in, but there is no column "
                f"{', '.join(missing)}; add it to the contract as a string that may be empty"
            )
            raise PermanentError(msg)
    if not contracts:
        msg = f"{system.system_id}: found the table {QUARANTINE!r} alone; add the contract people fill in"
        raise PermanentError(msg)
    return _Tables(
        {contract.contract_id: ChangeLog(contract, context.lake) for contract in contracts},
        ChangeLog(system.contract(QUARANTINE), context.lake),
    )
