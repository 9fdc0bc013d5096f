"""Extracting one SQL table in the mode its contract names; a run is one snapshot and one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.checks import Violation
from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog
from ingestion.connectors.sql import open_snapshot
from ingestion.context import ExtractContext, ExtractReport
from ingestion.first_load import land_first
from ingestion.snapshots import land_snapshot
from ingestion.source_log import land_log
from ingestion.value_findings import record, require_contract, unknown_column
from ingestion.windows import land_window


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
            report = land_window(log, source, incoming, since, context)
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
