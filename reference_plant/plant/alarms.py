"""Alarms of the control systems, worked out from the values alone: the same after every restart.

An alarm becomes active with the first sample beyond its limit and ends when its last `calm_samples` samples
were all back: a memory that is finite, so any moment can be judged from a short past. An operator
acknowledges each rise a little later, unless it rises further meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from protocols.opcua_time import TICKS_PER_SECOND, from_ticks, hundred_ns, to_ticks
from protocols.points import ALARMS
from reference_plant.plant.noise import stream_key
from reference_plant.plant.simulation import Plant, Series
from reference_plant.plant.tags import namespace_uri

ACKNOWLEDGED_AFTER_S = (40, 220)
LONGEST_SILENCE_TICKS = 60 * TICKS_PER_SECOND  # between two samples, also of tags reported on change
LEVELS_ZH = {-2: "低低", -1: "低", 0: "恢复正常", 1: "高", 2: "高高"}
LEVELS_EN = {-2: "low-low", -1: "low", 0: "back to normal", 1: "high", 2: "high-high"}
TRUTH_ALARMS = pa.schema([field for field in ALARMS if field.name != "arrived_at_utc"])


@dataclass(frozen=True)
class AlarmRule:
    """When a tag alarms. Limits that are None do not exist; severities are OPC UA's 1 to 1000."""

    tag_id: str
    event_type: str
    low_low: float | None = None
    low: float | None = None
    high: float | None = None
    high_high: float | None = None
    severity: int = 500
    severity_outer: int = 800
    calm_samples: int = 6


RULES = (
    AlarmRule("T101.LEVEL", "ExclusiveLevelAlarmType", 15.0, 25.0, 75.0, 85.0),
    AlarmRule("T102.LEVEL", "ExclusiveLevelAlarmType", 10.0, 20.0, 80.0, 85.0),
    AlarmRule("CL201.WEIGHT", "ExclusiveLimitAlarmType", low=60.0, severity=300),
    AlarmRule("CL202.WEIGHT", "ExclusiveLimitAlarmType", low=60.0, severity=300),
    AlarmRule("R301.TEMP", "ExclusiveLimitAlarmType", high=130.0, high_high=140.0, severity_outer=900),
    AlarmRule(
        "GD101.NH3", "ExclusiveLimitAlarmType", high=25.0, high_high=50.0, severity=700, severity_outer=950
    ),
    AlarmRule(
        "GD102.CH3OH", "ExclusiveLimitAlarmType", high=25.0, high_high=50.0, severity=700, severity_outer=950
    ),
    AlarmRule(
        "GD103.CL2", "ExclusiveLimitAlarmType", high=1.0, high_high=3.0, severity=700, severity_outer=950
    ),
    AlarmRule(
        "DA001.NOX", "ExclusiveLimitAlarmType", high=120.0, high_high=150.0, severity=500, severity_outer=700
    ),
    AlarmRule("DA001.STATE", "OffNormalAlarmType", high=0.5, severity=400, calm_samples=1),
    AlarmRule("DA002.STATE", "OffNormalAlarmType", high=0.5, severity=400, calm_samples=1),
    AlarmRule("DW001.STATE", "OffNormalAlarmType", high=0.5, severity=400, calm_samples=1),
)


@dataclass(frozen=True)
class AlarmEvent:
    """One change of one condition."""

    rule: AlarmRule
    ticks: int
    level: int  # -2 low-low … 0 normal … 2 high-high
    is_acknowledged: bool

    @property
    def event_id(self) -> bytes:
        """Sixteen bytes that every process gives this event."""
        name = f"{self.rule.tag_id} {self.ticks} {self.level} {self.is_acknowledged}"
        return hashlib.blake2b(name.encode(), digest_size=16).digest()

    @property
    def is_active(self) -> bool:
        """Whether the condition holds."""
        return self.level != 0

    @property
    def severity(self) -> int:
        """Of the limit passed; the inner one's when back to normal."""
        return self.rule.severity_outer if abs(self.level) == 2 else self.rule.severity

    @property
    def message(self) -> str:
        """Chinese and English, for people."""
        if self.rule.event_type == "OffNormalAlarmType" and self.is_active:
            return f"{self.rule.tag_id} 仪器不在运行状态 / instrument not in operation"
        return f"{self.rule.tag_id} {LEVELS_ZH[self.level]} / {LEVELS_EN[self.level]}"


def alarm_events(plant: Plant, system_id: str, start: datetime, end: datetime) -> list[AlarmEvent]:
    """Every event of a system's conditions in the half-open window, in order of time."""
    tag_ids = {tag.tag_id for tag in plant.systems[system_id]}
    low, high = to_ticks(start), to_ticks(end)
    found = [
        event
        for rule in RULES
        if rule.tag_id in tag_ids
        for event in _events(plant, rule, low, high)
        if low <= event.ticks < high
    ]
    return sorted(found, key=lambda event: (event.ticks, event.rule.tag_id))


def active_events(plant: Plant, system_id: str, at: datetime, since: datetime) -> list[AlarmEvent]:
    """The latest event of each condition that is active, or not yet acknowledged, at a moment."""
    latest = {event.rule.tag_id: event for event in alarm_events(plant, system_id, since, at)}
    return [event for event in latest.values() if event.is_active or not event.is_acknowledged]


def alarm_rows(plant: Plant, system_id: str, events: list[AlarmEvent]) -> pa.Table:
    """Truth of alarms: one row an event, columns as they travel on the wire."""
    uri = namespace_uri(plant.systems[system_id])
    rows = [
        {
            "event_id": event.event_id.hex(),
            "condition_id": f"nsu={uri};s={condition_name(event.rule)}",
            "event_type": event.rule.event_type,
            "source_name": event.rule.tag_id,
            "tag_id": event.rule.tag_id,
            "severity": event.severity,
            "message": event.message,
            "is_active": event.is_active,
            "is_acknowledged": event.is_acknowledged,
            "event_at_utc": from_ticks(event.ticks),
            "event_at_100ns": hundred_ns(from_ticks(event.ticks)),
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=TRUTH_ALARMS)


def condition_name(rule: AlarmRule) -> str:
    """The identifier of the rule's condition."""
    return f"{rule.tag_id}.Alarm"


def _events(plant: Plant, rule: AlarmRule, start_ticks: int, end_ticks: int) -> Iterator[AlarmEvent]:
    """Changes of level in the window and a little before, and the acknowledgement of each rise."""
    longest = ACKNOWLEDGED_AFTER_S[1] * TICKS_PER_SECOND
    lead = longest + (rule.calm_samples + 1) * LONGEST_SILENCE_TICKS
    series = plant.series(rule.tag_id, start_ticks - lead, end_ticks)
    levels = _levels(rule, series)
    changed = np.flatnonzero(levels[1:] != levels[:-1]) + 1
    changed = changed[changed >= rule.calm_samples]
    rises = [int(place) for place in changed if abs(levels[place]) > abs(levels[place - 1])]
    acknowledged_at = 0
    for place in map(int, changed):
        ticks, level = int(series.ticks[place]), int(levels[place])
        if place in rises:
            acknowledged_at = ticks + _acknowledged_after(rule, ticks)
        yield AlarmEvent(rule, ticks, level, is_acknowledged=ticks >= acknowledged_at)
    for place, following in zip_longest(rises, rises[1:]):
        at = int(series.ticks[place]) + _acknowledged_after(rule, int(series.ticks[place]))
        if following is None or at < series.ticks[following]:
            now = int(np.searchsorted(series.ticks, at, side="right")) - 1
            yield AlarmEvent(rule, at, int(levels[now]), is_acknowledged=True)


def _acknowledged_after(rule: AlarmRule, ticks: int) -> int:
    shortest, longest = ACKNOWLEDGED_AFTER_S
    drawn = stream_key(rule.tag_id, ticks, "acknowledged") % ((longest - shortest) * TICKS_PER_SECOND)
    return shortest * TICKS_PER_SECOND + drawn


def _levels(rule: AlarmRule, series: Series) -> NDArray[np.int64]:
    """The level at each sample: the worst of the last `calm_samples`. Bad samples say nothing."""
    if len(series) == 0:
        return np.zeros(0, dtype=np.int64)
    values = series.values.astype(np.float64)
    now = np.zeros(len(values), dtype=np.int64)
    for limit, level in ((rule.high, 1), (rule.high_high, 2)):
        if limit is not None:
            now[values > limit] = level
    for limit, level in ((rule.low, -1), (rule.low_low, -2)):
        if limit is not None:
            now[values < limit] = level
    padded = np.concatenate([np.full(rule.calm_samples - 1, now[0]), now])
    windows = np.lib.stride_tricks.sliding_window_view(padded, rule.calm_samples)
    lowest, highest = windows.min(axis=1), windows.max(axis=1)
    worst: NDArray[np.int64] = np.where(-lowest > highest, lowest, highest)
    return worst
