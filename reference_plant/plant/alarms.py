"""Alarms of the control systems, worked out from the values alone: the same after every restart.

An alarm becomes active with the first sample beyond its limit and ends when its last `calm_samples` samples
were all back: a memory that is finite, so any moment can be judged from a short past. An operator
acknowledges each rise a little later, unless it rises further meanwhile, confirms dangerous alarms once they
are over, unless they come back meanwhile, and shelves an instrument out of operation for a while.
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
from reference_plant.plant.alarm_rules import RULES, AlarmRule
from reference_plant.plant.noise import stream_key
from reference_plant.plant.simulation import Plant, Series
from reference_plant.plant.tags import namespace_uri

ACKNOWLEDGED_AFTER_S = (40, 220)
CONFIRMED_AFTER_S = (240, 420)  # later than any acknowledgement
SHELVED_AFTER_S = (300, 400)
SHELVED_S = 600
LONGEST_MEMORY_TICKS = (SHELVED_AFTER_S[1] + SHELVED_S + 1) * TICKS_PER_SECOND
LONGEST_SILENCE_TICKS = 60 * TICKS_PER_SECOND  # between two samples, also of tags reported on change
LEVELS_ZH = {-2: "低低", -1: "低", 0: "恢复正常", 1: "高", 2: "高高"}
LEVELS_EN = {-2: "low-low", -1: "low", 0: "back to normal", 1: "high", 2: "high-high"}
LIMIT_STATES = {-2: "LowLow", -1: "Low", 1: "High", 2: "HighHigh"}
COMMENTS = {
    "acknowledge": "已知悉 / seen",
    "confirm": "现场已处置 / dealt with on site",
    "shelve": "仪器检修 / instrument in repair",
}
OPERATOR = "operator-1"
UNTOLD = ("arrived_at_utc", "told_by", "active_changed_at_utc")  # what depends on who listens, or is not sent
TRUTH_ALARMS = pa.schema([field for field in ALARMS if field.name not in UNTOLD])


@dataclass(frozen=True)
class AlarmEvent:
    """One change of one condition."""

    rule: AlarmRule
    ticks: int
    level: int  # -2 low-low … 0 normal … 2 high-high
    is_acknowledged: bool
    is_confirmed: bool | None = None  # none where nobody has to
    is_shelved: bool | None = None
    act: str = ""  # what the operator did

    @property
    def event_id(self) -> bytes:
        """Sixteen bytes that every process gives this event."""
        name = f"{self.rule.tag_id} {self.ticks} {self.level} {self.is_acknowledged} {self.act}"
        return hashlib.blake2b(name.encode(), digest_size=16).digest()

    @property
    def is_active(self) -> bool:
        """Whether the condition holds."""
        return self.level != 0

    @property
    def is_retained(self) -> bool:
        """Whether a refresh tells it: it holds, or an operator has something to do or has put it aside."""
        waits = not self.is_acknowledged or self.is_confirmed is False
        return self.is_active or waits or self.is_shelved is True

    @property
    def comment(self) -> str | None:
        """What the operator said with it."""
        return COMMENTS.get(self.act)

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
    """The latest event of each condition that is active, or not settled yet, at a moment."""
    latest = {event.rule.tag_id: event for event in alarm_events(plant, system_id, since, at)}
    return [event for event in latest.values() if event.is_retained]


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
            "condition_name": condition_name(event.rule),
            "is_retained": event.is_retained,
            "is_enabled": True,
            "is_confirmed": event.is_confirmed,
            "is_suppressed": False,
            "is_out_of_service": False,
            "is_suppressed_or_shelved": event.is_shelved is True,
            "shelving_state": shelving_state(event),
            "limit_state": limit_state(event),
            "active_state": LEVELS_EN[event.level],
            "quality_code": 0,
            "comment": event.comment,
            "client_user_id": OPERATOR if event.act else None,
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=TRUTH_ALARMS)


def condition_name(rule: AlarmRule) -> str:
    """The identifier of the rule's condition."""
    return f"{rule.tag_id}.Alarm"


def shelving_state(event: AlarmEvent) -> str | None:
    """As OPC UA names it; none where the condition cannot be shelved."""
    if event.is_shelved is None:
        return None
    return "TimedShelved" if event.is_shelved else "Unshelved"


def limit_state(event: AlarmEvent) -> str | None:
    """As OPC UA names it; an instrument out of operation passes no limit."""
    return LIMIT_STATES.get(event.level) if event.rule.event_type.startswith("Exclusive") else None


@dataclass(frozen=True)
class _Operator:
    """What the operator does about one condition, in ticks: each worked out from the changes before it."""

    rule: AlarmRule
    acknowledged: dict[int, int]  # by rise; every rise has one, though a further rise may forestall it
    confirmed: dict[int, int]  # by end
    shelved: list[int]

    def is_confirmed(self, ticks: int, level: int, ends: list[int]) -> bool | None:
        """Whether it is over and was confirmed since; an end that is forgotten was confirmed."""
        if not self.rule.is_confirmed_too:
            return None
        end = max((end for end in ends if end <= ticks), default=None)
        return level == 0 and (end is None or self.confirmed.get(end, ticks + 1) <= ticks)

    def is_shelved(self, ticks: int) -> bool | None:
        """Whether it lies on the shelf."""
        if not self.rule.is_shelved:
            return None
        return any(at <= ticks < at + SHELVED_S * TICKS_PER_SECOND for at in self.shelved)


def _events(plant: Plant, rule: AlarmRule, start_ticks: int, end_ticks: int) -> Iterator[AlarmEvent]:
    """Changes of level in the window and a little before, and what the operator does about them."""
    lead = LONGEST_MEMORY_TICKS + (rule.calm_samples + 1) * LONGEST_SILENCE_TICKS
    series = plant.series(rule.tag_id, start_ticks - lead, end_ticks)
    levels = _levels(rule, series)
    changed = np.flatnonzero(levels[1:] != levels[:-1]) + 1
    changed = changed[changed >= rule.calm_samples]
    level_at = {int(series.ticks[place]): int(levels[place]) for place in map(int, changed)}
    before = {int(series.ticks[place]): int(levels[place - 1]) for place in map(int, changed)}
    rises = [ticks for ticks, level in level_at.items() if abs(level) > abs(before[ticks])]
    ends = [ticks for ticks, level in level_at.items() if level == 0]
    operator = _operator(rule, rises, ends)

    def state(ticks: int, act: str = "") -> AlarmEvent:
        now = int(np.searchsorted(series.ticks, ticks, side="right")) - 1
        last = max((rise for rise in rises if rise <= ticks), default=None)
        level = int(levels[now])
        return AlarmEvent(
            rule,
            ticks,
            level,
            is_acknowledged=last is None or ticks >= operator.acknowledged[last],
            is_confirmed=operator.is_confirmed(ticks, level, ends),
            is_shelved=operator.is_shelved(ticks),
            act=act,
        )

    yield from (state(ticks) for ticks in level_at)
    for rise, following in zip_longest(rises, rises[1:]):
        if following is None or operator.acknowledged[rise] < following:
            yield state(operator.acknowledged[rise], "acknowledge")
    yield from (state(ticks, "confirm") for ticks in operator.confirmed.values())
    yield from (state(ticks, "shelve") for ticks in operator.shelved)
    over = [ticks + SHELVED_S * TICKS_PER_SECOND for ticks in operator.shelved]
    yield from (state(ticks) for ticks in over if not operator.is_shelved(ticks))


def _operator(rule: AlarmRule, rises: list[int], ends: list[int]) -> _Operator:
    acknowledged = {rise: rise + _after(rule, rise, "acknowledged", ACKNOWLEDGED_AFTER_S) for rise in rises}
    confirmed = {end: end + _after(rule, end, "confirmed", CONFIRMED_AFTER_S) for end in ends}
    shelved = [rise + _after(rule, rise, "shelved", SHELVED_AFTER_S) for rise in rises]
    return _Operator(
        rule,
        acknowledged,
        {end: at for end, at in confirmed.items() if rule.is_confirmed_too and not _any(rises, end, at)},
        [
            at
            for rise, at in zip(rises, shelved, strict=True)
            if rule.is_shelved and not _any(rises, rise, at)
        ],
    )


def _any(rises: list[int], after: int, until: int) -> bool:
    return any(after < rise <= until for rise in rises)


def _after(rule: AlarmRule, ticks: int, what: str, bounds: tuple[int, int]) -> int:
    shortest, longest = bounds
    drawn = stream_key(rule.tag_id, ticks, what) % ((longest - shortest) * TICKS_PER_SECOND)
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
