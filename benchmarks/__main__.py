"""`python -m benchmarks [name …]`: run the named benchmarks, or all; exit 1 when a check fails."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.report import Result, save

HERE = Path(__file__).parent


def available() -> list[str]:
    """Every folder here with a run.py."""
    return sorted(path.parent.name for path in HERE.glob("*/run.py"))


def show(result: Result, console: Console) -> None:
    """Print one result as a table."""
    table = Table(title=result.name)
    for heading in ("metric", "unit", "ours", "peers", "ratio to best"):
        table.add_column(heading)
    for metric in result.metrics:
        peers = ", ".join(f"{name}: {value:,.4g}" for name, value in metric.peers.items()) or "none"
        ratio = metric.ratio_to_best
        shown = "" if ratio is None else f"{ratio:.2f}"
        table.add_row(metric.metric, metric.unit, f"{metric.ours:,.4g}", peers, shown)
    console.print(table)
    for peer in result.peers_not_run:
        console.print(f"not run: {peer}")
    for check, ok in result.checks.items():
        console.print(f"{'ok  ' if ok else 'FAIL'} {check}")


def main() -> int:
    """Run what the command line names."""
    names = sys.argv[1:] or available()
    unknown = sorted(set(names) - set(available()))
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; there are: {', '.join(available())}", file=sys.stderr)
        return 2
    console = Console()
    passed = True
    for name in names:
        result: Result = importlib.import_module(f"benchmarks.{name}.run").run()
        show(result, console)
        save(result)
        passed = passed and result.passed
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
