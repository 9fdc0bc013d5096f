"""The demo's plain summary: what came in, what was made, what was sent, what differs, where to look next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lake import tables
from lake.findings import open_findings
from lake.layout import LAYERS, LakePaths
from lake.state import open_state
from orchestration.cli.output import print_table, say
from orchestration.delivery import delivery_report
from orchestration.settings import load_settings
from reference_plant.demo import DemoReport
from reference_plant.reconcile import Comparison

QUESTION = "select * from marts.fct_exceedance_events"


def show(report: DemoReport) -> None:
    """Print the summary of one demo."""
    show_layers(LakePaths(report.site_dir / "var"))
    show_checks(report)
    show_deliveries(report)
    show_comparisons(report.comparisons)
    verdict = "全部一致 / everything agrees"
    if not report.succeeded:
        verdict = "有差异或未完成 / something differs or is not done"
    say(f"{verdict}, {report.seconds:.0f} s")
    chemlink = f"CHEMLINK_SITE={report.site_dir} .venv/bin/chemlink"
    say("下一步 / where to look next:")
    for command in (
        f"make up SITE={report.site_dir}",
        f"{chemlink} findings",
        f"{chemlink} sql '{QUESTION}'",
    ):
        say(f"  {command}")


def show_layers(lake: LakePaths) -> None:
    """Tables and rows per layer."""
    rows = []
    for layer in LAYERS:
        names = lake.tables(layer)
        total = sum(tables.count(lake.table(layer, name)) for name in names)
        rows.append((layer, len(names), f"{total:,}"))
    print_table(("层 / layer", "表 / tables", "行 / rows"), rows, title="湖中数据 / in the lake")


def show_checks(report: DemoReport) -> None:
    """Checks of the last run, and open findings by kind."""
    counts = report.ticks[-1].counts()
    rows = [
        ("通过的检查 / checks passed", counts["checks_passed"]),
        ("未通过的检查 / checks failed", counts["checks_failed"]),
        *((f"问题 / finding: {kind}", number) for kind, number in sorted(_findings(report).items())),
    ]
    print_table(("项 / what", "数 / number"), rows, title="检查与问题 / checks and findings")


def _findings(report: DemoReport) -> Counter[str]:
    settings = load_settings(report.site_dir)
    state = open_state(settings.state_url, settings.clock.now)
    with state.read() as connection:
        return Counter(row["kind"] for row in open_findings(connection))


def show_deliveries(report: DemoReport) -> None:
    """Submissions by report, endpoint and state."""
    headings = (
        "报表 / report",
        "端点 / endpoint",
        "待发 / queued",
        "发送中 / sending",
        "已确认 / acknowledged",
    )
    more = ("拒收 / rejected", "过期 / expired", "最近回执 / last receipt")
    delivered = delivery_report(load_settings(report.site_dir))
    print_table((*headings, *more), [line.cells() for line in delivered], title="上报 / submissions")


def show_comparisons(compared: Sequence[Comparison]) -> None:
    """Each comparison with both counts, and examples where something differs."""
    headings = ("内容 / what", "应有 / expected", "实有 / found", "差异 / differences")
    rows = [
        (f"{one.label_zh} / {one.label_en}", f"{one.expected:,}", f"{one.found:,}", f"{one.differences:,}")
        for one in compared
    ]
    print_table(headings, rows, title="比对 / comparison")
    for one in compared:
        for example in one.examples:
            say(f"  {one.label_en}: {example}")
