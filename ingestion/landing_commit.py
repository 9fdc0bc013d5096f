"""One batch of a stream into its raw table and the state store, exactly once; the caller holds the lease."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import landing_state
from ingestion.gateway.receiver import Gap
from ingestion.hot_rules import tag_rules
from ingestion.landing_pair import reached_by_sibling, without_doubles
from ingestion.landing_rows import EVENT_COLUMN, PARTITION, STORAGE, raw_rows, raw_stream_schema
from ingestion.landing_spec import Landed, LandingSpec, ReadSegment
from ingestion.outlet_moments import Tag, TagRule
from ingestion.outlets import Outlet
from lake import tables
from lake.layout import LakePaths
from lake.statistics import INSTANT_STEP, newest
from lake.tables import AppendReport
from protocols.pair_streams import family_of


def raw_table(lake: LakePaths, stream: str) -> Path:
    """The raw table of a stream `<system_id>.<kind>`; both collectors of a pair have the same."""
    system_id, _, kind = family_of(stream).rpartition(".")
    return lake.table("raw", f"raw_{system_id}__{kind}")


def stored_tag_rules(lake: LakePaths, outlets: Iterable[Outlet]) -> dict[Tag, TagRule]:
    """What the tag tables landed so far say about the systems of these outlets."""
    rules: dict[Tag, TagRule] = {}
    for system_id in {point.system_id for outlet in outlets for point in outlet.points}:
        path = raw_table(lake, f"{system_id}.tags")
        if tables.exists(path):
            rules |= tag_rules(system_id, tables.read(path))
    return rules


def without_landed(lake: LakePaths, gaps: Iterable[Gap]) -> list[Gap]:
    """Those of the missing numbers that their raw table does not hold.

    A state store restored from a backup is behind the table: what landed since is gone from the inbox and no
    gap, and sent again as one it would be stored twice.
    """
    by_stream: dict[str, list[Gap]] = {}
    for gap in gaps:
        by_stream.setdefault(gap.stream, []).append(gap)
    return [gap for stream, missing in by_stream.items() for gap in _unlanded(lake, stream, missing)]


def _unlanded(lake: LakePaths, stream: str, missing: Sequence[Gap]) -> list[Gap]:
    numbers = [gap.sequence for gap in missing]
    if min(numbers) > (tables.transaction_version(raw_table(lake, stream), stream) or 0):
        return list(missing)
    landed = _stored(lake, stream, numbers)
    return [gap for gap in missing if gap.sequence not in landed]


def _stored(lake: LakePaths, stream: str, numbers: Sequence[int]) -> set[int]:
    """Those of the numbers that have rows in the raw table."""
    path = raw_table(lake, stream)
    if not tables.exists(path):
        return set()
    between = [
        ("_stream", "=", stream),
        ("_sequence", ">=", min(numbers)),
        ("_sequence", "<=", max(numbers)),
    ]
    stored = tables.read(path, columns=["_sequence"], filters=between)
    return set(pc.unique(stored.column("_sequence")).to_pylist())


def land_batch(spec: LandingSpec, stream: str, batch: Sequence[ReadSegment]) -> list[Landed]:
    """Commit a batch: refills, numbers a killed process committed, then the rest.

    A number ever recorded as missing is a refill, also where the position is still before it: a process may
    have been killed after it recorded the gap or committed later numbers, and before it moved the position.
    """
    committed = tables.transaction_version(raw_table(spec.lake, stream), stream) or 0
    with spec.state.read() as connection:
        gaps = landing_state.recorded_gaps(connection, stream, [read.sequence for read in batch])
    refills = [read for read in batch if read.sequence in gaps]
    regular = [read for read in batch if read.sequence not in gaps]
    stored = [read for read in regular if read.sequence <= committed]
    fresh = [read for read in regular if read.sequence > committed]
    landed = [_land_refills(spec, stream, refills)] if refills else []
    return landed + [_land(spec, stream, reads, is_refill=False) for reads in (stored, fresh) if reads]


def _land_refills(spec: LandingSpec, stream: str, reads: Sequence[ReadSegment]) -> Landed:
    """All refills of a batch in one commit, but for those that a killed process committed before.

    A transaction's number cannot tell that: which refills come together differs from one try to the next. The
    rows can, and the lease keeps others away meanwhile.
    """
    stored = _stored(spec.lake, stream, [read.sequence for read in reads])
    fresh = [read for read in reads if read.sequence not in stored]
    if fresh:
        return _land(spec, stream, fresh, is_refill=True, noted=reads)
    _note(spec, stream, reads, is_refill=True)
    return Landed(
        stream=stream,
        first_sequence=reads[0].sequence,
        last_sequence=reads[-1].sequence,
        rows=sum(read.rows.num_rows for read in reads),
        delta_version=tables.version(raw_table(spec.lake, stream)) or 0,
        is_refill=True,
        was_repeat=True,
    )


def _land(
    spec: LandingSpec,
    stream: str,
    reads: Sequence[ReadSegment],
    *,
    is_refill: bool,
    noted: Sequence[ReadSegment] | None = None,
) -> Landed:
    appended = _append(spec, stream, reads, is_refill=is_refill)
    _note(spec, stream, noted or reads, is_refill=is_refill)
    return Landed(
        stream=stream,
        first_sequence=reads[0].sequence,
        last_sequence=reads[-1].sequence,
        rows=sum(read.rows.num_rows for read in reads),
        delta_version=appended.delta_version,
        is_refill=is_refill,
        was_repeat=appended.was_repeat,
    )


def _append(spec: LandingSpec, stream: str, reads: Sequence[ReadSegment], *, is_refill: bool) -> AppendReport:
    kind = reads[0].kind
    path, refills = raw_table(spec.lake, stream), f"{stream}#refills"
    at = _ingested_at(path, spec.clock.now())
    rows = pa.concat_tables(
        raw_rows(read.rows, kind=kind, stream=stream, sequence=read.sequence, ingested_at=at, zone=spec.zone)
        for read in reads
    )
    first, last = reads[0].sequence, reads[-1].sequence
    with spec.state.read() as connection:
        reached = reached_by_sibling(connection, path, stream)
    received, rows = rows.num_rows, without_doubles(path, kind, stream, rows, reached)
    return tables.append(
        path,
        rows,
        raw_stream_schema(kind),
        app_id=refills if is_refill else stream,
        version=(tables.transaction_version(path, refills) or 0) + 1 if is_refill else last,
        partition_by=(PARTITION,),
        commit_metadata={
            "first_sequence": str(first),
            "last_sequence": str(last),
            "doubles_of_sibling": str(received - rows.num_rows),
        },
        storage=STORAGE[kind],
    )


def _ingested_at(path: Path, now: datetime) -> datetime:
    """The present, or just after the table's newest rows where the clock stands still or went back.

    Incremental models rebuild the days whose rows are newer than what they were built from: rows stamped no
    newer than older ones would stay out of reported values until something else touched their day.
    """
    last = newest(path, "_ingested_at_utc")
    return now if last is None else max(now, last + INSTANT_STEP)


def _note(spec: LandingSpec, stream: str, reads: Sequence[ReadSegment], *, is_refill: bool) -> None:
    """Position, latest values, gaps and findings, in one transaction after the Delta commit."""
    kind = reads[0].kind
    now = spec.clock.now()
    rows = pa.concat_tables(read.rows for read in reads)
    names = [stream, *(f"{stream}/{read.segment.path.name}" for read in reads)]
    with spec.state.begin() as connection:
        landing_state.advance(
            connection,
            stream,
            counts=[(read.sequence, read.rows.num_rows) for read in reads],
            last_event=pc.max(rows.column(EVENT_COLUMN[kind])).as_py(),
            now=now,
            is_refill=is_refill,
        )
        if kind == "points":
            landing_state.update_latest_values(connection, stream.rpartition(".")[0], rows)
        if is_refill:
            landing_state.close_gaps(connection, stream, [read.sequence for read in reads], now=now)
        landing_state.close_quarantine_findings(connection, names, now=now)
