"""When the laboratory hands in which workbook, in plant time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from reference_plant.laboratory.results import (
    COD,
    Laboratory,
    Result,
    Sample,
    corrected,
    mistakes,
    with_wrong_point,
    without_year,
)
from reference_plant.plant.simulation import Plant

LATE_AFTER = timedelta(minutes=30)


class Form(StrEnum):
    """How a workbook looks."""

    TEMPLATE = "template"  # the official template, made from the contract
    OLD = "old"  # the laboratory's own sheet: titles, merged headings, units inside cells


class Content(StrEnum):
    """What a workbook holds."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    MISTAKES = "mistakes"
    CORRECTION = "correction"
    LATE = "late"


@dataclass(frozen=True)
class Handover:
    """One workbook on its way to the stewards' inbox."""

    file_name: str
    at: datetime
    form: Form
    content: Content
    day: date


def handovers(plant: Plant, first_day: date, now: datetime) -> list[Handover]:
    """Every workbook handed in up to `now`, in order of time."""
    found = [
        handover
        for days in range((now.astimezone(plant.zone).date() - first_day).days + 1)
        for handover in _of_day(plant, first_day, first_day + timedelta(days=days))
    ]
    found += [
        Handover(
            f"water_{first_day:%Y%m%d}_late.xlsx",
            scenario.from_utc + LATE_AFTER,
            Form.TEMPLATE,
            Content.LATE,
            first_day,
        )
        for scenario in plant.scenarios
        if scenario.name == "late_lab_sheet"
    ]
    return sorted((one for one in found if one.at <= now), key=lambda one: one.at)


def _of_day(plant: Plant, first_day: date, day: date) -> Iterator[Handover]:
    def at(hour: int, minute: int) -> datetime:
        return datetime.combine(day, time(hour, minute), plant.zone)

    name = f"water_{day:%Y%m%d}"
    yield Handover(f"{name}_am.xlsx", at(11, 40), Form.TEMPLATE, Content.MORNING, day)
    yield Handover(f"废水监测_{day:%Y%m%d}.xlsx", at(15, 10), Form.OLD, Content.AFTERNOON, day)
    if day == first_day:
        yield Handover(f"{name}_pm.xlsx", at(18, 20), Form.TEMPLATE, Content.MISTAKES, day)
        yield Handover(f"{name}_correction.xlsx", at(21, 0), Form.TEMPLATE, Content.CORRECTION, day)


def rows_of(handover: Handover, plant: Plant, first_day: date) -> list[Result]:
    """The rows of a workbook as they are written."""
    laboratory = Laboratory(plant)
    is_first = handover.day == first_day

    def sample(number: int, hour: int, minute: int, outlet_id: str = "DW001") -> Sample:
        taken_at = datetime.combine(handover.day, time(hour, minute), plant.zone)
        return Sample(f"W{handover.day:%Y%m%d}-{number:02d}", outlet_id, taken_at)

    morning = sample(1, 9, 30)
    match handover.content:
        case Content.MORNING:
            rows = laboratory.wastewater(morning)
            return with_wrong_point(rows, COD) if is_first else rows
        case Content.AFTERNOON:
            rows = laboratory.wastewater(sample(3, 13, 30))
            if is_first:
                rows += laboratory.rain(sample(2, 10, 20, "YS001"))
                rows.append(without_year(sample(4, 14, 40), rows[0].analyst))
            return rows
        case Content.MISTAKES:
            rows = laboratory.wastewater(sample(5, 15, 30))
            return rows + mistakes(morning, rows[0].analyst)
        case Content.CORRECTION:
            return corrected(laboratory.wastewater(morning), COD)
        case Content.LATE:
            return laboratory.wastewater(sample(9, 13, 0))
