"""The site directory: making one, carrying its stored state forward."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import print_json, say, writing

GROUP = "Site 站点"


class Kind(StrEnum):
    """Where the site stands; it decides which endpoints are mandatory."""

    PARK = "park"
    MONITORING_POINT = "monitoring_point"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command(rich_help_panel=GROUP)(init)
    app.command(rich_help_panel=GROUP)(migrate)


def init(
    folder: Annotated[Path, typer.Argument(help="The new site directory 新站点目录.")],
    kind: Annotated[Kind, typer.Option(help="In a park, or a monitoring point 园区内或监测点.")] = Kind.PARK,
    label_zh: Annotated[str, typer.Option(help="Chinese name 中文名称.")] = "新站点",
    label_en: Annotated[str, typer.Option(help="English name 英文名称.")] = "New site",
    park: Annotated[str | None, typer.Option(help="Name of the park 园区名称.")] = None,
    county: Annotated[str, typer.Option(help="County 属地区县.")] = "未填写",
) -> None:
    """Make an empty site directory with every file the platform looks for.

    新建空的站点目录，含平台所需的全部文件与中英文注释。
    """
    from orchestration.new_site import NewSite, make_site

    name = folder.resolve().name.lower()
    site_id = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    today = datetime.now().astimezone().date()
    new = NewSite(f"site_{site_id}", label_zh, label_en, kind.value, park, county, today)
    with writing(folder):
        written = make_site(folder, new)
    for path in written:
        say(str(path))
    say(f"Next 下一步: read {folder / 'README.md'}, then `chemlink doctor --site {folder}`")


def migrate(site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Carry the stored state forward to this version; harmless when it is there already.

    将已存状态升级到当前版本；重复执行无害。
    """
    from dataclasses import asdict

    from lake.migrations import migrate as run
    from orchestration.settings import load_settings

    settings = load_settings(site)
    report = run(settings.state_url, settings.lake)
    if as_json:
        print_json(asdict(report))
    else:
        say(f"state store 状态库: {report.from_revision or 'none 无'} → {report.to_revision}")
        say(f"lake layout 湖布局: {report.from_layout or 'none 无'} → {report.to_layout}")
