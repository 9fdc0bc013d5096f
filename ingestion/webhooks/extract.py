"""Landing the events of one table that wait in the spool: each id once, what does not fit set aside.

One commit, then the files are put away; a run killed between the two is repeated without effect.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import source_schema
from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog, changed_rows
from ingestion.connectors.workbook_cells import CellFault
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import PermanentError
from ingestion.files.json_records import load_document, records_of
from ingestion.files.judging import RefusedRecord, judge_records
from ingestion.files.quarantined import as_quarantined, keys_of
from ingestion.files.records import Reading, Record
from ingestion.registry import QUARANTINE, SystemSpec
from ingestion.rest.setting_aside import set_aside
from ingestion.snapshots import land_changes
from ingestion.webhooks.receiver import spool_of
from ingestion.webhooks.signature import ID, TIMESTAMP
from ingestion.webhooks.spool import Event

SPOOLS = "events"  # below the lake's root
_AT_ONCE = 20_000


def extract_events(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Land what waits; the report is about `table`.

    Raises:
        PermanentError: the contract's key is not the event's id, or its mode none of events.
    """
    quarantine = ChangeLog(system.contract(QUARANTINE), context.lake)
    if table == QUARANTINE:  # filled by the extracts of the other tables
        none = quarantine.no_rows()
        return land_changes(quarantine, none, none, context, outcome=Outcome.EMPTY_WINDOW, rows_read=0)
    contract = system.contract(table)
    _require_fitting(contract)
    spool = spool_of(context.lake.root / SPOOLS, system.system_id)
    events = [event for _, event in zip(range(_AT_ONCE), spool.waiting(table), strict=False)]
    reading = Reading(
        records=(_record(place, event, contract) for place, event in enumerate(events, start=1)), form="JSON"
    )
    blocks = list(judge_records(reading, contract))
    nothing = pa.schema([one.with_nullable(True) for one in source_schema(contract)]).empty_table()
    rows = pa.concat_tables([block.rows.drop_columns("_source_row") for block in blocks] or [nothing])
    refused = [one for block in blocks for one in block.refused]
    log = ChangeLog(contract, context.lake)
    fresh, repeated = _new_and_contrary(rows.cast(source_schema(contract)), log)
    outcome = Outcome.LANDED if fresh.num_rows else Outcome.UNCHANGED if events else Outcome.EMPTY_WINDOW
    report = land_changes(log, fresh, log.no_rows(), context, outcome=outcome, rows_read=len(events))
    told = {one.record.place: as_quarantined(one, reading, contract) for one in [*refused, *repeated]}
    aside = {f"{place}": row for place, row in told.items()}
    landed = {key for key in keys_of(fresh, contract) if key is not None}
    count = set_aside(quarantine, contract, aside, context, is_complete=False, landed=landed)
    spool.landed(events)
    return replace(report, rows_quarantined=count)


def _require_fitting(contract: Contract) -> None:
    keys = [contract.column(name).source_name for name in contract.primary_key]
    if keys != [ID] or contract.mode is not ExtractMode.MANUAL:
        msg = (
            f"{contract.contract_id}: key {keys} and extractMode {contract.mode}; a table of events has one "
            f"key column with physicalName {ID}, and extractMode manual"
        )
        raise PermanentError(msg)


def _record(place: int, event: Event, contract: Contract) -> Record:
    """The event's body with its id and time beside what it says."""
    sent = datetime.fromtimestamp(event.sent_s, UTC).isoformat()
    envelope = {ID: event.event_id, TIMESTAMP: sent}
    try:
        document = load_document(event.body)
    except (ValueError, RecursionError) as error:
        told = str(error)[:100]
        fault = CellFault(f"内容不是可读的 JSON：{told}", f"its content is no readable JSON: {told}")
        return Record(place, (), {**envelope, "body": event.body}, fault)
    if isinstance(document, dict):
        document = {**document, **envelope}
    (record,) = records_of([document], None, contract, first=place)
    return record


def _new_and_contrary(rows: pa.Table, log: ChangeLog) -> tuple[pa.Table, list[RefusedRecord]]:
    """The rows whose id has not landed, and those whose id has landed with other content."""
    contract = log.contract
    (key,) = contract.primary_key
    latest = log.latest()
    changed = changed_rows(rows, latest, contract)
    is_known = pc.is_in(changed[key], latest[key].combine_chunks())
    fault = CellFault("同一事件编号已入库，内容不同", "an event of this id has landed with other content")
    names = [column.name for column in contract.columns]
    contrary = [
        RefusedRecord(
            Record(-place, tuple(row[name] for name in names), {n: str(row[n]) for n in names}), (fault,)
        )
        for place, row in enumerate(changed.filter(is_known).to_pylist(), start=1)
    ]
    return changed.filter(pc.invert(is_known)), contrary
