"""Reports are declared beside their SQL: a dbt exposure with `config.meta.report` is the report.

Here: reading those declarations and saying which periods have fallen due. What a report looks like on the
wire belongs in `render/`, where it goes in `endpoints`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from exports.errors import SpecError
from exports.periods import Period, PeriodKind, complete_periods


class ReportSpec(BaseModel):
    """One report to authorities, as its exposure declares it.

    A period falls due `due_minutes` after it ends: until then the marts may settle. It is late when no
    receipt came `grace_minutes` after that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    report_id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label_zh: str
    label_en: str
    mode: Literal["scheduled", "stream"]
    period: PeriodKind
    source_table: str
    due_minutes: float = Field(ge=0)
    grace_minutes: float = Field(ge=0)
    endpoints: tuple[str, ...]
    renderer: Literal["hj212", "park_json"]
    command: Literal["2011", "2051", "2061", "2031"] | None = None
    subject: Literal["outlet", "site"]
    gate: str | None = None
    clause: str

    @model_validator(mode="after")
    def _refuse_the_half_declared(self) -> Self:
        if (self.renderer == "hj212") != (self.command is not None):
            msg = "command is the HJ 212 command code: it goes with renderer hj212 and with no other"
            raise ValueError(msg)
        if (self.mode == "stream") != (self.period is PeriodKind.REAL_TIME):
            msg = "mode stream goes with period real_time, mode scheduled with ten_minute, hour or day"
            raise ValueError(msg)
        if self.renderer == "hj212" and self.subject != "outlet":
            msg = "an HJ 212 report has subject outlet, because a device number (MN) stands for one outlet"
            raise ValueError(msg)
        if self.renderer == "park_json" and self.subject != "site":
            msg = "a park report has subject site, because the park numbers a report's submissions in one row"
            raise ValueError(msg)
        return self

    def due_at(self, period: Period) -> datetime:
        """When the report of `period` falls due."""
        return period.end_utc + timedelta(minutes=self.due_minutes)

    def late_at(self, period: Period) -> datetime:
        """From when on a report of `period` without a receipt is late."""
        return self.due_at(period) + timedelta(minutes=self.grace_minutes)


def due_periods(spec: ReportSpec, since: datetime, now: datetime, zone: ZoneInfo) -> list[Period]:
    """Periods that start at or after `since` and have fallen due by `now`, oldest first."""
    settled_by = now - timedelta(minutes=spec.due_minutes)
    return list(complete_periods(spec.period, since, settled_by, zone))


def load_reports(manifest_path: Path) -> dict[str, ReportSpec]:
    """The reports that dbt's manifest declares, by id.

    Raises:
        SpecError: there is no manifest, or an exposure's `config.meta.report` cannot be followed.
    """
    if not manifest_path.exists():
        msg = f"{manifest_path}: reports are read from dbt's manifest, which is not there; run `dbt parse`"
        raise SpecError(msg)
    return reports_from_manifest(json.loads(manifest_path.read_text(encoding="utf-8")))


def reports_from_manifest(manifest: Mapping[str, Any]) -> dict[str, ReportSpec]:
    """The reports among a manifest's exposures; every faulty one is named in one error.

    Raises:
        SpecError: a declaration has unknown, missing or contradicting keys.
    """
    found: dict[str, ReportSpec] = {}
    faults: list[str] = []
    for exposure in manifest.get("exposures", {}).values():
        declared = exposure.get("config", {}).get("meta", {}).get("report")
        if declared is None:
            continue
        try:
            found[exposure["name"]] = ReportSpec(report_id=exposure["name"], **declared)
        except (ValidationError, TypeError) as error:
            faults.append(f"exposure {exposure['name']}: {error}")
    if faults:
        msg = "reports cannot be read from the dbt manifest; correct config.meta.report:\n" + "\n".join(
            faults
        )
        raise SpecError(msg)
    return found
