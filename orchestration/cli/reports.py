"""Orchestration and delivery: one tick in this process, the ledger, the proof."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import fail, print_json, print_table, say
from orchestration.cli.proof import verify

GROUP = "Reports 上报"
_KEYS = 'keys 键: chemlink sql "select idempotency_key from ops.ops_submissions"'
_COLUMNS = {
    "report 报告": "report_id",
    "endpoint 接收端": "endpoint_id",
    "in time 按时": "on_time",
    "late 迟到": "late",
    "waiting 待回执": "waiting",
    "overdue 逾期": "overdue",
    "rejected 拒收": "rejected",
    "expired 过期": "expired",
    "missing 缺报": "missing",
    "corrections 更正": "corrections",
}


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(run)
    app.command(rich_help_panel=GROUP)(ledger)
    app.command(rich_help_panel=GROUP)(verify)


def run(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Do everything that is due, once, in this process: extract, build, publish, check, gate, queue.

    在本进程内执行一次全部到期工作：抽取、计算、发布、检查、把关、入发件箱。
    """
    from dataclasses import asdict

    from orchestration.cli.progress import phase_progress
    from orchestration.settings import load_settings
    from orchestration.tick import run_tick

    with phase_progress(enabled=not as_json) as on_phase:
        report = run_tick(load_settings(site), on_phase=on_phase)
    if as_json:
        print_json(asdict(report))
    else:
        for line in report.lines():
            say(line)
    if not report.succeeded:
        raise typer.Exit(ExitCode.PROBLEMS)


def ledger(
    site: SiteOption = None,
    submission: Annotated[str | None, typer.Option(help="One submission by its key 某次上报的键.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how each report fares at each endpoint: in time, late, waiting, refused, missing.

    查看各报告在各接收端的送达情况，或某次上报的全部经过。
    """
    from dataclasses import asdict

    from exports.ledger import delivery_report, history_of
    from orchestration.location import load_location
    from orchestration.services import export_site, state_store
    from orchestration.settings import load_settings
    from orchestration.window import first_open_instant

    settings = load_settings(site)
    with state_store(settings) as state:
        exports = export_site(settings, state)
        if submission is not None:
            history = history_of(exports, submission)
            if history is None:
                fail(
                    f"chemlink: no submission has the key {submission!r} 没有这次上报; {_KEYS}",
                    ExitCode.USAGE,
                )
            print_json(asdict(history))
            return
        lines = delivery_report(exports, load_location(settings).reports, first_open_instant(settings))
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    print_table(list(_COLUMNS), [[getattr(line, name) for name in _COLUMNS.values()] for line in lines])
