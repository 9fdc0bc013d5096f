"""The processes of a site: each alone (`land`, `dispatch`), or together (`up`, `down`)."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import fail, print_json, print_table, say

GROUP = "Processes 进程"
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only this process, as `status` names it; may be repeated 只启动指定进程."),
]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(land)
    app.command(rich_help_panel=GROUP)(events)
    app.command(rich_help_panel=GROUP)(dispatch)
    app.command(rich_help_panel=GROUP)(up)
    app.command(rich_help_panel=GROUP)(down)
    app.command(rich_help_panel=GROUP)(status)
    app.command(hidden=True)(supervise)


def land(
    site: SiteOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Land what has arrived, then end 处理一次后退出.")
    ] = False,
) -> None:
    """Land arrived segments in the lake and run the hot rules.

    将到达的数据段写入湖仓并执行实时规则。
    """
    from orchestration.running import land as run
    from orchestration.settings import load_settings

    say(run(load_settings(site), once=once))


def events(site: SiteOption = None) -> None:
    """Receive signed events of other systems and keep them for landing.

    接收其他系统推送的签名事件并可靠保存，等待入湖。
    """
    from orchestration.running import events as run
    from orchestration.settings import load_settings

    say(run(load_settings(site)))


def dispatch(
    site: SiteOption = None,
    once: Annotated[bool, typer.Option("--once", help="Send what is due, then end 发送一次后退出.")] = False,
) -> None:
    """Send what the outbox holds to the endpoints, record receipts.

    将待发报告发送至各接收端并登记回执。
    """
    from orchestration.running import dispatch as run
    from orchestration.settings import load_settings

    say(run(load_settings(site), once=once))


def up(
    site: SiteOption = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay attached; Ctrl-C ends all 前台运行.")
    ] = False,
    only: OnlyOption = None,
) -> None:
    """Start every process of the site and keep them running.

    启动并守护本站点的全部进程。
    """
    from orchestration import starting
    from orchestration.processes import UI
    from orchestration.settings import load_settings

    settings = load_settings(site)
    if foreground:
        starting.prepare(settings)
        starting.supervise(settings, only or ())
        return
    address = starting.start_detached(settings, only or ())
    has_ui = not only or UI in only
    say(f"ChemLink is up 已启动: {address if has_ui else ', '.join(only or ())}")
    say("See `chemlink status`; end it with `chemlink down`. 查看状态用 status，停止用 down。")


def supervise(site: SiteOption = None, only: OnlyOption = None) -> None:
    """Run the supervisor in this process (`up` starts it this way)."""
    from orchestration import starting
    from orchestration.settings import load_settings

    starting.supervise(load_settings(site), only or ())


def down(site: SiteOption = None) -> None:
    """End exactly what `up` started, also after a crash of the supervisor.

    停止 up 启动的全部进程。
    """
    from orchestration import supervisor
    from orchestration.settings import load_settings

    ended = supervisor.stop(load_settings(site).run_dir)
    if not ended:
        fail("Nothing of this site was running. 本站点没有正在运行的进程。", ExitCode.NOT_RUNNING)
    say(f"Ended {ended} processes. 已停止 {ended} 个进程。")


def status(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Show each process: alive or not, restarts, log file.

    查看各进程状态。
    """
    from orchestration import supervisor
    from orchestration.settings import load_settings

    settings = load_settings(site)
    found = supervisor.read_run(settings.run_dir)
    alive = supervisor.is_running(settings.run_dir)
    children = found["children"] if found else []
    if as_json:
        print_json({"is_running": alive, "site_id": settings.site.site_id, "processes": children})
    elif children:
        rows = [
            [c["name"], c["pid"] or "—", c["restarts"], c["last_exit"], settings.log_dir / f"{c['name']}.log"]
            for c in children
        ]
        print_table(["process 进程", "pid", "restarts 重启", "last exit 上次退出", "log 日志"], rows)
    if not alive:
        fail(
            "Not running. Start it with `chemlink up`. 未在运行，请用 chemlink up 启动。",
            ExitCode.NOT_RUNNING,
        )
