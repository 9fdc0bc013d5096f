"""The register of outlets as the hot rules need it: which tag gives which factor, and how it is corrected."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

STATE_FACTOR = "i12001"
"""The factor code under which the register names an outlet's instrument state."""


@dataclass(frozen=True)
class OutletPoint:
    """One factor of an outlet and the tag that gives it."""

    factor_code: str
    system_id: str
    tag_id: str
    is_wet: bool
    is_actual_condition: bool


@dataclass(frozen=True)
class Outlet:
    """One outlet and its points on a given day."""

    outlet_id: str
    reference_o2_pct: float | None
    stack_area_m2: float | None
    velocity_coefficient: float
    points: tuple[OutletPoint, ...]

    @property
    def measured(self) -> tuple[OutletPoint, ...]:
        """Its points without the instrument state."""
        return tuple(point for point in self.points if point.factor_code != STATE_FACTOR)

    @property
    def state_point(self) -> OutletPoint | None:
        """The point of its instrument state, where it has one."""
        return next((point for point in self.points if point.factor_code == STATE_FACTOR), None)


def read_outlets(registers: Path, *, on: date) -> tuple[Outlet, ...]:
    """The outlets of a site on a day, from the site's own register files.

    Args:
        registers: the site's folder with `outlets.csv` and `outlet_points.csv`; no outlets without them.
        on: the plant's date: points not valid on it are left out.
    """
    return outlets_of(_rows(registers / "outlets.csv"), _rows(registers / "outlet_points.csv"), on=on)


def outlets_of(
    outlets: Iterable[Mapping[str, str]], points: Iterable[Mapping[str, str]], *, on: date
) -> tuple[Outlet, ...]:
    """Outlets with their points valid on a day, from register rows as text; none without points."""
    by_outlet: dict[str, list[OutletPoint]] = {}
    for row in points:
        if row["valid_from"] <= on.isoformat() < (row["valid_to"] or "9999-12-31"):
            by_outlet.setdefault(row["outlet_id"], []).append(_point(row))
    return tuple(
        Outlet(
            outlet_id=row["outlet_id"],
            reference_o2_pct=_number(row["reference_o2_pct"]),
            stack_area_m2=_number(row["stack_area_m2"]),
            velocity_coefficient=_number(row["velocity_coefficient"]) or 1.0,
            points=tuple(by_outlet[row["outlet_id"]]),
        )
        for row in outlets
        if row["outlet_id"] in by_outlet
    )


def _point(row: Mapping[str, str]) -> OutletPoint:
    return OutletPoint(
        factor_code=row["factor_code"],
        system_id=row["system_id"],
        tag_id=row["tag_id"],
        is_wet=row["moisture_basis_code"] == "wet",
        is_actual_condition=row["condition_basis_code"] == "actual",
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))
