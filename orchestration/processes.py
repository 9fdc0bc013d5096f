"""Which processes a site runs, how each is started, and which of them wait for another.

Data only: starting, watching and ending them is `orchestration.supervisor`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestration.settings import Settings

CODE_LOCATION = "orchestration.definitions"
UI = "webserver"


@dataclass(frozen=True)
class ProcessSpec:
    """One long-running process.

    Attributes:
        name: its name in `status`.
        command: how it is started.
        label_zh: what people call it.
        label_en: the same in English.
        port: where it answers once it is up; nothing for one that listens nowhere.
        after: the process that answers first; nothing for one that starts at once.
    """

    name: str
    command: tuple[str, ...]
    label_zh: str
    label_en: str
    port: int | None = None
    after: str | None = None


def process_specs(settings: Settings) -> list[ProcessSpec]:
    """The processes of this site, in the order in which they are started."""
    specs: list[ProcessSpec] = []
    config = settings.site_dir / "collector.yml"
    if _names_servers(config):
        command = _chemlink("collect", "--config", str(config))
        specs.append(ProcessSpec("collect", command, "采集", "collector"))
    site = ("--site", str(settings.site_dir))
    if settings.site.gateway_udp is not None:
        specs.append(ProcessSpec("receive", _chemlink("receive", *site), "网闸接收", "gateway receiver"))
    if settings.site.events is not None:
        command = _chemlink("events", *site)
        specs.append(
            ProcessSpec("events", command, "事件接收", "event receiver", port=settings.site.events.port)
        )
    port = settings.site.webserver_port
    # Collecting starts at once. The rest, which only catches up, leaves a small machine to the UI until that
    # answers: all at once they would take three times as long, each waiting for the others.
    specs += [
        ProcessSpec("land", _chemlink("land", *site), "入湖", "landing", after=UI),
        ProcessSpec("dispatch", _chemlink("dispatch", *site), "上报发送", "dispatcher", after=UI),
        ProcessSpec(UI, _webserver(port), "编排界面", "Dagster webserver", port=port),
        ProcessSpec("daemon", _daemon(), "编排守护进程", "Dagster daemon", after=UI),
    ]
    return specs


def _names_servers(config: Path) -> bool:
    """Whether there is anything to collect: a new site's configuration names no server yet."""
    return config.is_file() and bool(
        (yaml.safe_load(config.read_text(encoding="utf-8")) or {}).get("servers")
    )


def _chemlink(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "orchestration.cli", *arguments)


def _webserver(port: int) -> tuple[str, ...]:
    where = ("--host", "127.0.0.1", "--port", str(port))
    return _dagster("dagster_webserver", *where)


def _daemon() -> tuple[str, ...]:
    return _dagster("dagster._daemon", "run")


def _dagster(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "orchestration.serving", program, *arguments, "-m", CODE_LOCATION)
