"""Extracting one table of an HTTP interface, in the modes of databases: one reading, one commit."""

from __future__ import annotations

from dataclasses import replace

from contracts.model import ExtractMode
from ingestion.change_log import ChangeLog
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.files.quarantined import keys_of
from ingestion.registry import QUARANTINE, SystemSpec
from ingestion.rest.client import RestClient
from ingestion.rest.layout import layout_of
from ingestion.rest.pages import RestPages
from ingestion.rest.setting_aside import set_aside
from ingestion.rest.source import RestSource
from ingestion.snapshots import land_changes, land_snapshot
from ingestion.windows import land_window


def extract_rest(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Read what changed and land it; records that do not fit are set aside with their reasons.

    Raises:
        ContractBreachError: not one record is as the contract says; nothing landed.
        ShrunkenSourceError: far fewer rows than last time; nothing landed.
        PermanentError: the interface refuses, or answers something else than records.
        SourceUnavailableError: it did not answer; nothing landed, the next run tries again.
    """
    assert system.rest is not None, "the registry refuses such a system without a base URL"
    quarantine = ChangeLog(system.contract(QUARANTINE), context.lake)
    if table == QUARANTINE:  # filled by the extracts of the other tables
        none = quarantine.no_rows()
        return land_changes(quarantine, none, none, context, outcome=Outcome.EMPTY_WINDOW, rows_read=0)
    contract = system.contract(table)
    layout, log = layout_of(system.folder, contract), ChangeLog(contract, context.lake)
    with RestClient(system.rest, context.secrets, context.site_dir) as client:
        source = RestSource(RestPages(client, layout, contract), log)
        since = None
        if contract.mode in {ExtractMode.CURSOR, ExtractMode.CURSOR_SWEEP}:
            watermark = log.watermark(context.clock.now())
            since = log.window_start(watermark) if watermark is not None else None
        incoming = source.read_rows(since=since)
        if contract.cursor and contract.mode in {ExtractMode.CURSOR, ExtractMode.CURSOR_SWEEP}:
            report = land_window(log, source, incoming, since, context)
        else:
            report = land_snapshot(log, incoming, context)
    landed = {key for key in keys_of(incoming, contract) if key is not None}
    count = set_aside(quarantine, contract, source.refused, context, is_complete=since is None, landed=landed)
    return replace(report, rows_quarantined=count)
