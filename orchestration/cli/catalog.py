"""The catalogue of views that analysts open."""

from __future__ import annotations

import typer

from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import print_json, print_table, say

app = typer.Typer(help="The catalogue lake.duckdb 目录文件.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The catalogue lake.duckdb.

    供分析人员打开的目录文件。
    """


@app.command()
def rebuild(site: SiteOption = None) -> None:
    """Make lake.duckdb and every role's catalogue again; readers keep their old one until they reopen.

    按现有各表重建 lake.duckdb 与各角色的目录文件；已打开的读者不受影响。
    """
    from lake.catalog import rebuild as run
    from orchestration.descriptions import descriptions
    from orchestration.location import load_location
    from orchestration.reader_access import rebuild_readers
    from orchestration.settings import load_settings

    settings = load_settings(site)
    location = load_location(settings)
    run(settings.lake, descriptions(location))
    say(str(settings.lake.catalog))
    for path in rebuild_readers(location):
        say(str(path))


@app.command()
def access(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Show what each role gets of every column, as category and grade decide.

    列出各角色可见、遮蔽与不可见的列，由分类与分级推出。
    """
    from orchestration.location import load_location
    from orchestration.reader_access import policies
    from orchestration.settings import load_settings

    found = [
        {"role": role, "table": table, "column": column, "treatment": treatment.name.lower()}
        for role, tables in policies(load_location(load_settings(site))).items()
        for table, columns in tables.items()
        for column, treatment in columns.items()
    ]
    if as_json:
        print_json(found)
    else:
        print_table(
            ("角色 role", "表 table", "列 column", "处理 treatment"), [list(row.values()) for row in found]
        )
