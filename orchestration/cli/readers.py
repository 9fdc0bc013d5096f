"""Reading the lake: `chemlink sql`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import print_json, print_table, say

GROUP = "Data 数据"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(sql)


def sql(
    query: Annotated[str, typer.Argument(help="A query over the views of lake.duckdb 查询语句.")],
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the lake a question in SQL, read only.

    以只读方式用 SQL 查询湖仓。
    """
    from orchestration.queries import run_query
    from orchestration.settings import load_settings

    columns, rows = run_query(load_settings(site).lake, query)
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table(columns, rows)
    say(f"{len(rows)} rows 行")
