"""Reading a source's own change log: an append-only table in which every row says what happened to another.

Every entry lands, so the history is complete to the single change. Entries of one extract stand in the order
of their cursor, which `_source_row` keeps. An entry that became visible late, behind one of the same row that
has landed already, lands before it: the landed one is repeated behind it and stays the present state.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import source_schema
from contracts.checks import Violation, check_rows
from ingestion.change_log import ChangeLog, row_hashes, row_keys
from ingestion.connectors.sql import SqlSnapshot
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import ContractBreachError
from ingestion.first_load import written
from ingestion.snapshots import land_changes


def land_log(
    log: ChangeLog, source: SqlSnapshot, context: ExtractContext
) -> tuple[ExtractReport, tuple[Violation, ...]]:
    """Land the entries that came since, in one commit with the cursor.

    Raises:
        ContractBreachError: columns or types are not what the contract says; nothing landed.
    """
    contract = log.contract
    now = context.clock.now()
    before = log.watermark(now)
    since = log.window_start(before) if before is not None else None
    incoming = source.read_rows(since=since)
    violations = check_rows(incoming, contract)
    blocking = [str(violation) for violation in violations if violation.is_blocking]
    if blocking:
        raise ContractBreachError(contract.name, blocking)
    fresh = _in_order(log, _not_landed(log, incoming, since))
    is_deletion = pc.is_in(fresh[contract.operation], pa.array(contract.delete_codes, pa.string()))
    outcome = Outcome.LANDED if fresh.num_rows else Outcome.UNCHANGED
    if incoming.num_rows == 0:
        outcome = Outcome.EMPTY_SOURCE if source.is_empty() else Outcome.EMPTY_WINDOW
    report = land_changes(
        log,
        fresh.filter(pc.invert(is_deletion)),
        fresh.filter(is_deletion),
        context,
        outcome=outcome,
        rows_read=incoming.num_rows,
        watermark=written(log.watermark_with(fresh, before, now)),
    )
    return report, violations


def _not_landed(log: ChangeLog, incoming: pa.Table, since: object) -> pa.Table:
    """The entries of the window that no extract has landed yet."""
    names = source_schema(log.contract).names
    known = set(row_hashes(log.versions(since=since), names))
    hashes = row_hashes(incoming, names)
    return incoming.filter(pl.Series([value not in known for value in hashes], dtype=pl.Boolean).to_arrow())


def _in_order(log: ChangeLog, fresh: pa.Table) -> pa.Table:
    """The entries by cursor, `_source_row` being their place; late ones before what they came behind."""
    cursor, primary_key = log.contract.cursor, log.contract.primary_key
    assert cursor is not None
    late = _overtaken(log, fresh) if fresh.num_rows else fresh
    ordered = pa.concat_tables([fresh, late]).sort_by(
        [*((name, "ascending") for name in primary_key), (cursor, "ascending")]
    )
    return ordered.append_column("_source_row", pa.array(range(ordered.num_rows), pa.int64()))


def _overtaken(log: ChangeLog, fresh: pa.Table) -> pa.Table:
    """The landed entries that are newer than a fresh entry of the same row."""
    contract = log.contract
    names = source_schema(contract).names
    keys = row_keys(fresh, contract.primary_key)
    latest = log.latest()
    earliest = (
        pa.table({"key": keys, "fresh": fresh[contract.cursor]}).group_by("key").aggregate([("fresh", "min")])
    )
    landed = pl.DataFrame(
        {
            "key": pl.Series(pl.from_arrow(latest["_row_key"]), dtype=pl.String),
            "landed": pl.Series(pl.from_arrow(latest[contract.cursor])),
        }
    ).with_row_index("row")
    first = pl.from_arrow(earliest)
    assert isinstance(first, pl.DataFrame)
    newer = landed.join(first, on="key").filter(pl.col("landed") > pl.col("fresh_min"))
    return latest.take(newer["row"].to_arrow()).select(names).cast(fresh.schema)
