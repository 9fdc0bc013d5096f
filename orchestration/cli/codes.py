"""Code mappings: what a corrected file would fix, and taking it over."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import JsonOption, SiteOption
from orchestration.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from orchestration.code_corrections import Preview

app = typer.Typer(help="Code mappings: see what a correction fixes, take it over 编码映射：预览并采用更正.")
FileArgument = Annotated[Path, typer.Argument(help="The whole corrected table, CSV or Excel 更正后的完整表.")]
_HEADINGS = (
    "system 系统",
    "table 表",
    "type 类型",
    "code 原代码",
    "now 现在",
    "then 更正后",
    "rows 行",
    "kg",
    "CNY",
)


@app.command("preview")
def preview_file(file: FileArgument, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Show which rows, kilograms and yuan get a standard code or another one; nothing is changed.

    预览：哪些行、多少千克、多少元将得到或更换统一编码；不做任何修改。
    """
    found, _ = _preview(file, site)
    _show(found, as_json=as_json)
    if found.refused:
        raise typer.Exit(ExitCode.PROBLEMS)


@app.command("apply")
def apply_file(
    file: FileArgument,
    author: Annotated[str, typer.Option(help="Who corrects 更正人.")],
    site: SiteOption = None,
) -> None:
    """Take the file over as the site's mappings; the old file is kept. A file with a wrong line is not taken.

    采用该文件为站点的编码映射并保留旧文件；文件中有错误行时不采用。
    """
    from orchestration.code_corrections import take_over

    found, target = _preview(file, site)
    _show(found, as_json=False)
    if found.refused:
        say("Nothing was changed; correct these lines first. 未做修改，请先改正上述各行。")
        raise typer.Exit(ExitCode.PROBLEMS)
    kept = take_over(file, target, author=author, now=datetime.now(UTC))
    say(f"{target}: taken over 已采用; before 旧文件: {kept or '—'}")
    say("Next 下一步: chemlink extract raw_site_register__code_mappings")


def _preview(file: Path, site: Path | None) -> tuple[Preview, Path]:
    from ingestion.registry import load_registry
    from orchestration.code_corrections import USED_SQL, preview, read_mappings
    from orchestration.queries import run_query
    from orchestration.settings import load_settings

    settings = load_settings(site)
    register = next(one for one in load_registry(settings.site_dir) if one.system_id == "site_register")
    contract = register.contract("code_mappings")
    target = settings.site_dir / contract.source_name
    columns, rows = run_query(settings.lake, USED_SQL)
    used = [dict(zip(columns, row, strict=True)) for row in rows]
    standing = read_mappings(target, contract) if target.exists() else []
    return preview(file, contract, used, standing), target


def _show(found: Preview, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        refused = [
            {"line": one.line, "reason_zh": one.reason_zh, "reason_en": one.reason_en}
            for one in found.refused
        ]
        print_json({"effects": [asdict(one) for one in found.effects], "refused": refused})
        return
    if found.effects:
        print_table(
            _HEADINGS,
            [
                (
                    one.system_id, f"{one.table_name}.{one.column_name}", one.code_type, one.source_code,
                    one.before or "—", one.after or "—", one.row_count, one.quantity_kg, one.amount_cny,
                )
                for one in found.effects
            ],
        )  # fmt: skip
    else:
        say("No row changes its standard code. 没有任何行的统一编码发生变化。")
    for one in found.refused:
        say(f"line {one.line} refused 第 {one.line} 行拒收: {one.reason_zh} / {one.reason_en}")
