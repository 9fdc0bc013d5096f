"""Contracts: checking them, and what is generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import SiteOption
from orchestration.cli.output import fail, say, writing

app = typer.Typer(help="Contracts and what is made from them 数据合同.", no_args_is_help=True)
docs_app = typer.Typer(help="Generated pages 自动生成的文档.", no_args_is_help=True)


@docs_app.callback()
def docs_group() -> None:
    """Generated pages.

    自动生成的文档。
    """


@app.command()
def check() -> None:
    """Read every contract of the product; name every fault with its line.

    检查全部数据合同，逐条指出错误所在行。
    """
    from contracts.errors import ContractError
    from contracts.loading import load_contracts
    from ingestion.registry import PRODUCT_SYSTEMS

    try:
        found = load_contracts(PRODUCT_SYSTEMS)
    except ContractError as error:
        fail(str(error), ExitCode.PROBLEMS)
    say(f"{len(found)} contracts are sound 份合同无误")


@app.command()
def template(
    table: Annotated[
        str, typer.Argument(help="Raw table kept by hand, e.g. raw_lab_manual__water_results 人工填报表.")
    ],
    target: Annotated[Path, typer.Argument(help="Workbook to write 输出工作簿.")],
    site: SiteOption = None,
) -> None:
    """Write the Excel template of a manual table.

    生成人工填报的 Excel 模板。
    """
    from orchestration.generated import write_template
    from orchestration.settings import load_settings

    with writing(target):
        write_template(load_settings(site), table, target)
    say(str(target))


@app.command()
def manifest() -> None:
    """Generate dbt's sources from the contracts and build dbt's manifest.

    由合同生成 dbt 源定义并构建 dbt 清单。
    """
    from orchestration.dbt_manifest import build_manifest

    say(str(build_manifest()))


@docs_app.command("build")
def build_docs(
    check_only: Annotated[
        bool, typer.Option("--check", help="Fail when a page is stale 页面过期时报错.")
    ] = False,
) -> None:
    """Make the generated pages again: dictionary, systems, endpoints, reports, coverage.

    重新生成字典、系统、接收端、报告与覆盖登记页面。
    """
    from orchestration.generated import stale_pages, write_pages

    if not check_only:
        for path in write_pages():
            say(str(path))
        return
    stale = stale_pages()
    if stale:
        fail("stale 已过期: " + ", ".join(map(str, stale)) + "; run `chemlink docs build`", ExitCode.PROBLEMS)
