"""Landing a window of a table that has a cursor, with its overlap, and the sweep that finds deletions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog, changed_rows, row_keys, vanished_rows
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.first_load import written
from ingestion.refused_readings import refuse_shrunken
from ingestion.snapshots import land_changes
from ingestion.value_findings import require_contract


class Source(Protocol):
    """A table that can be read whole, from a cursor on, or by its keys alone."""

    def read_rows(self, *, since: Any = None) -> pa.Table:
        """The rows in the contract's types; only those whose cursor is at least `since`."""

    def read_keys(self) -> pa.Table:
        """The key columns of every row."""

    def is_empty(self) -> bool:
        """Whether there is no row at all."""


def land_window(
    log: ChangeLog, source: Source, incoming: pa.Table, since: Any, context: ExtractContext
) -> ExtractReport:
    """Land the new row versions of a window, and the deletions where the contract asks for a sweep.

    Args:
        log: what landed so far.
        source: asked for keys and, where some came behind the window, for all rows.
        incoming: the rows of the window.
        since: where the window begins; None for all rows.
        context: lake, state and clock.

    Raises:
        ShrunkenSourceError: a sweep finds far fewer keys than last time; nothing landed.
    """
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
    log: ChangeLog, source: Source, upserts: pa.Table, context: ExtractContext
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
