"""The receiving end of a bare diode: run it, make its key."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.options import SiteOption
from orchestration.cli.output import say

GROUP = "Processes 进程"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(receive)


def receive(
    site: SiteOption = None,
    make_key: Annotated[
        bool,
        typer.Option("--make-key", help="Make the key pair for encryption only 仅生成加密密钥对."),
    ] = False,
) -> None:
    """Receive segments over a bare diode (UDP) into the inbox. It never sends a byte.

    接收单向光闸（UDP）送来的数据段并写入收件目录；从不回送任何数据。
    """
    from orchestration.settings import load_settings

    settings = load_settings(site)
    if make_key:
        from orchestration.receiver_key import make_receiver_key

        public = make_receiver_key(settings)
        say(f"→ 把 {public} 拷到控制区，写入 collector.yml 的 gateway.udp.receiver_key；私钥不得离开本机")
        say(f"  Copy {public} to the control zone as gateway.udp.receiver_key; the private key stays here")
        return
    from orchestration.running import receive as run

    say(run(settings))
