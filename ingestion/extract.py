"""One entry for every table that is pulled: `extract_table`, all that orchestration needs to know."""

from __future__ import annotations

from contracts.arrow import raw_schema
from ingestion.connectors.register import extract_register
from ingestion.connectors.workbook import extract_workbooks
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import IngestionError, PermanentError
from ingestion.files.intake import extract_files
from ingestion.registry import SystemKind, SystemSpec
from ingestion.rest.extract import extract_rest
from ingestion.sql_extract import extract_sql
from ingestion.webhooks.extract import extract_events
from lake.evolution import bring_up_to
from lake.leases import hold_lease

__all__ = ["ExtractContext", "ExtractReport", "Outcome", "extract_table"]


def extract_table(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Bring in what changed in one table of one system.

    A run that is killed anywhere leaves either its whole commit or nothing, and the next continues.

    Args:
        system: from the registry.
        table: the table's name in its contract.
        context: lake, state, secrets, clock and site.

    Raises:
        PermanentError: someone must act; the message says who and on what.
        TransientError: trying again later helps.
        lake.errors.LeaseHeldError: another process extracts the same table now.
    """
    contract = system.contract(table)
    if system.kind.is_stream:
        msg = f"{contract.name} comes through the gateway; run `chemlink land`, nothing pulls it"
        raise PermanentError(msg)
    # The tables of such a system share one table of rows set aside, so they share one lease.
    shared = system.kind.sets_rows_aside
    name = f"extract.{system.system_id if shared else contract.contract_id}"
    with hold_lease(context.lake.leases, name):
        # Before anything is compared with stored rows: a wider type must not make every row look changed.
        for one in system.tables if shared else (contract,):
            bring_up_to(context.lake.table("raw", one.name), raw_schema(one))
        if system.kind is SystemKind.WORKBOOK:
            return extract_workbooks(system, table, context)
        if system.kind is SystemKind.FILES:
            return _fetched_and_taken_in(system, table, context)
        if system.kind is SystemKind.REGISTER:
            return extract_register(contract, context)
        if system.kind is SystemKind.REST:
            return extract_rest(system, table, context)
        if system.kind is SystemKind.WEBHOOK:
            return extract_events(system, table, context)
        assert system.secret is not None, "the registry refuses a SQL system without a secret"
        url = context.secrets(system.secret)
        return extract_sql(contract, url, context, connections=system.connections)


def _fetched_and_taken_in(system: SystemSpec, table: str, context: ExtractContext) -> ExtractReport:
    """Files of the drop folder, those of the remote folder among them; what is here lands in any case."""
    trouble: IngestionError | None = None
    if system.sftp is not None:
        from ingestion.files.sftp import fetch_files  # with a driver that not every plant has

        try:
            fetch_files(system, context)
        except IngestionError as error:
            trouble = error
    report = extract_files(system, table, context)
    if trouble is not None:
        raise trouble
    return report
