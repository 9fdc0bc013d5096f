"""The demo's plain summary: what came in, what was made, what was sent, what differs, where to look next."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from lake import tables
from lake.layout import LAYERS, LakePaths
from orchestration.delivery import delivery_report
from orchestration.settings import load_settings
from reference_plant.demo import DemoReport
from reference_plant.reconcile import Comparison

QUESTION = "select * from marts.fct_exceedance_events"


def show(report: DemoReport, console: Console) -> None:
    """Print the summary of one demo."""
    console.print(layers(LakePaths(report.site_dir / "var")))
    console.print(checks(report))
    console.print(deliveries(report))
    console.print(comparisons(report.comparisons))
    verdict = "[green]全部一致 / everything agrees[/green]"
    if not report.succeeded:
        verdict = "[red]有差异或未完成 / something differs or is not done[/red]"
    console.print(f"{verdict}, {report.seconds:.0f} s")
    chemlink = f"CHEMLINK_SITE={report.site_dir} .venv/bin/chemlink"
    console.print("下一步 / where to look next:")
    for command in (
        f"make up SITE={report.site_dir}",
        f"{chemlink} findings",
        f"{chemlink} sql '{QUESTION}'",
    ):
        console.print(f"  {command}", soft_wrap=True, highlight=False)


def layers(lake: LakePaths) -> Table:
    """Tables and rows per layer."""
    table = Table(title="湖中数据 / in the lake")
    for heading in ("层 / layer", "表 / tables", "行 / rows"):
        table.add_column(heading, justify="left" if heading.startswith("层") else "right")
    for layer in LAYERS:
        names = lake.tables(layer)
        rows = sum(tables.count(lake.table(layer, name)) for name in names)
        table.add_row(layer, str(len(names)), f"{rows:,}")
    return table


def checks(report: DemoReport) -> Table:
    """Checks and findings of the last tick."""
    counts = report.ticks[-1].counts()
    table = Table(title="最后一次运行的检查 / checks of the last run")
    table.add_column("项 / what")
    table.add_column("数 / number", justify="right")
    for name, number in counts.items():
        table.add_row(name, str(number))
    return table


def deliveries(report: DemoReport) -> Table:
    """Submissions by report, endpoint and state."""
    table = Table(title="上报 / submissions")
    headings = (
        "报表 / report",
        "端点 / endpoint",
        "待发 / queued",
        "发送中 / sending",
        "已确认 / acknowledged",
    )
    for heading in (*headings, "拒收 / rejected", "过期 / expired", "最近回执 / last receipt"):
        table.add_column(heading)
    for row in delivery_report(load_settings(report.site_dir), None):
        table.add_row(*map(str, row.cells()))
    return table


def comparisons(compared: Iterable[Comparison]) -> Table:
    """Each comparison with both counts, and examples where something differs."""
    table = Table(title="比对 / comparison")
    for heading in ("内容 / what", "应有 / expected", "实有 / found", "差异 / differences"):
        table.add_column(heading, justify="left" if heading.startswith("内容") else "right")
    for one in compared:
        label = f"{one.label_zh} / {one.label_en}"
        table.add_row(label, f"{one.expected:,}", f"{one.found:,}", f"{one.differences:,}")
        for example in one.examples:
            table.add_row(f"  {example}")
    return table
