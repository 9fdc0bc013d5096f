"""Workbooks that people drop into the site's inbox: judged row by row, landed, answered, archived.

Each file goes through the same steps, every one harmless to repeat: land what is right, quarantine what is
wrong, open findings, write the answer, archive the original by its hash. So a run killed anywhere is finished
by the next, and the same file handed in twice is recognised whatever its name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.connectors.register import read_register
from ingestion.connectors.workbook_archive import Intake, answer, archive, inbox_files, was_archived
from ingestion.connectors.workbook_file import WorkbookFile, open_workbook, read_workbook_file
from ingestion.connectors.workbook_forms import Forms, read_rows
from ingestion.connectors.workbook_judgement import Judgement, as_table, judge, record_key
from ingestion.connectors.workbook_quarantine import (
    land_quarantine,
    land_refusal,
    note_unreadable,
    quarantined,
)
from ingestion.connectors.workbook_result import render_refusal, render_result
from ingestion.connectors.workbook_rows import Reading
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import PermanentError, RefusedFileError
from ingestion.registry import QUARANTINE, SystemSpec, load_registry
from ingestion.snapshots import land_changes


@dataclass(frozen=True)
class _Tables:
    """The two tables of a workbook system."""

    results: ChangeLog
    quarantine: ChangeLog


def extract_workbooks(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Take in every workbook of the system's inbox; the report is about `table`.

    Both tables of the system are fed by the same files, so whichever is asked for first takes them in.

    Raises:
        PermanentError: the system's folder does not describe one table of results and one quarantine.
    """
    tables = _tables(system, context)
    intake = Intake.of(system.system_id, context)
    reports = {
        log.contract.table: land_changes(
            log, log.no_rows(), log.no_rows(), context, outcome=Outcome.EMPTY_WINDOW, rows_read=0
        )
        for log in (tables.results, tables.quarantine)
    }
    unreadable: dict[str, RefusedFileError] = {}
    for path in inbox_files(intake.inbox):
        try:
            file = read_workbook_file(path)
        except RefusedFileError as reason:
            unreadable[path.name] = reason
            continue
        taken = _take_in(file, system, tables, intake, context)
        archive(file, path, intake)
        reports = {name: _added(report, taken.get(name)) for name, report in reports.items()}
    note_unreadable(system.system_id, unreadable, context)
    return reports[table]


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
    try:
        rows = read_rows(
            open_workbook(file, values_only=True), tables.results.contract, Forms.of_system(system.folder)
        )
    except RefusedFileError as reason:
        answer(file, render_refusal(file.name, reason), intake)
        return {QUARANTINE: land_refusal(tables.quarantine, file, reason, context)}
    reading = Reading(
        contract=tables.results.contract,
        forms=Forms.of_system(system.folder),
        known=_registered(tables.results.contract, context),
        now=context.clock.now(),
    )
    judgement = judge(rows, tables.results.live(), reading)
    landed = _land_accepted(file, judgement, tables.results, context)
    results = tables.results.contract
    kept = {record_key(row, results) for row in (*judgement.accepted, *judgement.known)}
    set_aside = land_quarantine(tables.quarantine, file, quarantined(judgement, results), kept, context)
    answer(file, render_result(file, judgement), intake)
    landed = replace(landed, rows_read=len(rows), rows_quarantined=len(judgement.refused))
    return {results.table: landed, QUARANTINE: set_aside}


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


def _added(report: ExtractReport, more: ExtractReport | None) -> ExtractReport:
    """The report of one more file added to those before."""
    if more is None:
        return report
    return replace(
        more,
        outcome=Outcome.LANDED if Outcome.LANDED in {report.outcome, more.outcome} else more.outcome,
        rows_read=report.rows_read + more.rows_read,
        rows_upserted=report.rows_upserted + more.rows_upserted,
        rows_quarantined=report.rows_quarantined + more.rows_quarantined,
        delta_version=more.delta_version if more.delta_version is not None else report.delta_version,
    )


def _tables(system: SystemSpec, context: ExtractContext) -> _Tables:
    results = [contract for contract in system.tables if contract.table != QUARANTINE]
    if len(results) != 1 or len(system.tables) != 2:
        found = [contract.table for contract in system.tables]
        msg = f"{system.system_id}: found tables {found}, expected one of results and {QUARANTINE!r}"
        raise PermanentError(msg)
    return _Tables(ChangeLog(results[0], context.lake), ChangeLog(system.contract(QUARANTINE), context.lake))


def _registered(contract: Contract, context: ExtractContext) -> dict[str, frozenset[str]]:
    """The permitted values of columns that refer to a register of the site, read from the register itself."""
    referring = {column.name: column.references for column in contract.columns if column.references}
    if not referring:
        return {}
    systems = {system.system_id: system for system in load_registry(context.site_dir)}
    known = {}
    for name, reference in referring.items():
        system_id, table, column = reference.split(".")
        if system_id not in systems:
            msg = f"{contract.name}.{name} refers to {reference}, but the site has no system {system_id!r}"
            raise PermanentError(msg)
        register = systems[system_id].contract(table)
        rows = read_register(context.site_dir / register.source_name, register)
        known[name] = frozenset(rows[column].to_pylist())
    return known
