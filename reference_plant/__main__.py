"""`python -m reference_plant`: make, start, stop and check a simulated plant. Imports lazily."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from reference_plant import options

app = typer.Typer(
    help="参考工厂：模拟化工厂与严格接收端 / The simulated plant and its strict receivers.",
    no_args_is_help=True,
)

Directory = Annotated[Path, typer.Argument(help="站点目录 / site directory")]
SiteOption = Annotated[Path, typer.Option("--site", help="站点目录 / site directory")]


@app.command()
def init(
    directory: Directory,
    seed: Annotated[int, typer.Option(help="随机种子 / seed of everything drawn")] = options.DEFAULT_SEED,
    speed: Annotated[float, typer.Option(help="时间倍速 / plant seconds per second")] = options.DEFAULT_SPEED,
    live_from: Annotated[
        datetime | None, typer.Option(help="实时开始，工厂时间 / live from, plant time [2026-11-17T01:30:00]")
    ] = None,
    history_hours: Annotated[
        float, typer.Option(help="历史小时数 / hours of history before it")
    ] = options.DEFAULT_HISTORY_HOURS,
    live_minutes: Annotated[
        float, typer.Option(help="实时分钟数，工厂时间 / plant minutes of live time")
    ] = options.DEFAULT_LIVE_MINUTES,
    until: Annotated[
        datetime | None,
        typer.Option(help="生产结束，工厂时间；代替 --live-minutes / end of production instead"),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="只保留这些情景，none 为无 / keep only these scenarios; none for none"),
    ] = None,
) -> None:
    """建立参考工厂站点目录 / Make a reference plant's site directory."""
    from reference_plant.init import SiteExistsError, make_site

    begin = live_from.replace(tzinfo=options.ZONE) if live_from else options.DEFAULT_LIVE_FROM
    if until:
        live_minutes = (until.replace(tzinfo=options.ZONE) - begin) / timedelta(minutes=1)
    names = None if scenario is None else tuple(name for name in scenario if name != "none")
    chosen = options.PlantOptions(seed, speed, begin, history_hours, live_minutes, names)
    try:
        make_site(directory, chosen)
    except (SiteExistsError, ValueError) as error:
        _fail(error)
    typer.echo(f"已建立 / made {directory}: {chosen.history_start.isoformat()} … {chosen.until.isoformat()}")


@app.command()
def truth(directory: Directory) -> None:
    """写出工厂真值 / Write down everything the plant produces, values and alarms."""
    from reference_plant.truth import write_truth

    for path in write_truth(directory):
        typer.echo(str(path))


@app.command()
def start(directory: Directory) -> None:
    """启动工厂全部进程 / Start all processes of the plant and wait until they answer."""
    from orchestration.supervisor import AlreadyRunningError
    from reference_plant import lifecycle

    try:
        lifecycle.start(directory.resolve())
    except (AlreadyRunningError, lifecycle.PlantStartError) as error:
        _fail(error)
    typer.echo(f"工厂已运行 / the plant runs: {directory}")


@app.command()
def stop(directory: Directory) -> None:
    """停止工厂全部进程 / End all processes of the plant."""
    from reference_plant import lifecycle

    typer.echo(f"已停止进程数 / processes ended: {lifecycle.stop(directory.resolve())}")


@app.command()
def supervise(
    directory: Directory,
    in_turn: Annotated[
        bool, typer.Option("--in-turn", help="逐个启动 / one process after the other")
    ] = False,
) -> None:
    """在本进程监管工厂进程（由 start 调用） / Supervise the plant's processes here; `start` calls it."""
    from reference_plant import lifecycle

    lifecycle.supervise(directory.resolve(), in_turn=in_turn)


@app.command("serve-opcua")
def serve_opcua(
    site: SiteOption,
    system: Annotated[str, typer.Option(help="系统编号 / system id, as in tags/<system_id>.csv")],
) -> None:
    """一套控制系统的 OPC UA 服务器 / One control system's OPC UA server."""
    from reference_plant.servers.run import main as serve

    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("reference_plant").setLevel(logging.INFO)
    serve(site, system)


@app.command("serve-business")
def serve_business(site: SiteOption) -> None:
    """业务数据库与化验室 / The business database and the laboratory."""
    import_module("reference_plant.business.process").main(site)


@app.command("serve-province")
def serve_province(site: SiteOption) -> None:
    """省平台接收端（HJ 212） / The province's strict receiver."""
    import_module("reference_plant.receivers.province").main(site)


@app.command("serve-park")
def serve_park(site: SiteOption) -> None:
    """园区平台接收端（HTTPS） / The park's strict receiver."""
    import_module("reference_plant.receivers.park").main(site)


@app.command()
def demo(directory: Directory) -> None:
    """端到端演示后自动停止 / The main job, end to end; ends by itself."""
    from reference_plant.demo import DemoError, run_demo
    from reference_plant.summary import show

    try:
        report = run_demo(directory, typer.echo)
    except DemoError as error:
        _fail(error)
    show(report)
    raise typer.Exit(code=0 if report.succeeded else 1)


@app.command()
def reconcile(directory: Directory) -> None:
    """比对工厂、湖与平台 / Compare plant, lake and receivers; exit code 1 when they differ."""
    from reference_plant.reconcile import reconcile as compare
    from reference_plant.summary import show_comparisons

    compared = compare(directory)
    show_comparisons(compared)
    raise typer.Exit(code=1 if any(one.differences for one in compared) else 0)


@app.command()
def up(directory: Directory) -> None:
    """启动工厂与整个平台并保持运行 / Plant and platform, kept running."""
    from orchestration.starting import StartError
    from orchestration.supervisor import AlreadyRunningError
    from reference_plant.init import SiteExistsError
    from reference_plant.staying import PlantStartError, stay_up

    typer.echo("启动工厂与平台，约十秒 / starting plant and platform, some ten seconds")
    try:
        address = stay_up(directory)
    except (AlreadyRunningError, PlantStartError, SiteExistsError, StartError) as error:
        _fail(error)
    typer.echo(f"Dagster: {address}\n停止 / end it with: make down SITE={directory}")


@app.command()
def down(directory: Directory) -> None:
    """停止 up 启动的全部进程 / End exactly what `up` started."""
    from reference_plant.staying import take_down

    typer.echo(f"已停止进程数 / processes ended: {take_down(directory)}")


def _fail(error: Exception) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(code=1)


if __name__ == "__main__":
    app()
