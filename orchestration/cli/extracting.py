"""One extract by hand: a table at once, or a source that has truly shrunk."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import fail, print_json, say

GROUP = "Reports 上报"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(extract)


def extract(
    table: Annotated[str, typer.Argument(help="Raw table, as raw_erp_main__customers 原始表.")],
    site: SiteOption = None,
    accept_shrink: Annotated[
        bool,
        typer.Option("--accept-shrink", help="The rows are truly gone 确认源数据已减少."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Extract one business table now.

    立即抽取一张业务表。
    """
    from dataclasses import asdict
    from uuid import uuid4

    from ingestion.extract import extract_table
    from ingestion.registry import load_registry
    from orchestration.services import extract_context, state_store
    from orchestration.settings import load_settings

    settings = load_settings(site)
    known = {
        contract.name: (system, contract.table)
        for system in load_registry(settings.site_dir)
        if not system.kind.is_stream
        for contract in system.tables
    }
    if table not in known:
        fail(f"{table!r} is not extracted here; expected one of {', '.join(sorted(known))}", ExitCode.USAGE)
    with state_store(settings) as state:
        context = extract_context(settings, state, f"by-hand-{uuid4().hex[:8]}", accept_shrink=accept_shrink)
        report = extract_table(*known[table], context)
    if as_json:
        print_json(asdict(report))
    else:
        say(f"{table}: {report.outcome.value}, +{report.rows_upserted} −{report.rows_deleted} rows 行")
