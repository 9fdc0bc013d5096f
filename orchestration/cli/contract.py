"""Contracts: checking them, and what is generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import fail, print_json, say, writing

if TYPE_CHECKING:
    from orchestration.contract_diff import ContractDiff

app = typer.Typer(help="Contracts and what is made from them 数据合同.", no_args_is_help=True)
docs_app = typer.Typer(help="Generated pages 自动生成的文档.", no_args_is_help=True)


@docs_app.callback()
def docs_group() -> None:
    """Generated pages.

    自动生成的文档。
    """


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(help="A contract, a system's folder, or a folder of systems 合同或目录.")
    ] = None,
    site: SiteOption = None,
) -> None:
    """Name every fault of the contracts at once, with file and line: the product's and the site's own.

    检查全部数据合同（产品自带及本站点），一次列出每处错误的文件与行号。
    """
    from orchestration.contract_check import check_contracts

    report = check_contracts(path, _site_if_any(site))
    if report.faults:
        listed = "\n".join(f"  {fault}" for fault in report.faults)
        fail(f"{len(report.faults)} faults 处错误:\n{listed}", ExitCode.PROBLEMS)
    say(f"{report.contracts} contracts are sound 份合同无误")


@app.command()
def new(
    system: Annotated[str, typer.Argument(help="System id, as wms_south 系统编号.")],
    table: Annotated[
        str | None, typer.Argument(help="Our name of the table; without it the system alone 表名.")
    ] = None,
    kind: Annotated[str, typer.Option(help="sql, files, workbook or register 读取方式.")] = "sql",
    source: Annotated[
        str | None, typer.Option("--source", help="The source's name of the table, as dbo.TANK 源表名.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(help="Secret with the database's URL: its catalogue is read 数据库地址的密钥名."),
    ] = None,
    sample: Annotated[
        Path | None, typer.Option(help="CSV, xlsx or Parquet file that shows the columns 样例文件.")
    ] = None,
    product: Annotated[bool, typer.Option("--product", help="Into the product 写入产品目录.")] = False,
    site: SiteOption = None,
) -> None:
    """Write the files of a new system or table; what is missing is a placeholder that `check` names.

    新建系统或表的合同文件：能从数据库或样例得到的已填好，其余为占位符，由 check 逐条指出；从不覆盖已有文件。
    """
    from ingestion.registry import SystemKind
    from orchestration.new_contract import NewTable, make_contract

    kinds = [found.value for found in SystemKind]
    if kind not in kinds:
        fail(f"{kind!r} is no kind of system; expected one of {', '.join(kinds)}", ExitCode.USAGE)
    wanted = NewTable(system, table, SystemKind(kind), source, secret, sample)
    site_dir = None if product else _site_if_any(site)
    if site_dir is None and not product:
        fail("no site here: give --site, or --product for the product 未找到站点", ExitCode.USAGE)
    with writing(Path(system)):
        written = make_contract(wanted, site_dir)
    for path in written:
        say(str(path))
    say("Next 下一步: fill in what `chemlink contract check` names 按检查结果逐条填写")


@app.command()
def diff(
    old: Annotated[
        str, typer.Argument(help="File, folder, git revision, 'released' or 'lake' 文件、目录、版本.")
    ],
    new: Annotated[
        str | None, typer.Argument(help="File, folder or git revision; default: as they are now 默认为当前.")
    ] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name what changed in the contracts, how much it matters, and which version that demands.

    比较合同的两个状态：逐条列出变更、兼容性等级与所要求的版本号。不兼容或版本号不足时退出码为 3。
    """
    from orchestration.contract_diff import LAKE, diff_contracts
    from orchestration.settings import load_settings

    site_dir = _site_if_any(site)
    lake = load_settings(site_dir).lake if old == LAKE and site_dir else None
    found = diff_contracts(old, new, site_dir=site_dir, lake=lake)
    if as_json:
        print_json([_diff_as_json(item) for item in found])
    else:
        _say_diff(found)
    if any(item.kind.name == "BREAKING" or not item.is_version_enough for item in found):
        raise typer.Exit(ExitCode.PROBLEMS)


@app.command()
def release(site: SiteOption = None) -> None:
    """Make the contracts as they are the released ones; from then on a change needs its version.

    将当前合同登记为已发布版本，此后的变更必须相应提高版本号。
    """
    from contracts.released import write_released
    from ingestion.registry import PRODUCT_SYSTEMS, discover_systems
    from orchestration.contract_check import check_contracts

    site_dir = _site_if_any(site)
    report = check_contracts(None, site_dir)
    if report.faults:
        listed = "\n".join(f"  {fault}" for fault in report.faults)
        fail(f"nothing released; correct first 未发布，请先改正:\n{listed}", ExitCode.PROBLEMS)
    roots = [PRODUCT_SYSTEMS, *([site_dir / "systems"] if site_dir else [])]
    written = write_released(table for system in discover_systems(*roots) for table in system.tables)
    for path in written:
        say(str(path))
    say(f"{report.contracts} contracts released 份合同已发布, {len(written)} files changed 个文件更新")


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
def docs(
    folder: Annotated[Path, typer.Argument(help="Folder of the site 输出目录.")] = Path("docs/dictionary"),
    site: SiteOption = None,
) -> None:
    """Write the data dictionary as a static site: every column with label, unit, class, codes and lineage.

    生成静态数据字典网站：每列的中文名、单位、分类分级、代码表与血缘，中英文，可离线打开与搜索。
    """
    import json

    from orchestration.column_lineage import ColumnLineage
    from orchestration.dictionary_site import compile_models, write_site

    site_dir = _site_if_any(site)
    target = compile_models()
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    with writing(folder):
        tables = write_site(folder, manifest, ColumnLineage(target).of_columns(), site_dir)
    say(f"{folder / 'index.html'}: {tables} tables 张表")


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


def _site_if_any(site: Path | None) -> Path | None:
    """The site meant, or None: contracts of the product need no site."""
    from orchestration.settings import find_site
    from orchestration.site import SettingsError

    if site is not None:
        return find_site(site)
    try:
        return find_site(None)
    except SettingsError:
        return None


def _say_diff(found: list[ContractDiff]) -> None:
    for item in found:
        versions = f"{item.version_before or '—'} → {item.version or '—'}"
        wanted = "" if item.is_version_enough else f"; make it 应为 {item.demanded}"
        say(f"{item.contract_id}: {item.kind.label}, {versions}{wanted}")
        for where, change in item.changes:
            say(f"  {where}: {change}")
    say(f"{len(found)} contracts differ 份合同有变化")


def _diff_as_json(item: ContractDiff) -> dict[str, Any]:
    changes = [
        {
            "class": change.kind.name.lower(),
            "column": change.column,
            "aspect": change.aspect,
            "before": change.before,
            "after": change.after,
            "where": where,
        }
        for where, change in item.changes
    ]
    return {
        "contract_id": item.contract_id,
        "class": item.kind.name.lower(),
        "version_before": item.version_before,
        "version": item.version,
        "demanded": item.demanded,
        "is_version_enough": item.is_version_enough,
        "changes": changes,
    }
