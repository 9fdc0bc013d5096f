"""The laboratory's part of the story: specifications, samples from request to release, results.

Wrong on purpose, all found again by tests of the story and of the marts:

- the in-process sample of each day's first batch is registered twice; the second is deleted 20 minutes later;
- the purity of each day's first product is typed ten times too small and corrected after half an hour;
- the bottle of each day's second product is not scanned when the sample is taken;
- each day's third product has too much water at first: the test is repeated, the first result superseded;
- every fourth methanol delivery is wetter than specified.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from reference_plant.business.catalogue import AMMONIA, CATALYST, CHLORINE, METHANOL, MIXED_AMINES, Material
from reference_plant.business.journal import Journal
from reference_plant.business.plans import Delivery, Plan
from reference_plant.business.tables import Row
from reference_plant.plant.batches import PhaseCode

SAMPLERS, ANALYSTS, REVIEWER, QUALITY_HEAD = ("QC01", "QC02"), ("QC03", "QC04"), "QC05", "QA01"
TYPED_TWICE_FOR = timedelta(minutes=20)
TYPED_WRONGLY_FOR = timedelta(minutes=30)
REPEATED_AFTER = timedelta(minutes=25)
STRICTER_AFTER = timedelta(hours=30)


@dataclass(frozen=True)
class Limit:
    """One parameter of a material, its limits and the range in which a sound value lies."""

    material: Material
    sample_type: str
    parameter: str
    name_zh: str
    unit: str
    lower: str | None
    upper: str | None
    sound: tuple[float, float]


LIMITS = (
    Limit(METHANOL, "RAW", "PURITY", "纯度", "%", "99.85", None, (99.88, 99.96)),
    Limit(METHANOL, "RAW", "WATER", "水分", "%", None, "0.10", (0.03, 0.08)),
    Limit(AMMONIA, "RAW", "PURITY", "纯度", "%", "99.60", None, (99.70, 99.95)),
    Limit(AMMONIA, "RAW", "OIL", "油含量", "mg/kg", None, "5", (1.0, 4.0)),
    Limit(CHLORINE, "RAW", "PURITY", "纯度", "%", "99.60", None, (99.65, 99.90)),
    Limit(CATALYST, "RAW", "LOSS", "灼烧减量", "%", None, "5", (2.0, 4.0)),
    Limit(MIXED_AMINES, "IPC", "CONV", "转化率", "%", "92", None, (92.6, 95.0)),
    Limit(MIXED_AMINES, "FG", "AMINE", "总胺含量", "%", "98.0", None, (98.2, 99.1)),
    Limit(MIXED_AMINES, "FG", "WATER", "水分", "%", None, "0.50", (0.20, 0.40)),
)
# Minutes after the request at which a sample is taken, tested, reviewed and released.
PACE = {"RAW": (15, 60, 85, 112), "IPC": (4, 14, 18, 20), "FG": (10, 60, 85, 112)}
_STEPS = (("SAMPLE", "SAM"), ("TEST", "TST"), ("REVIEW", "REV"), ("RELEASE", "REL"))


@dataclass(frozen=True)
class Sample:
    """One sample and what is special about it."""

    sample_id: str
    number: int  # eleven digits that its events and results share
    sample_type: str
    material: Material
    requested_at_utc: datetime
    point: str
    lot_no: str | None = None
    batch_id: str | None = None
    is_unscanned: bool = False
    is_repeated: bool = False
    is_typed_wrongly: bool = False
    is_wet: bool = False

    @property
    def limits(self) -> list[Limit]:
        """What it is tested for."""
        return [one for one in LIMITS if (one.material, one.sample_type) == (self.material, self.sample_type)]

    @property
    def times_utc(self) -> list[datetime]:
        """When it is taken, tested, reviewed and released."""
        return [self.requested_at_utc + timedelta(minutes=after) for after in PACE[self.sample_type]]


def material_no(material: Material) -> str:
    """The laboratory writes the ERP's number without its zeros."""
    return material.matnr.lstrip("0")


def samples_of(plans: Sequence[Plan], deliveries: Sequence[Delivery]) -> list[Sample]:
    """A sample of each delivery, of each batch in process and of each finished lot."""
    return [*_of_deliveries(deliveries), *_of_batches(plans)]


def write_laboratory(
    journal: Journal, samples: Sequence[Sample], plans: Sequence[Plan], start: datetime
) -> None:
    """Specifications, samples and what was measured."""
    _write_specifications(journal, start)
    for sample in samples:
        _write_sample(journal, sample)
        _write_events(journal, sample)
        _write_results(journal, sample)
    for plan in plans:
        if plan.number == 1:
            _registered_twice(journal, plan)


def _write_specifications(journal: Journal, start: datetime) -> None:
    long_ago = start - timedelta(days=300)
    for limit in LIMITS:
        journal.insert("lims.specifications", long_ago, _specification(limit, 1, long_ago))
    water = LIMITS[-1]
    at = start + STRICTER_AFTER
    day = at.astimezone(journal.zone).date() + timedelta(days=1)
    journal.update("lims.specifications", at, (_spec_no(water, 1),), {"valid_to": day})
    stricter = _specification(water, 2, at) | {"upper_limit": Decimal("0.4500"), "valid_from": day}
    journal.insert("lims.specifications", at, stricter)


def _spec_no(limit: Limit, version: int) -> str:
    return f"{material_no(limit.material)}-{limit.parameter}-{limit.sample_type}-{version}"


def _specification(limit: Limit, version: int, at_utc: datetime) -> Row:
    return {
        "spec_no": _spec_no(limit, version),
        "material_no": material_no(limit.material),
        "sample_type": limit.sample_type,
        "parameter": limit.parameter,
        "parameter_name": limit.name_zh,
        "lower_limit": _decimal(limit.lower),
        "upper_limit": _decimal(limit.upper),
        "unit": limit.unit,
        "valid_from": at_utc.date(),
        "valid_to": None,
    }


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text).quantize(Decimal("0.0001"))


def _of_deliveries(deliveries: Sequence[Delivery]) -> Iterator[Sample]:
    methanol = 0
    for ordinal, delivery in enumerate(deliveries, start=1):
        methanol += delivery.material is METHANOL
        yield Sample(
            sample_id=f"R-{delivery.lot_no}",
            number=70_000_000_000 + ordinal * 10,
            sample_type="RAW",
            material=delivery.material,
            requested_at_utc=delivery.at_utc + timedelta(minutes=5),
            point="SP-GATE",
            lot_no=delivery.lot_no,
            is_wet=delivery.material is METHANOL and methanol % 4 == 2,
        )


def _of_batches(plans: Sequence[Plan]) -> Iterator[Sample]:
    for plan in plans:
        number = int(f"{plan.batch.batch_id[1:9]}{plan.number}00")
        yield Sample(
            sample_id=f"I-{plan.batch.batch_id}",
            number=number,
            sample_type="IPC",
            material=MIXED_AMINES,
            requested_at_utc=plan.batch.phase(PhaseCode.REACTING).end_utc - timedelta(minutes=25),
            point="SP-R301",
            batch_id=plan.batch.batch_id,
        )
        yield Sample(
            sample_id=f"F-{plan.output_lot}",
            number=number + 50,
            sample_type="FG",
            material=MIXED_AMINES,
            requested_at_utc=plan.output_at_utc + timedelta(minutes=4),
            point="SP-TK05",
            lot_no=plan.output_lot,
            batch_id=plan.batch.batch_id,
            is_unscanned=plan.number == 2,
            is_repeated=plan.number == 3,
            is_typed_wrongly=plan.number == 1,
        )


def _row(sample: Sample) -> Row:
    return {
        "sample_no": sample.sample_id,
        "sample_type": sample.sample_type,
        "lot_no": sample.lot_no,
        "batch_id": sample.batch_id,
        "material_no": material_no(sample.material),
        "sampling_point": sample.point,
        "barcode": f"LB{sample.number}",
        "requested_at": sample.requested_at_utc,
        "requested_by": SAMPLERS[sample.number // 10 % 2],
        "state": "REQ",
    }


def _write_sample(journal: Journal, sample: Sample) -> None:
    journal.insert("lims.samples", sample.requested_at_utc, _row(sample))
    for at, (_, state) in zip(sample.times_utc, _STEPS, strict=True):
        journal.update("lims.samples", at, (sample.sample_id,), {"state": state})


def _write_events(journal: Journal, sample: Sample) -> None:
    sampler, analyst = SAMPLERS[sample.number // 10 % 2], ANALYSTS[sample.number // 10 % 2]
    who = (sampler, sampler, analyst, REVIEWER, QUALITY_HEAD)
    where = ("LAB-01", sample.point, "LAB-02", "LAB-03", "LAB-03")
    steps = ("REQUEST", *(step for step, _ in _STEPS))
    times = (sample.requested_at_utc, *sample.times_utc)
    for place, (step, at) in enumerate(zip(steps, times, strict=True)):
        is_typed = step == "REQUEST" or (step == "SAMPLE" and sample.is_unscanned)
        row: Row = {
            "event_id": sample.number + place,
            "sample_no": sample.sample_id,
            "step": step,
            "done_at": at,
            "done_by": who[place],
            "scanned": None if is_typed else f"LB{sample.number}",
            "station": where[place],
        }
        journal.insert("lims.sample_events", at, row)


def _write_results(journal: Journal, sample: Sample) -> None:
    draw = random.Random(f"{sample.sample_id}:results")
    tested = sample.times_utc[1]
    reviewed = sample.times_utc[2]
    for place, limit in enumerate(sample.limits):
        value = Decimal(str(round(draw.uniform(*limit.sound), 3))).quantize(Decimal("0.0001"))
        is_water = limit.parameter == "WATER"
        row = _result(sample, limit, sample.number + place, value, tested + timedelta(seconds=place))
        key = (row["result_id"],)
        if sample.is_repeated and is_water:
            journal.insert("lims.results", tested, row | {"value": Decimal("0.6200")})
            again = tested + REPEATED_AFTER - timedelta(minutes=5)
            journal.update("lims.results", again, key, {"state": "S"})
            second = _result(sample, limit, sample.number + 9, value, again)
            journal.insert("lims.results", again, second)
            key = (second["result_id"],)
        elif sample.is_wet and is_water:
            journal.insert("lims.results", tested, row | {"value": Decimal("0.1240")})
        elif sample.is_typed_wrongly and limit.parameter == "AMINE":
            journal.insert("lims.results", tested, row | {"value": (value / 10).quantize(Decimal("0.0001"))})
            journal.update("lims.results", tested + TYPED_WRONGLY_FOR, key, {"value": value, "state": "V"})
            continue
        else:
            journal.insert("lims.results", tested, row)
        journal.update("lims.results", reviewed, key, {"state": "V"})


def _result(sample: Sample, limit: Limit, result_id: int, value: Decimal, at_utc: datetime) -> Row:
    return {
        "result_id": result_id,
        "sample_no": sample.sample_id,
        "parameter": limit.parameter,
        "value": value,
        "unit": limit.unit,
        "method": f"QI-{limit.parameter}",
        "instrument": "KF-01" if limit.parameter == "WATER" else "GC-01",
        "analyst": ANALYSTS[sample.number // 10 % 2],
        "tested_at": at_utc,
        "state": "E",
    }


def _registered_twice(journal: Journal, plan: Plan) -> None:
    """Somebody pressed the button twice; nothing but the row itself ever existed."""
    at = plan.batch.phase(PhaseCode.REACTING).end_utc - timedelta(minutes=24)
    twice = Sample(
        sample_id=f"I-{plan.batch.batch_id}X",
        number=int(f"{plan.batch.batch_id[1:9]}{plan.number}90"),
        sample_type="IPC",
        material=MIXED_AMINES,
        requested_at_utc=at,
        point="SP-R301",
        batch_id=plan.batch.batch_id,
    )
    journal.insert("lims.samples", at, _row(twice))
    journal.delete("lims.samples", at + TYPED_TWICE_FOR, (twice.sample_id,))
