"""Options that several commands share, and the settings they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site", "-s", help="Site directory 站点目录; default: CHEMLINK_SITE, else the present folder."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts 以 JSON 输出.")]
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The collector's own configuration 采集器配置文件.")
]
