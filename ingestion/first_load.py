"""The first extract of a SQL table: every row, streamed from the source into one commit.

There is nothing to compare with, so rows are judged as they pass and never held: a table of any size is
brought in within a bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import pyarrow as pa

from contracts.checks import Violation
from ingestion.change_log import UPSERT, ChangeLog, Provenance
from ingestion.connectors.sql import SqlSnapshot
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.judging import PassingTable
from ingestion.value_findings import require_contract


def land_first(
    log: ChangeLog, source: SqlSnapshot, context: ExtractContext
) -> tuple[ExtractReport, tuple[Violation, ...]]:
    """Land the whole source, and what its contract has to say about it.

    Raises:
        ContractBreachError: columns, types or keys are not what the contract says; nothing landed.
    """
    now = context.clock.now()
    watermark = written(source.newest_cursor(now)) if log.contract.cursor is not None else None
    provenance = Provenance(log.last_sequence + 1, now, context.run_id, watermark)
    passing = PassingTable(log.contract)
    appended = log.append_batches(_judged(log, source, passing, provenance), provenance)
    is_instant = isinstance(passing.latest, datetime)
    report = ExtractReport(
        table=log.contract.name,
        outcome=Outcome.LANDED if passing.rows else Outcome.EMPTY_SOURCE,
        rows_read=passing.rows,
        rows_upserted=passing.rows,
        rows_deleted=0,
        extract_sequence=provenance.sequence,
        delta_version=appended.delta_version,
        watermark=watermark,
        first_event_at_utc=passing.earliest if is_instant else None,
        last_event_at_utc=passing.latest if is_instant else None,
    )
    return report, passing.violations


def _judged(
    log: ChangeLog, source: SqlSnapshot, passing: PassingTable, provenance: Provenance
) -> Iterator[pa.RecordBatch]:
    """The rows as they are stored; raises at the latest after the last one, before the commit."""
    with closing(source.batches()) as batches:
        for batch in batches:
            [stamped] = log.stamped(pa.table(batch), UPSERT, provenance).to_batches() or [None]
            if stamped is not None:
                passing.look(batch, stamped.column("_row_key"))
                yield stamped
    if passing.has_repeated_keys:
        # Keys that only look alike pass this second, exact look.
        require_contract(source.read_rows(), log.contract)


def written(watermark: Any) -> str | None:
    """A watermark as a commit keeps it."""
    if watermark is None:
        return None
    return watermark.isoformat() if isinstance(watermark, datetime) else str(watermark)
