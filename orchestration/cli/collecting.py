"""`chemlink collect`: run the collector, look around on a server, check the control zone, keep a trust list.

Imports what the collector imports and nothing of the platform: it runs where that is not installed.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli import trusting
from orchestration.cli.exits import ExitCode
from orchestration.cli.options import ConfigOption, JsonOption
from orchestration.cli.output import fail, print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ingestion.collector.discovery import Discovery

app = typer.Typer(help="Collect (control zone) 采集（生产控制区）.", invoke_without_command=True)
app.add_typer(trusting.app, name="trust")
_SHOWN = 20
_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


@app.callback()
def collect(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The collector's own configuration 采集器配置文件.")
    ] = None,
) -> None:
    """Collect into sealed segments until stopped; or one of the commands below (control zone).

    采集数据并封装为数据段，直到停止；或执行下列命令（生产控制区）。
    """
    if context.invoked_subcommand is not None:
        return
    if config is None:
        fail(
            "chemlink collect: --config is missing; give the collector's own collector.yml "
            "缺少 --config，请给出采集器配置文件",
            ExitCode.USAGE,
        )
    from ingestion.collector.run import main as run

    run(config)


@app.command()
def discover(
    config: ConfigOption,
    server: Annotated[str, typer.Option("--server", help="system_id in collector.yml 系统编号.")],
    root: Annotated[
        str | None, typer.Option("--root", help="Begin at this node, nsu=…;s=… 起始节点; default: Objects.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Tag table to write 输出点表; default: <tags>.proposal.csv beside the table.",
        ),
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Levels below the root 最大层数.")] = 25,
    as_json: JsonOption = False,
) -> None:
    """Look around on a server and propose its tag table: ids, units, ranges, labels, history.

    浏览服务器并生成点表建议。已有的行保持不变，只增加新行；与服务器不一致之处只列出、不修改，此时退出码为 3。
    """
    from ingestion.collector.discovery import discover as run
    from ingestion.collector.discovery import server_of
    from ingestion.collector.settings import load_settings

    settings = load_settings(config)
    wanted = server_of(settings, server)
    target = output or wanted.tags.with_name(f"{wanted.tags.stem}.proposal.csv")
    base = target if output is not None and output.exists() else wanted.tags
    found = asyncio.run(
        _telling(
            run(settings, wanted, base, _Progress(is_quiet=as_json), root=root, depth_limit=depth), wanted.url
        )
    )
    found.proposal.write(target)
    _print_json_discovery(found, target) if as_json else _print_discovery(found, target)
    if found.proposal.differences or found.proposal.absent or found.unreadable or found.too_deep:
        raise typer.Exit(ExitCode.PROBLEMS)


@app.command()
def check(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Examine the control zone alone: keys, disk, gateway, servers, trust, clocks, every tag.

    检查控制区：密钥、磁盘、摆渡目录、服务器、信任、时钟和每个位号。不需要安装平台；有错误时退出码为 3。
    """
    from ingestion.collector.machine_check import check_machine
    from ingestion.collector.server_check import check_server
    from ingestion.collector.settings import load_settings
    from ingestion.collector.sources.source_check import check_source

    settings = load_settings(config)
    found = list(check_machine(settings))
    for server in settings.servers:
        if not as_json:
            say(f"… {server.system_id}: {server.url}")
        found += asyncio.run(check_server(server, settings))
    for source in settings.sources:
        found += check_source(source)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            say(f"{_MARKS[one.level]} {one.subject}: {one.found_zh} | {one.found_en}")
            if one.level != "ok":
                say(f"    → {one.remedy_zh}\n      {one.remedy_en}")
    if any(one.level == "error" for one in found):
        raise typer.Exit(ExitCode.PROBLEMS)


@app.command(name="hand-over")
def hand_over(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Let the other collector of the pair go on; this one seals, gives it everything and stands by.

    把采集移交给另一台采集器：本机封存并交出全部数据段后转为备用。在正在采集的一台上运行。
    """
    from ingestion.collector.standby.handing_over import hand_over as run

    found = run(config)
    if as_json:
        print_json(found)
        return
    say(f"✓ 已移交，现由 {found['peer']['collector_id']} 采集，本机备用")
    say(f"  handed over: {found['peer']['collector_id']} collects, this one stands by")


class _Progress:
    """Shows on standard error how far a look has come, so that standard output stays the answer."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet

    def browsed(self, nodes: int, variables: int) -> None:
        """So many nodes were entered, and so many variables found."""
        self._show(f"browsing 浏览: {nodes} nodes 节点, {variables} variables 变量")

    def read(self, variables: int, total: int) -> None:
        """So many variables of the total were read."""
        self._show(f"reading 读取: {variables} / {total}")

    def _show(self, text: str) -> None:
        if not self._is_quiet:
            typer.echo(f"\r\033[K{text}", err=True, nl=False)


async def _telling(looking: Awaitable[Discovery], url: str) -> Discovery:
    """Await a look; whatever a server or network does becomes one message."""
    from asyncua import ua

    from ingestion.collector.trust import TrustError

    try:
        return await looking
    except TrustError as error:
        fail(f"chemlink collect discover: {error} 核对指纹后运行 chemlink collect trust accept")
    except (OSError, TimeoutError, ua.UaError) as error:
        reason = str(error) or type(error).__name__
        fail(
            f"chemlink collect discover: {url}: {reason}; `chemlink collect check` says more "
            "连接或浏览失败，运行 chemlink collect check 查看原因"
        )


def _print_json_discovery(found: Discovery, target: Path) -> None:
    proposal = found.proposal
    print_json(
        {
            "system_id": found.system_id,
            "url": found.url,
            "output": target,
            "nodes": found.nodes,
            "variables": found.variables,
            "not_readable": found.closed,
            "kept": len(proposal.existing),
            "additions": proposal.additions,
            "differences": [asdict(one) for one in proposal.differences],
            "absent": proposal.absent,
            "unreadable_nodes": found.unreadable,
            "too_deep": found.too_deep,
        }
    )


def _print_discovery(found: Discovery, target: Path) -> None:
    typer.echo("", err=True)
    proposal = found.proposal
    say(
        f"{found.system_id}: {found.nodes} nodes 节点, {found.variables} variables 变量, "
        f"{found.closed} not readable 不可读"
    )
    say(f"kept 保留 {len(proposal.existing)}, added 新增 {len(proposal.additions)} → {target}")
    if proposal.differences:
        rows = [[one.tag_id, one.column, one.table, one.server] for one in proposal.differences[:_SHOWN]]
        print_table(
            ["tag 位号", "column 列", "table 点表", "server 服务器"], rows, title="differs 不一致（未修改）"
        )
        _more(len(proposal.differences))
    for title, names in (
        ("not found on the server 服务器上没有", proposal.absent),
        (
            "not listed by the server 服务器未列出",
            [f"{node} ({why})" for node, why in found.unreadable.items()],
        ),
    ):
        if names:
            say(f"{title}: {', '.join(names[:_SHOWN])}")
            _more(len(names))
    if found.too_deep:
        say(f"deeper than --depth, not entered 超过 --depth 未进入: {found.too_deep}")
    say("→ 核对名称、单位、区域后把需要的行并入点表，重启采集器")
    say("  Check names, units and areas, take the rows you want into the tag table, restart the collector")


def _more(count: int) -> None:
    if count > _SHOWN:
        say(f"… and {count - _SHOWN} more, all with --json 其余见 --json")
