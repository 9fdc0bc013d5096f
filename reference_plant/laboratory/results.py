"""What the laboratory found: samples, the values of their items, and how people wrote them down."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from protocols.opcua_time import to_ticks
from reference_plant.plant.simulation import Plant

VALUES_IN_A_SAMPLE = 10
# A bottle can be filled while the instrument is out of order: then its last good values stand for the water.
LOOK_BACK = timedelta(days=1)
RELATIVE_DIFFERENCE = 0.03  # between the laboratory's method and the instrument at the outlet
ANALYSTS = ("陈静", "吴晓东")
REVIEWER = "周敏"


@dataclass(frozen=True)
class Item:
    """What is determined in a water sample, and by which method."""

    factor_code: str
    name_zh: str
    signal: str  # the part of the outlet's tag that measures the same
    unit_code: str
    method_no: str
    decimals: int


PH = Item("w01001", "pH", "PH", "1", "HJ 1147-2020", 1)
COD = Item("w01018", "化学需氧量", "COD", "mg/L", "HJ 828-2017", 0)
NH3N = Item("w21003", "氨氮", "NH3N", "mg/L", "HJ 535-2009", 3)
TP = Item("w21011", "总磷", "TP", "mg/L", "GB/T 11893-1989", 2)
TN = Item("w21001", "总氮", "TN", "mg/L", "HJ 636-2012", 2)
WASTEWATER_ITEMS = (PH, COD, NH3N, TP, TN)

# What rain carries too little of: written by the analyst, not taken from an instrument.
RAIN_TEXTS = ((NH3N, "<0.025"), (TP, "0.02"), (TN, "<0.05"))


@dataclass(frozen=True)
class Sample:
    """One bottle."""

    sample_id: str
    outlet_id: str
    taken_at: datetime
    taken_text: str | None = None  # how the moment is written, where that matters


@dataclass(frozen=True)
class Result:
    """One row of a workbook: one item of one sample, as written."""

    sample: Sample
    item: Item
    result: float | str
    analyst: str
    correction_reason: str | None = None
    correction_author: str | None = None
    remark: str | None = None


class Laboratory:
    """Determines samples of one simulated plant."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def wastewater(self, sample: Sample) -> list[Result]:
        """All items of a wastewater sample."""
        return [self._result(sample, item, self.value(sample, item)) for item in WASTEWATER_ITEMS]

    def rain(self, sample: Sample) -> list[Result]:
        """All items of a rain-water sample, some below their detection limit."""
        found = [self._result(sample, item, self.value(sample, item)) for item in (PH, COD)]
        return found + [self._result(sample, item, text) for item, text in RAIN_TEXTS]

    def value(self, sample: Sample, item: Item) -> float:
        """What the method finds: the mean of the outlet's latest values, and the method's own deviation.

        Raises:
            ValueError: the outlet was not measured for a day.
        """
        tag_id = f"{sample.outlet_id}.{item.signal}"
        since = to_ticks(sample.taken_at - LOOK_BACK)
        values = self._plant.series(tag_id, since, to_ticks(sample.taken_at)).values
        latest = values[np.isfinite(values)][-VALUES_IN_A_SAMPLE:]
        if not len(latest):
            msg = (
                f"sampling {sample.sample_id}: expected a value of {tag_id} in the {LOOK_BACK} before "
                f"{sample.taken_at.isoformat()}, found none; sample when the outlet is measured"
            )
            raise ValueError(msg)
        draw = random.Random(f"{self._plant.seed}:{sample.sample_id}:{item.factor_code}")
        spread = RELATIVE_DIFFERENCE if item is not PH else RELATIVE_DIFFERENCE / 10
        return round(float(latest.mean()) * draw.gauss(1.0, spread), item.decimals)

    def _result(self, sample: Sample, item: Item, result: float | str) -> Result:
        analyst = random.Random(f"{sample.sample_id}:analyst").choice(ANALYSTS)
        return Result(sample, item, result, analyst)


def with_wrong_point(results: list[Result], item: Item) -> list[Result]:
    """The rows with the decimal point of one item in the wrong place."""
    return [
        replace(row, result=round(row.result / 10, 2))
        if row.item is item and isinstance(row.result, float)
        else row
        for row in results
    ]


def corrected(results: list[Result], item: Item) -> list[Result]:
    """One item's rows again, right, with reason and author."""
    return [
        replace(row, correction_reason="稀释倍数录入错误", correction_author=REVIEWER)
        for row in results
        if row.item is item
    ]


def mistakes(good: Sample, analyst: str) -> list[Result]:
    """Rows that must be refused, each for a reason of its own; `good` was handed in before."""
    day = good.sample_id[:-2]

    def sample(number: int, outlet_id: str = "DW001", days_off: int = 0) -> Sample:
        return Sample(f"{day}{number:02d}", outlet_id, good.taken_at + timedelta(days=days_off, hours=6))

    return [
        Result(sample(6), COD, -12.0, analyst),
        Result(sample(6), NH3N, "约1.2", analyst),
        Result(sample(7, outlet_id="DW009"), COD, 40.0, analyst),
        Result(sample(8, days_off=3), COD, 41.0, analyst),
        Result(good, COD, 61.0, analyst),
    ]


def without_year(sample: Sample, analyst: str) -> Result:
    """A row whose date lacks the year: nobody may guess it."""
    at = sample.taken_at
    vague = replace(sample, taken_text=f"{at.month}.{at.day} {at.hour}:{at.minute:02d}")
    return Result(vague, COD, 150.0, analyst)
