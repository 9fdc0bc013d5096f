"""The catalogue of views that analysts open."""

from __future__ import annotations

import typer

from orchestration.cli.options import SiteOption
from orchestration.cli.output import say

app = typer.Typer(help="The catalogue lake.duckdb 目录文件.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The catalogue lake.duckdb.

    供分析人员打开的目录文件。
    """


@app.command()
def rebuild(site: SiteOption = None) -> None:
    """Make lake.duckdb again from the tables that exist; readers keep their old one until they reopen.

    按现有各表重建 lake.duckdb；已打开的读者不受影响。
    """
    from lake.catalog import rebuild as run
    from orchestration.descriptions import descriptions
    from orchestration.location import load_location
    from orchestration.settings import load_settings

    settings = load_settings(site)
    run(settings.lake, descriptions(load_location(settings)))
    say(str(settings.lake.catalog))
