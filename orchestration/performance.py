"""Tables of what was measured, from the committed results of `make bench`: nobody types a figure.

Regions of hand-written pages are replaced between their two marks; everything else of the page stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
Language = Literal["zh", "en"]
Result = Mapping[str, Any]

_NOT_MEASURED = {"zh": "（尚未测量：`make bench`）", "en": "(not measured yet: `make bench`)"}
_SECONDS_A_DAY = 86_400
# Tags and how often each changes, as plants have them; the last is the national system's shape of 2022.
_SIZES = ((500, 1.0), (5_000, 1.0), (20_000, 1.0), (5_000, 0.1), (440_000, 440_000 / 9_300))
_SIZED_BY = "collector_440k"


def read_results(folder: Path = RESULTS) -> list[Result]:
    """Every committed result, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def summary_table(results: Iterable[Result], language: Language) -> str:
    """What was measured beside another product: ours, the best of the others, and how many times better."""
    rows = [
        [f"`{result['name']}`", _quantity(metric), _figure(metric["ours"]), *_best(metric)]
        for result in results
        for metric in result["metrics"]
        if metric["peers"]
    ]
    if not rows:
        return _NOT_MEASURED[language] + "\n"
    heading = {
        "zh": ["基准测试", "指标", "本产品", "其他产品中最好的", "倍数"],
        "en": ["benchmark", "quantity", "ours", "best of the others", "ratio"],
    }
    return _table(heading[language], rows)


def performance_page() -> str:
    """Every result whole: figures, machine, checks, and which peers did not run."""
    parts = [
        "# 性能 · Performance\n",
        "由 `make bench` 测得并提交。 Measured by `make bench` and committed.\n",
    ]
    for result in read_results():
        machine = result["machine"]
        parts.append(f"\n## {result['name']}\n")
        parts.append(
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; commit "
            f"{result['commit']}; seed {result['seed']}; load {result['load1']:.1f}\n\n"
        )
        rows = [
            [_quantity(metric), _figure(metric["ours"]), _peers(metric), _ratio(metric)]
            for metric in result["metrics"]
        ]
        parts.append(_table(["quantity", "ours", "peers", "ratio to best"], rows))
        parts += [f"\n- {'✓' if check['ok'] else '✗'} {check['check']}" for check in result["checks"]]
        parts += [f"\n- not run 未运行: {peer}" for peer in result.get("peers_not_run", [])]
        parts.append("\n")
    return "".join(parts)


def sizing_table(results: Iterable[Result], language: Language) -> str:
    """What a collector of some tags needs: values per second, share of a core, disk by day and for a week."""
    found = next((result for result in results if result["name"] == _SIZED_BY), None)
    if found is None:
        return _NOT_MEASURED[language] + "\n"
    measured = {metric["metric"]: metric["ours"] for metric in found["metrics"]}
    rows = []
    for tags, interval_s in _SIZES:
        values_s = tags / interval_s
        bytes_a_day = values_s * measured["bytes_per_row"] * _SECONDS_A_DAY
        rows.append(
            [
                f"{tags:,}", f"{interval_s:.3g} s", f"{values_s:,.0f}",
                f"{100 * values_s / measured['values_per_cpu_s']:.1f} %",
                _size(bytes_a_day), _size(7 * bytes_a_day),
            ]
        )  # fmt: skip
    heading = {
        "zh": ["位号", "变化周期", "值/秒", "占一个处理器核", "磁盘/天", "磁盘/7 天"],
        "en": [
            "tags",
            "each changes every",
            "values/s",
            "share of one core",
            "disk a day",
            "disk for 7 days",
        ],
    }
    cpu = found["machine"]["cpu"]
    note = {
        "zh": f"\n按 `{_SIZED_BY}` 实测推算（{cpu}；每值 {measured['bytes_per_row']:.1f} 字节，"
        f"内存峰值 {measured['memory_peak']:.0f} MiB，含解码、封装、签名与落盘；加密另计）。\n",
        "en": f"\nFrom `{_SIZED_BY}` as measured ({cpu}; {measured['bytes_per_row']:.1f} bytes a value, "
        f"{measured['memory_peak']:.0f} MiB at most; decoding, sealing, signing, fsync; encryption apart).\n",
    }
    return _table(heading[language], rows) + note[language]


def regions() -> dict[Path, tuple[str, str]]:
    """Pages with a generated region: the region's name and its text."""
    results = read_results()
    guide = ROOT / "docs" / "guide"
    return {
        ROOT / "README.md": ("performance", summary_table(results, "en")),
        ROOT / "README.zh-CN.md": ("performance", summary_table(results, "zh")),
        guide / "en" / "control-zone.md": ("sizing", sizing_table(results, "en")),
        guide / "zh" / "control-zone.md": ("sizing", sizing_table(results, "zh")),
    }


def filled(page: str, name: str, text: str) -> str:
    """The page with the text between the region's marks.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name}: generated by `chemlink docs build` -->", f"<!-- {name}: end -->"
    before, mark, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not mark or not last:
        msg = f"expected the lines {begin!r} and {end!r} in the page; put them where the table belongs"
        raise ValueError(msg)
    return f"{before}{begin}\n{text}{end}{after}"


def _quantity(metric: Mapping[str, Any]) -> str:
    return f"{metric['metric'].replace('_', ' ')} ({metric['unit']})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _best(metric: Mapping[str, Any]) -> list[str]:
    choose = max if metric["better"] == "higher" else min
    name = choose(metric["peers"], key=metric["peers"].__getitem__)
    return [f"{_figure(metric['peers'][name])} ({name})", _ratio(metric)]


def _peers(metric: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_figure(value)}" for name, value in metric["peers"].items()) or "—"


def _ratio(metric: Mapping[str, Any]) -> str:
    ratio = metric["ratio_to_best"]
    return "—" if ratio is None else f"{ratio:.1f}"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heading) + " |", "|" + "---|" * len(heading)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
