"""Which processes a site runs, and how each is started.

Data only: starting, watching and ending them is `orchestration.supervisor`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestration.settings import Settings

CODE_LOCATION = "orchestration.definitions"


@dataclass(frozen=True)
class ProcessSpec:
    """One long-running process: its name in `status`, its command, how long after the others it starts."""

    name: str
    command: tuple[str, ...]
    label_zh: str
    label_en: str
    delay_s: float = 0.0


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
    specs += [
        ProcessSpec("land", _chemlink("land", *site), "入湖", "landing"),
        ProcessSpec("dispatch", _chemlink("dispatch", *site), "上报发送", "dispatcher"),
        ProcessSpec("webserver", _webserver(settings.site.webserver_port), "编排界面", "Dagster webserver"),
        # The UI first: both load the same code, and on a small machine each would wait for the other.
        ProcessSpec("daemon", _daemon(), "编排守护进程", "Dagster daemon", delay_s=8.0),
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
    return (sys.executable, "-m", "dagster_webserver", *where, "-m", CODE_LOCATION)


def _daemon() -> tuple[str, ...]:
    return (sys.executable, "-m", "dagster._daemon", "run", "-m", CODE_LOCATION)
