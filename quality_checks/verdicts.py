"""What a gate says, readable by the person who must act: which rule, how many rows, which ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FailedExpectation:
    """One rule that rows broke."""

    rule: str
    columns: tuple[str, ...]
    text_zh: str
    text_en: str
    row_count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class GateVerdict:
    """The outcome of one gate over one set of rows."""

    suite: str
    rows: int
    checked: int
    failures: tuple[FailedExpectation, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule held."""
        return not self.failures

    def summary_zh(self) -> str:
        """One line per broken rule, in Chinese."""
        if self.passed:
            return f"{self.suite}：{self.rows} 行通过全部 {self.checked} 条规则"
        lines = [
            f"{item.text_zh}（{item.row_count} 行；例：{_join(item.examples, '；')}）"
            for item in self.failures
        ]
        return f"{self.suite}：{self.rows} 行中有 {len(self.failures)} 条规则未通过：" + "；".join(lines)

    def summary_en(self) -> str:
        """One line per broken rule, in English."""
        if self.passed:
            return f"{self.suite}: {self.rows} rows keep all {self.checked} rules"
        lines = [
            f"{item.text_en} ({item.row_count} rows; for example {_join(item.examples, '; ')})"
            for item in self.failures
        ]
        return f"{self.suite}: {len(self.failures)} rules broken over {self.rows} rows: " + "; ".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The verdict for JSON and Dagster metadata."""
        return {**asdict(self), "passed": self.passed}


def _join(examples: tuple[str, ...], separator: str) -> str:
    return separator.join(examples) or "—"
