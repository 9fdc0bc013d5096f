"""Landing a complete reading of a table: what changed, what is gone, and whether to believe it.

Shared by SQL tables read as a whole and by the site's registers.
"""

from __future__ import annotations

import pyarrow as pa

from contracts.model import ExtractMode
from ingestion.change_log import ChangeLog, Provenance, changed_rows, row_keys, vanished_rows
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.refused_readings import refuse_shrunken


def land_snapshot(
    log: ChangeLog, incoming: pa.Table, context: ExtractContext, *, source_file: str | None = None
) -> ExtractReport:
    """Land the difference between a complete reading and the present state, in one commit.

    Mode `full` lands every row again when anything differs: one `_extract_sequence` is the whole table.

    Raises:
        ShrunkenSourceError: far fewer rows than last time and nobody said that this is right.
    """
    contract = log.contract
    live = log.live()
    refuse_shrunken(contract, incoming, last=live.num_rows, context=context)
    upserts = changed_rows(incoming, log.latest(), contract)
    deletes = vanished_rows(live, row_keys(incoming, contract.primary_key))
    differs = bool(upserts.num_rows or deletes.num_rows)
    if differs and contract.mode is ExtractMode.FULL:
        upserts = incoming
    outcome = Outcome.LANDED if differs else Outcome.UNCHANGED
    if incoming.num_rows == 0:
        outcome = Outcome.EMPTY_SOURCE
    return land_changes(
        log, upserts, deletes, context, outcome=outcome, rows_read=incoming.num_rows, source_file=source_file
    )


def land_changes(
    log: ChangeLog,
    upserts: pa.Table,
    deletes: pa.Table,
    context: ExtractContext,
    *,
    outcome: Outcome,
    rows_read: int,
    watermark: str | None = None,
    source_file: str | None = None,
) -> ExtractReport:
    """One commit of changes, or none where there are none; the first makes the table even when empty."""
    sequence = log.last_sequence
    version = None
    if upserts.num_rows or deletes.num_rows or not log.exists:
        sequence += 1
        provenance = Provenance(sequence, context.clock.now(), context.run_id, watermark, source_file)
        version = log.append(upserts, deletes, provenance).delta_version
    return ExtractReport(
        table=log.contract.name,
        outcome=outcome,
        rows_read=rows_read,
        rows_upserted=upserts.num_rows,
        rows_deleted=deletes.num_rows,
        extract_sequence=sequence,
        delta_version=version,
        watermark=watermark,
    )
