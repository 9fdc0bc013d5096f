"""Extracting one SQL table in the mode its contract names; a run is one snapshot and one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.checks import Violation
from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog, changed_rows, row_keys, vanished_rows
from ingestion.connectors.sql import SqlSnapshot, open_snapshot
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.first_load import land_first, written
from ingestion.refused_readings import refuse_shrunken
from ingestion.snapshots import land_changes, land_snapshot
from ingestion.source_log import land_log
from ingestion.value_findings import record, require_contract, unknown_column


def extract_sql(
    contract: Contract, url: str, context: ExtractContext, *, connections: int = 1
) -> ExtractReport:
    """Read what changed in the source and land it.

    Args:
        contract: the table.
        url: where its source answers.
        context: lake, state, clock.
        connections: how many may read a table at the same time, where the database can share a snapshot.

    Raises:
        ContractBreachError: columns, types or keys are not what the contract says; nothing landed.
        ShrunkenSourceError: far fewer rows than last time; nothing landed.
        SourceUnavailableError: the source did not answer; the next run continues.
    """
    log = ChangeLog(contract, context.lake)
    with open_snapshot(url, contract, connections=connections) as source:
        warnings = [unknown_column(name) for name in source.unknown_columns()]
        if contract.mode is ExtractMode.CHANGE_LOG:
            report, odd = land_log(log, source, context)
            return _told(log, report, [*warnings, *odd], context, is_complete=False)
        if log.is_empty:
            report, odd = land_first(log, source, context)
            return _told(log, report, [*warnings, *odd], context, is_complete=True)
        has_cursor = contract.mode in {ExtractMode.CURSOR, ExtractMode.CURSOR_SWEEP}
        watermark = log.watermark(context.clock.now()) if has_cursor else None
        since = log.window_start(watermark) if watermark is not None else None
        incoming = source.read_rows(since=since)
        warnings += require_contract(incoming, contract)
        if not has_cursor:
            report = land_snapshot(log, incoming, context)
        else:
            report = _land_window(log, source, incoming, since, context)
    return _told(log, report, warnings, context, is_complete=since is None)


def _told(
    log: ChangeLog,
    report: ExtractReport,
    warnings: Sequence[Violation],
    context: ExtractContext,
    *,
    is_complete: bool,
) -> ExtractReport:
    record(log, warnings, context, is_complete=is_complete)
    return replace(report, warnings=tuple(str(warning) for warning in warnings))


def _land_window(
    log: ChangeLog, source: SqlSnapshot, incoming: pa.Table, since: Any, context: ExtractContext
) -> ExtractReport:
    """Land the new row versions of a window, and the deletions where the contract asks for a sweep."""
    contract = log.contract
    upserts = changed_rows(incoming, log.latest(since=since), contract)
    deletes = log.no_rows()
    if contract.mode is ExtractMode.CURSOR_SWEEP and since is not None:
        upserts, deletes = _sweep(log, source, upserts, context)
    outcome = Outcome.LANDED if upserts.num_rows or deletes.num_rows else Outcome.UNCHANGED
    if incoming.num_rows == 0 and outcome is Outcome.UNCHANGED:
        outcome = Outcome.EMPTY_SOURCE if source.is_empty() else Outcome.EMPTY_WINDOW
    now = context.clock.now()
    watermark = log.watermark_with(upserts, log.watermark(now), now)
    report = land_changes(
        log,
        upserts,
        deletes,
        context,
        outcome=outcome,
        rows_read=incoming.num_rows,
        watermark=written(watermark),
    )
    return _with_event_times(report, upserts, contract)


def _sweep(
    log: ChangeLog, source: SqlSnapshot, upserts: pa.Table, context: ExtractContext
) -> tuple[pa.Table, pa.Table]:
    """Compare all keys: ours that are gone were deleted; theirs that we lack came behind the window.

    The latter (a transaction open for longer than the overlap) are rare: the whole table is read then.
    """
    contract = log.contract
    live = log.live(columns=contract.primary_key)
    reading = source.read_keys()
    keys = row_keys(reading, contract.primary_key)
    refuse_shrunken(contract, reading, last=live.num_rows, context=context)
    gone = vanished_rows(live, keys)
    known = pa.chunked_array([*live["_row_key"].chunks, *row_keys(upserts, contract.primary_key).chunks])
    if pc.any(pc.invert(pc.is_in(keys, known.combine_chunks()))).as_py():
        incoming = source.read_rows()
        require_contract(incoming, contract)
        upserts = changed_rows(incoming, log.latest(), contract)
    deletes = vanished_rows(log.live(), keys) if gone.num_rows else log.no_rows()
    return upserts, deletes


def _with_event_times(report: ExtractReport, upserts: pa.Table, contract: Contract) -> ExtractReport:
    cursor = upserts[contract.cursor]
    if not pa.types.is_timestamp(cursor.type) or upserts.num_rows == 0:
        return report
    found = pc.min_max(cursor).as_py()
    return replace(report, first_event_at_utc=found["min"], last_event_at_utc=found["max"])
