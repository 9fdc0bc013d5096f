"""The control-zone engineer's commands: the collector, and what is done while it stands still.

Imports what the collector imports and nothing of the platform: it runs where that is not installed.
"""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli import collecting
from orchestration.cli.exits import ExitCode
from orchestration.cli.options import ConfigOption, JsonOption
from orchestration.cli.output import print_json, say

GROUP = "Control zone 控制区"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.add_typer(collecting.app, name="collect", rich_help_panel=GROUP)
    app.command(rich_help_panel=GROUP)(keys)
    app.command(rich_help_panel=GROUP)(resend)


def keys(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Make the collector's certificate and the pair that signs segments; leave existing ones alone.

    生成采集器的 OPC UA 证书和数据段签名密钥；已有的文件不会被覆盖。
    """
    from ingestion.collector.identity import make_identity
    from ingestion.collector.settings import load_settings

    settings = load_settings(config)
    report = make_identity(settings.pki, settings.collector_id)
    if as_json:
        print_json({**vars(report), "made": [str(path) for path in report.made]})
        return
    for path in report.made:
        say(f"made 已生成: {path}")
    if not report.made:
        say("Everything was there; nothing was changed. 密钥均已存在，未作改动。")
    say(f"→ 把 {report.certificate} 加入每台 OPC UA 服务器的信任列表（SHA-256 {report.fingerprint}）")
    say(f"  Put {report.certificate} into the trust list of each OPC UA server (fingerprint above)")
    say(f"→ 把 {report.verify_key} 拷到业务区站点的 pki/；其余密钥不得离开控制区")
    say(f"  Copy {report.verify_key} to pki/ of the business zone; the other keys stay in the control zone")


def resend(
    config: ConfigOption,
    stream: Annotated[str, typer.Option(help="Stream, e.g. opcua_environment.points 数据流.")],
    first: Annotated[int, typer.Option("--from", min=1, help="First segment number 起始段号.")],
    last: Annotated[int, typer.Option("--to", min=1, help="Last segment number, included 结束段号（含）.")],
    as_json: JsonOption = False,
) -> None:
    """Send sealed segments through the gateway again, by the numbers that a stream_gap finding names.

    按缺段问题（stream_gap）给出的编号重新摆渡数据段；采集器运行时由其补发。有段已不在本机时退出码为 3。
    """
    from ingestion.collector.resending import resend as run

    report = run(config, stream, first, last)
    if as_json:
        print_json({**vars(report), "absent": report.absent})
    else:
        done = (
            "ordered from the running collector 已交采集器重发" if report.is_ordered else "sent again 已重发"
        )
        say(f"{stream} {first}–{last}: {done} {report.sent}, no longer here 本机已无 {report.absent}")
        if report.absent:
            say("→ 超过 retain_hours 的段无法重发，其覆盖的时段按缺失数据处理")
            say("  Segments past retain_hours are gone; treat the time they cover as missing data")
    if report.absent:
        raise typer.Exit(ExitCode.PROBLEMS)
