"""A report's gate, asked once for each version of its table, whoever asks: the asset check or the outbox."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import pyarrow as pa

from exports.outbox import GateVerdict as OutboxVerdict
from exports.reports import ReportSpec
from lake import tables
from orchestration.settings import Settings
from quality_checks.verdicts import GateVerdict


class Gatekeeper:
    """Answers for the gates of one site's reports over plant days from `since` on."""

    def __init__(self, settings: Settings, since: date) -> None:
        self._settings = settings
        self._since = since

    def __call__(self, report: ReportSpec) -> OutboxVerdict:
        """What the outbox asks before it queues anything of `report`."""
        verdict = self.verdict(report)
        return OutboxVerdict(verdict.passed, verdict.summary_zh(), verdict.summary_en())

    def verdict(self, report: ReportSpec) -> GateVerdict:
        """The whole verdict; a table that is not there yet has no rows and passes."""
        path = self._settings.lake.table("regulatory", report.source_table)
        version = tables.version(path)
        if version is None or report.gate is None:
            return GateVerdict(report.gate or "none", 0, 0, ())
        return _checked(report.gate, str(path), version, self._since)


@lru_cache(maxsize=64)
def _checked(suite: str, path: str, version: int, since: date) -> GateVerdict:
    from pathlib import Path

    from quality_checks.gates import check_report

    rows: pa.Table = tables.read(Path(path), filters=[("plant_date", ">=", since)], version=version)
    return check_report(suite, rows)
