"""What shows that it works, or does not: doctor, findings, coverage."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import fail, print_json, print_table, say

GROUP = "Evidence 证据"
_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(doctor)
    app.command(rich_help_panel=GROUP)(findings)
    app.command(rich_help_panel=GROUP)(coverage)


def doctor(
    subject: Annotated[
        str | None, typer.Argument(help="A tag or outlet to follow, e.g. DA001 位号或排放口.")
    ] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the machine, the processes and the chain of one tag or outlet; say what to do.

    检查机器、进程，以及某位号或排口的全链路，并给出处理办法。发现问题时退出码为 3。
    """
    from dataclasses import asdict

    from orchestration.doctor import examine
    from orchestration.settings import load_settings

    diagnoses = examine(load_settings(site), subject)
    if as_json:
        print_json([asdict(item) for item in diagnoses])
    else:
        for item in diagnoses:
            say(f"{_MARKS[item.level]} {item.subject}: {item.found_zh} · {item.found_en}")
            if item.remedy_en:
                say(f"    → {item.remedy_zh} · {item.remedy_en}")
    if any(item.level == "error" for item in diagnoses):
        raise typer.Exit(ExitCode.PROBLEMS)


def findings(
    site: SiteOption = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind 只看某一类.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what is open and needs a person: cause and remedy of each.

    列出待处理问题，含原因与处理办法。有未关闭的错误时退出码为 3。
    """
    from lake.findings import open_findings
    from lake.state import open_state
    from orchestration.settings import load_settings

    settings = load_settings(site)
    state = open_state(settings.state_url, settings.clock.now)
    with state.read() as connection:
        rows = [dict(row) for row in open_findings(connection, kind)]
    state.close()
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            say(f"[{row['severity']}] {row['kind']} · {row['subject']} (since {row['opened_at_utc']})")
            say(f"  {row['cause_zh']} → {row['remedy_zh']}")
            say(f"  {row['cause_en']} → {row['remedy_en']}")
        of_kind = f" of kind {kind} 类别" if kind else ""
        say(f"{len(rows)} open findings 待处理问题{of_kind}")
    if any(row["severity"] == "error" for row in rows):
        raise typer.Exit(ExitCode.PROBLEMS)


def coverage(
    site: SiteOption = None,
    as_json: JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fail when a named asset or test is missing.")
    ] = False,
) -> None:
    """Print which clauses of the standard are covered, by which assets and tests.

    打印标准条款覆盖登记册。
    """
    from orchestration.coverage import missing_names, read_register

    entries = read_register()
    if as_json:
        print_json([entry.model_dump() for entry in entries])
    else:
        rows = [
            [e.clause, e.status, f"{e.title.zh}\n{e.title.en}", "\n".join(e.assets), len(e.tests)]
            for e in entries
        ]
        print_table(["clause 条款", "status 状态", "title 主题", "assets 资产", "tests 测试"], rows)
    if check:
        from orchestration.asset_keys import existing_asset_keys
        from orchestration.settings import load_settings

        faults = missing_names(entries, existing_asset_keys(load_settings(site)))
        if faults:
            fail("\n".join(faults), ExitCode.PROBLEMS)
