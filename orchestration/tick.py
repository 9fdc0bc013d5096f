"""One tick: everything that is due, in phases, each phase a Dagster run that the UI shows.

A phase that fails is told and the next one still runs on what is there. Ticks of one site never overlap.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestration.settings import Settings


@dataclass
class PhaseReport:
    """What one phase did.

    Attributes:
        phase: its name, which is also its job's.
        run_ids: the Dagster runs it made; none where nothing was due.
        materialized: how many assets were materialised.
        checks_passed: how many asset checks passed.
        checks_failed: `asset: check: why` of those that did not.
        failures: `step: why` of the steps that failed.
        seconds: how long it took.
    """

    phase: str
    run_ids: list[str] = field(default_factory=list)
    materialized: int = 0
    checks_passed: int = 0
    checks_failed: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def line(self) -> str:
        """One line for a person."""
        checks = f"{self.checks_passed:>4} checks passed {len(self.checks_failed):>3} failed"
        steps = f"{self.materialized:>4} assets {len(self.failures):>3} step failures"
        return f"{self.phase:<12} {self.seconds:6.1f} s {steps} {checks}"


@dataclass
class TickReport:
    """What one tick did; `skipped` when another tick of the site was under way."""

    skipped: bool = False
    phases: list[PhaseReport] = field(default_factory=list)
    findings: dict[str, int] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether no step failed; failed checks are findings, not failures of the tick."""
        return not any(phase.failures for phase in self.phases)

    def lines(self) -> list[str]:
        """The report for a person."""
        if self.skipped:
            return ["skipped: another tick of this site is under way 已有任务在执行，跳过"]
        told = [phase.line() for phase in self.phases]
        told += [
            f"  check failed 检查未通过: {text}" for phase in self.phases for text in phase.checks_failed
        ]
        told += [f"  step failed 步骤失败: {text}" for phase in self.phases for text in phase.failures]
        told += [f"  findings 问题 {kind}: {count}" for kind, count in self.findings.items() if count]
        return told

    def counts(self) -> dict[str, int]:
        """The report as numbers, for metadata."""
        return {
            "assets": sum(phase.materialized for phase in self.phases),
            "checks_passed": sum(phase.checks_passed for phase in self.phases),
            "checks_failed": sum(len(phase.checks_failed) for phase in self.phases),
            "step_failures": sum(len(phase.failures) for phase in self.phases),
            "findings": sum(self.findings.values()),
        }


def run_tick(settings: Settings, *, on_phase: Callable[[str], None] | None = None) -> TickReport:
    """Do everything that is due at this site, in this process.

    Args:
        settings: the site.
        on_phase: told the name of each phase as it begins.
    """
    settings.enter()
    with _alone(settings) as is_alone:
        if not is_alone:
            return TickReport(skipped=True)
        return _run_phases(settings, on_phase or (lambda _phase: None))


def _run_phases(settings: Settings, on_phase: Callable[[str], None]) -> TickReport:
    on_phase("loading 加载")
    from orchestration.phases import PHASES, open_workshop

    report = TickReport()
    with open_workshop(settings) as workshop:
        for phase in PHASES:
            on_phase(f"{phase.label_en} {phase.label_zh}")
            began = time.monotonic()
            done = phase.run(workshop)
            done.seconds = time.monotonic() - began
            report.phases.append(done)
        report.findings = workshop.findings
    return report


@contextmanager
def _alone(settings: Settings) -> Iterator[bool]:
    """Hold the site's tick lock; False when another process holds it."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    with (settings.run_dir / "tick.lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
