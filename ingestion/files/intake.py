"""Files of a system's drop folder: read, judged row by row, landed, answered, moved away.

Every step is harmless to repeat, so a run killed anywhere is finished by the next. A file that cannot be read
stops no other; a row that cannot be read stops no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog
from ingestion.connectors.workbook_file import WorkbookFile, read_workbook_file, readable_name
from ingestion.connectors.workbook_quarantine import (
    land_quarantine,
    land_refusal,
    note_unreadable,
)
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import PermanentError, RefusedFileError, ShrunkenSourceError
from ingestion.files.drop_folder import DropFolder, kept_name, whole_files
from ingestion.files.judging import RefusedRecord, judge_records
from ingestion.files.layout import TableLayout, layouts_of
from ingestion.files.opening import MAX_FILE_BYTES, open_reading
from ingestion.files.quarantined import as_quarantined, keys_of
from ingestion.files.records import Reading
from ingestion.files.returned import REASON_ENDING, ROWS_ENDING, render_reason, render_rows
from ingestion.files.settling import MODES, new_rows, settle
from ingestion.registry import QUARANTINE, SystemSpec
from ingestion.snapshots import land_changes, land_snapshot

MAX_REFUSED = 100_000  # of one file; more is no file with odd rows but another file


@dataclass(frozen=True)
class _Drop:
    """All that one run needs to know of a system."""

    folder: DropFolder
    layouts: Mapping[str, TableLayout]
    logs: Mapping[str, ChangeLog]
    quarantine: ChangeLog
    context: ExtractContext

    def table_of(self, name: str) -> str:
        """The table that a file name belongs to.

        Raises:
            RefusedFileError: it belongs to none or to several.
        """
        fitting = [table for table, layout in self.layouts.items() if layout.fits(name)]
        if len(fitting) != 1:
            patterns = ", ".join(f"{table}: {layout.pattern}" for table, layout in self.layouts.items())
            found_zh, found_en = ("多个", "several tables") if fitting else ("任何", "no table")
            raise RefusedFileError(
                reason_zh=f"文件名不能唯一对应一张表（符合{found_zh}）；各表的文件名：{patterns}",
                reason_en=f"the file name fits {found_en}; expected one of {patterns}",
            )
        return fitting[0]

    def layout_of(self, name: str) -> TableLayout | None:
        """The layout of a file name; None where the name is of no table."""
        return next((layout for layout in self.layouts.values() if layout.fits(name)), None)


@dataclass(frozen=True)
class _Read:
    """A file read to its end."""

    reading: Reading
    rows: pa.Table
    refused: tuple[RefusedRecord, ...]


def extract_files(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Take in every whole file of the system's drop folder; the report is about `table`.

    All tables of the system are fed by the same folder, so whichever is asked for first takes in all.

    Raises:
        PermanentError: the system's files disagree with its contracts.
        ShrunkenSourceError: a complete file has far fewer rows than the last; it waits in the inbox.
    """
    drop = _drop_of(system, context)
    reports = {
        log.contract.table: land_changes(
            log, log.no_rows(), log.no_rows(), context, outcome=Outcome.EMPTY_WINDOW, rows_read=0
        )
        for log in (*drop.logs.values(), drop.quarantine)
    }
    paths, strange = whole_files(drop.folder, drop.layout_of)
    shrunken: ShrunkenSourceError | None = None
    for path in paths:
        try:
            file = read_workbook_file(path, most=MAX_FILE_BYTES)
        except RefusedFileError as reason:
            strange[readable_name(path)] = reason
            continue
        try:
            taken, is_refused = _take_in(file, drop)
        except ShrunkenSourceError as error:
            shrunken = error
            continue
        drop.folder.finish(file, path, is_refused=is_refused)
        reports = {name: report.with_more(taken.get(name)) for name, report in reports.items()}
    note_unreadable(system.system_id, strange, context)
    if shrunken is not None:
        raise shrunken
    return reports[table]


def _drop_of(system: SystemSpec, context: ExtractContext) -> _Drop:
    contracts = {contract.table: contract for contract in system.tables if contract.table != QUARANTINE}
    for contract in contracts.values():
        if contract.mode not in MODES:
            allowed = ", ".join(mode.value for mode in MODES)
            msg = f"{contract.contract_id}: extractMode {contract.mode} is none of files; use {allowed}"
            raise PermanentError(msg)
    return _Drop(
        folder=DropFolder.of(system.system_id, context),
        layouts=layouts_of(system.folder, list(contracts)),
        logs={table: ChangeLog(contract, context.lake) for table, contract in contracts.items()},
        quarantine=ChangeLog(system.contract(QUARANTINE), context.lake),
        context=context,
    )


def _take_in(file: WorkbookFile, drop: _Drop) -> tuple[dict[str, ExtractReport], bool]:
    """Land one file; a report for each table it touched, and whether the file as a whole was refused."""
    try:
        table = drop.table_of(file.name)
        contract = drop.logs[table].contract
        if contract.mode is not ExtractMode.SNAPSHOT_DIFF and drop.folder.taken_before(file):
            return {}, False
        found = _read(file, contract, drop.layouts[table])
    except RefusedFileError as reason:
        drop.folder.tell(file, REASON_ENDING, render_reason(file, reason))
        return {QUARANTINE: land_refusal(drop.quarantine, file, reason, drop.context)}, True
    settled = settle(found.rows, contract)
    refused = sorted((*found.refused, *settled.refused), key=lambda one: one.record.place)
    told = [as_quarantined(one, found.reading, contract) for one in refused]
    landed = _land(settled.rows, file, drop.logs[table], drop.context, is_whole=not refused)
    set_aside = land_quarantine(drop.quarantine, file, told, keys_of(settled.rows, contract), drop.context)
    if told:
        drop.folder.tell(file, ROWS_ENDING, render_rows(told, found.reading.headings))
    rows_read = found.rows.num_rows + len(found.refused)
    unknown = tuple(f"{file.name}: column {name!r} is not in the contract" for name in found.reading.unknown)
    landed = replace(landed, rows_read=rows_read, rows_quarantined=len(told), warnings=unknown)
    return {table: landed, QUARANTINE: set_aside}, False


def _read(file: WorkbookFile, contract: Contract, layout: TableLayout) -> _Read:
    """The file to its end.

    Raises:
        RefusedFileError: it cannot be read, or nearly nothing of it is right.
    """
    reading = open_reading(file, contract, layout)
    blocks: list[pa.Table] = []
    refused: list[RefusedRecord] = []
    for block in judge_records(reading, contract):
        blocks.append(block.rows)
        refused += block.refused
        if len(refused) > MAX_REFUSED:
            first = refused[0].faults[0]
            raise RefusedFileError(
                reason_zh=f"超过 {MAX_REFUSED} 行不合要求，整个文件未入库；例如：{first.reason_zh}",
                reason_en=f"more than {MAX_REFUSED} rows are wrong, so none landed: {first.reason_en}",
            )
    if not blocks:
        raise RefusedFileError(
            reason_zh=f"表头下没有数据行（{reading.form}）",
            reason_en=f"no rows below the headings ({reading.form})",
        )
    return _Read(reading, pa.concat_tables(blocks), tuple(refused))


def _land(
    rows: pa.Table, file: WorkbookFile, log: ChangeLog, context: ExtractContext, *, is_whole: bool
) -> ExtractReport:
    """A complete file replaces the state, unless rows of it are refused: those must not count as deleted."""
    source_file = kept_name(file)
    if log.contract.mode is ExtractMode.SNAPSHOT_DIFF and is_whole:
        return land_snapshot(log, rows, context, source_file=source_file)
    fresh = new_rows(rows, log)
    outcome = Outcome.LANDED if fresh.num_rows else Outcome.UNCHANGED
    return land_changes(
        log, fresh, log.no_rows(), context, outcome=outcome, rows_read=rows.num_rows, source_file=source_file
    )
