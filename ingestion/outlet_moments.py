"""What an outlet shows at one moment, in the terms of HJ 212: value, converted value and flag of each factor.

Pure: the newest samples go in, values come out, by the same `transforms` functions and rules as the marts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from ingestion.outlets import Outlet, OutletPoint
from transforms.emission import gas_flow_actual_m3_h, gas_flow_standard_dry_nm3_h
from transforms.gas_conditions import ZERO_CELSIUS_K, to_dry_basis, to_standard_condition
from transforms.marks import COMMUNICATION_FAULT, INSTRUMENT_FAULT, NORMAL, sample_mark, status_mark
from transforms.oxygen import to_reference_oxygen
from transforms.reference import read_reference

_VELOCITY, _TEMPERATURE, _PRESSURE = "a01011", "a01012", "a01013"
_MOISTURE, _BAROMETER, _OXYGEN, _GAS_FLOW = "a01014", "a01006", "a19001", "a00000"
_PA_PER_KPA = 1000.0


@dataclass(frozen=True)
class Sample:
    """One received value of one tag."""

    source_at_utc: datetime
    value: float | None
    status_code: int


@dataclass(frozen=True)
class TagRule:
    """What the tag table says about a tag."""

    unit: str | None = None
    unit_on_server: str | None = None
    range_low: float | None = None
    range_high: float | None = None

    @property
    def is_unit_mismatch(self) -> bool:
        """Whether the server names another unit than the plant's tag table."""
        return self.unit_on_server is not None and self.unit_on_server != self.unit


@dataclass(frozen=True)
class FactorValue:
    """One factor of one outlet at one moment; no value where none is known, never zero."""

    factor_code: str
    value: float | None
    converted_value: float | None
    flag: str


@dataclass(frozen=True)
class _Reading:
    """A factor in its own unit, not yet corrected for gas conditions."""

    value: float | None
    mark: str

    @property
    def normal_value(self) -> float | None:
        return self.value if self.mark == NORMAL else None


Tag = tuple[str, str]
"""System and tag."""


def observe(
    outlet: Outlet,
    at: datetime,
    samples: Mapping[Tag, Sample],
    rules: Mapping[Tag, TagRule],
    *,
    stale_after: timedelta,
) -> list[FactorValue]:
    """The factors of an outlet at a moment; ambient conditions are used and not told, as in the reports.

    Args:
        outlet: the outlet with its points.
        at: the moment.
        samples: the newest sample at or before the moment, by system and tag.
        rules: what the tag table says, by system and tag; a tag it does not name has no unit, so no value.
        stale_after: a sample older than this counts as no contact.
    """
    fresh = {tag: sample for tag, sample in samples.items() if at - sample.source_at_utc <= stale_after}
    state = _state_code(outlet, fresh)
    readings = {
        point.factor_code: _read(point, outlet, state, fresh, rules.get((point.system_id, point.tag_id)))
        for point in outlet.measured
        if point.factor_code in _factors()
    }
    values = [
        _corrected(point, outlet, readings)
        for point in outlet.measured
        if point.factor_code in readings and _factors()[point.factor_code]["kind"] != "ambient"
    ]
    if _VELOCITY in readings and outlet.stack_area_m2 is not None:
        values.append(_gas_flow(outlet, outlet.stack_area_m2, readings))
    return values


@cache
def _factors() -> dict[str, dict[str, str]]:
    return {row["factor_code"]: row for row in read_reference("hj212_factors")}


@cache
def _unit_conversions() -> dict[tuple[str, str], tuple[float, float]]:
    rows = read_reference("unit_conversions")
    return {(row["from_unit"], row["to_unit"]): (float(row["factor"]), float(row["shift"])) for row in rows}


def _state_code(outlet: Outlet, fresh: Mapping[Tag, Sample]) -> int | None:
    """The instrument state in force; unknown where it is stale, not Good or not a number."""
    point = outlet.state_point
    sample = fresh.get((point.system_id, point.tag_id)) if point else None
    if sample is None or sample.value is None or status_mark(sample.status_code) is not None:
        return None
    return int(sample.value) if math.isfinite(sample.value) else None


def _read(
    point: OutletPoint, outlet: Outlet, state: int | None, fresh: Mapping[Tag, Sample], rule: TagRule | None
) -> _Reading:
    sample = fresh.get((point.system_id, point.tag_id))
    if sample is None:
        return _Reading(None, COMMUNICATION_FAULT)
    rule = rule or TagRule()
    mark = sample_mark(
        status_code=sample.status_code,
        has_state=outlet.state_point is not None,
        state_code=state,
        value=sample.value,
        range_low=rule.range_low,
        range_high=rule.range_high,
    )
    if rule.is_unit_mismatch:
        return _Reading(None, status_mark(sample.status_code) or INSTRUMENT_FAULT)
    value = _in_unit(sample.value, rule.unit, _factors()[point.factor_code]["unit"])
    if value is None and mark == NORMAL:
        mark = INSTRUMENT_FAULT
    return _Reading(value, mark)


def _in_unit(value: float | None, unit: str | None, wanted: str) -> float | None:
    """The value in the factor's unit; none where it is no number or the unit unknown or not convertible."""
    if value is None or not math.isfinite(value):
        return None
    if unit == wanted:
        return value
    if unit is None or (unit, wanted) not in _unit_conversions():
        return None
    factor, shift = _unit_conversions()[unit, wanted]
    return value * factor + shift


def _corrected(point: OutletPoint, outlet: Outlet, readings: Mapping[str, _Reading]) -> FactorValue:
    """A concentration at standard dry conditions and at reference oxygen; any other factor as it is."""
    factor = _factors()[point.factor_code]
    reading = readings[point.factor_code]
    is_concentration = factor["kind"] == "concentration"
    value = reading.value
    if is_concentration and point.is_actual_condition:
        value = _standard(value, readings)
    if point.is_wet and (is_concentration or factor["kind"] == "oxygen"):
        value = _dry(value, readings)
    mark = INSTRUMENT_FAULT if value is None and reading.mark == NORMAL else reading.mark
    if value is None or not is_concentration or factor["medium"] != "air":
        return FactorValue(point.factor_code, value, None, mark)
    oxygen = _oxygen_dry(outlet, readings)
    converted = to_reference_oxygen(value, math.nan if oxygen is None else oxygen, outlet.reference_o2_pct)
    return FactorValue(point.factor_code, value, converted, mark)


def _gas_flow(outlet: Outlet, stack_area_m2: float, readings: Mapping[str, _Reading]) -> FactorValue:
    """Dry gas flow at standard conditions in m³/s, which no instrument reports."""
    velocity = readings[_VELOCITY]
    conditions = _conditions(readings)
    moisture = _moisture(readings)
    if velocity.value is None or conditions is None or moisture is None:
        mark = velocity.mark if velocity.mark != NORMAL else INSTRUMENT_FAULT
        return FactorValue(_GAS_FLOW, None, None, mark)
    actual = gas_flow_actual_m3_h(stack_area_m2, velocity.value * outlet.velocity_coefficient)
    standard = gas_flow_standard_dry_nm3_h(actual, *conditions, moisture)
    return FactorValue(_GAS_FLOW, standard / 3600.0, None, velocity.mark)


def _standard(value: float | None, readings: Mapping[str, _Reading]) -> float | None:
    conditions = _conditions(readings)
    return None if value is None or conditions is None else to_standard_condition(value, *conditions)


def _dry(value: float | None, readings: Mapping[str, _Reading]) -> float | None:
    moisture = _moisture(readings)
    return None if value is None or moisture is None else to_dry_basis(value, moisture)


def _moisture(readings: Mapping[str, _Reading]) -> float | None:
    """In per cent; none where there would be no dry gas."""
    moisture = _normal(readings, _MOISTURE)
    return None if moisture is None or moisture >= 100 else moisture


def _oxygen_dry(outlet: Outlet, readings: Mapping[str, _Reading]) -> float | None:
    oxygen = _normal(readings, _OXYGEN)
    is_wet = any(point.is_wet for point in outlet.points if point.factor_code == _OXYGEN)
    return _dry(oxygen, readings) if is_wet else oxygen


def _conditions(readings: Mapping[str, _Reading]) -> tuple[float, float, float] | None:
    """Temperature in °C, static and barometric pressure in Pa; none where a gas cannot have them."""
    temperature, static = _normal(readings, _TEMPERATURE), _normal(readings, _PRESSURE)
    barometric = _normal(readings, _BAROMETER)
    if temperature is None or static is None or barometric is None:
        return None
    # A station that starts up shows zeros as Good, and a tag need not have a range.
    if temperature <= -ZERO_CELSIUS_K or static + barometric <= 0:
        return None
    return temperature, static * _PA_PER_KPA, barometric * _PA_PER_KPA


def _normal(readings: Mapping[str, _Reading], factor_code: str) -> float | None:
    reading = readings.get(factor_code)
    return reading.normal_value if reading else None
