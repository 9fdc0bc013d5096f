"""Exactly once for what is sent to us: what a message became, admitted when it is new, drained for sealing.

The rule, by tag and source time:
- after the tag's mark: new, and the mark moves to it;
- not after the mark (late, repeated or out of order): new when that instant was not sealed before. Then it is
  kept as it is; the mark stays;
- an instant that is known, with the same value and status: a repetition, dropped and counted;
- an instant that is known, with another value: a correction. The first stays, the correction goes to
  quarantine where it can be seen, once.
What was sealed more than `remember_days` ago is no longer known: such a point is kept, never dropped, and
counted as `late_unproved`; a reader that takes one row a tag and instant is not disturbed by it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingestion.collector.sources.items import Refusal
from ingestion.collector.sources.known_times import EVENT_PREFIX
from protocols.opcua_time import MAX_TICKS, TICKS_PER_SECOND, from_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingestion.collector.sources.items import SourceEvent, SourceGap, SourcePoint, Taken
    from ingestion.collector.sources.known_times import Known, KnownTimes

NEVER = 0
# A sender's clock this far ahead of ours, or before this instant, is set wrongly or its unit is another.
AHEAD_TICKS = 24 * 3600 * TICKS_PER_SECOND
EARLIEST_TICKS = 125_911_584_000_000_000  # 2000-01-01
DAY_TICKS = 86_400 * TICKS_PER_SECOND
CONTENT_LIMIT = 2_000
# Refusals kept in full within a minute; of the others only the number is told.
REFUSALS_A_MINUTE = 600


@dataclass
class Drained:
    """What one turn seals, and who waits for it."""

    points: list[tuple[SourcePoint, int]] = field(default_factory=list)
    events: list[tuple[SourceEvent, int]] = field(default_factory=list)
    gaps: list[SourceGap] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    known: list[Known] = field(default_factory=list)
    when_sealed: list[Callable[[], None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.points) + len(self.events) + len(self.gaps) + len(self.refusals)


class Admission:
    """What of a source's messages is new.

    Args:
        known: what is sealed already.
        marks: the committed mark of each tag, in ticks.
        remember_days: how long `known` remembers.
    """

    def __init__(self, known: KnownTimes, marks: Mapping[str, int], remember_days: int) -> None:
        self._known = known
        self._marks = dict(marks)
        self._remember_ticks = remember_days * DAY_TICKS
        self._waiting = Drained()
        # Of what waits and of what is being sealed: digests by key and instant.
        self._unsealed: dict[tuple[str, int], set[int]] = {}
        self._minute, self._refused_in_minute, self._untold = 0, 0, 0
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def messages_waiting(self) -> int:
        """Messages whose sender waits for the seal."""
        return len(self._waiting.when_sealed)

    @property
    def newest(self) -> int:
        """The newest mark of all tags, in ticks."""
        return max(self._marks.values(), default=NEVER)

    def take(self, taken: Taken, now: int, when_sealed: Callable[[], None] | None = None) -> None:
        """Admit what is new of a message.

        Args:
            taken: what the message became.
            now: plant time, in ticks.
            when_sealed: called when all that is new of it is sealed; also when nothing is new.
        """
        for point in taken.points:
            self._take_point(point, now)
        for event in taken.events:
            self._take_event(event, now)
        self._waiting.gaps += taken.gaps
        for refusal in taken.refusals:
            self.refuse(refusal, now)
        if when_sealed is not None:
            self._waiting.when_sealed.append(when_sealed)

    def refuse(self, refusal: Refusal, now: int) -> None:
        """Keep a refusal in sight; only so many a minute in full."""
        self.counts[f"refused_{refusal.reason_code}"] += 1
        minute = now // (60 * TICKS_PER_SECOND)
        if minute != self._minute:
            self._tell_untold()
            self._minute, self._refused_in_minute = minute, 0
        self._refused_in_minute += 1
        if self._refused_in_minute > REFUSALS_A_MINUTE:
            self._untold += 1
            return
        self._waiting.refusals.append(refusal)

    def drain(self) -> Drained:
        """Everything admitted since the last drain."""
        drained, self._waiting = self._waiting, Drained()
        return drained

    def sealed(self, drained: Drained) -> None:
        """Forget what is sealed and known by now."""
        for key, ticks, digest in drained.known:
            digests = self._unsealed.get((key, ticks), set())
            digests.discard(digest)
            if not digests:
                self._unsealed.pop((key, ticks), None)

    def _take_point(self, point: SourcePoint, now: int) -> None:
        said = {"value_number": point.number, "value_text": point.text, "status_code": point.status}
        if self._has_wrong_time(point.tag_id, point.ticks, now, said):
            return
        mark = self._marks.get(point.tag_id, NEVER)
        if point.ticks <= mark:
            found = self._digests(point.tag_id, point.ticks)
            if found or point.ticks == mark:  # the mark outlives what is remembered
                self._take_again(point, found or {point.digest}, now)
                return
            self.counts["late"] += 1
            if point.ticks < now - self._remember_ticks:
                self.counts["late_unproved"] += 1
        else:
            self._marks[point.tag_id] = point.ticks
        self._remember(point.tag_id, point.ticks, point.digest)
        self._waiting.points.append((point, now))
        self._waiting.marks[point.tag_id] = self._marks[point.tag_id]

    def _take_again(self, point: SourcePoint, found: set[int], now: int) -> None:
        if point.digest in found:
            self.counts["repeated"] += 1
            return
        self._remember(point.tag_id, point.ticks, point.digest)
        said = {"value_number": point.number, "value_text": point.text, "status_code": point.status}
        refusal = Refusal(
            subject=point.tag_id,
            reason_code="changed_value",
            reason_zh="同一时刻又收到另一个值；先收到的值已保存，未被改写",
            reason_en="another value of an instant that is stored already; the first one stands",
            content=json.dumps(said, ensure_ascii=False),
            tag_id=point.tag_id,
            ticks=point.ticks,
        )
        self.refuse(refusal, now)

    def _take_event(self, event: SourceEvent, now: int) -> None:
        if self._has_wrong_time(event.subject, event.ticks, now, {"event_type": event.event_type}):
            return
        key = EVENT_PREFIX + event.event_id
        if event.digest in self._digests(key, event.ticks):
            self.counts["repeated"] += 1
            return
        self._remember(key, event.ticks, event.digest)
        self._waiting.events.append((event, now))

    def _has_wrong_time(self, subject: str, ticks: int, now: int, said: dict[str, Any]) -> bool:
        if EARLIEST_TICKS <= ticks <= now + AHEAD_TICKS:
            return False
        at = from_ticks(min(max(ticks, 0), MAX_TICKS)).isoformat()
        refusal = Refusal(
            subject=subject,
            reason_code="wrong_time",
            reason_zh=f"时间 {at} 早于 2000 年或超前本机一天以上；请核对设备时钟与时间单位",
            reason_en=f"time {at} is before 2000 or a day ahead; correct the clock or the time's unit",
            content=json.dumps(said, ensure_ascii=False),
        )
        self.refuse(refusal, now)
        return True

    def _digests(self, key: str, ticks: int) -> set[int]:
        return self._unsealed.get((key, ticks), set()) | self._known.find(key, ticks)

    def _remember(self, key: str, ticks: int, digest: int) -> None:
        self._unsealed.setdefault((key, ticks), set()).add(digest)
        self._waiting.known.append((key, ticks, digest))

    def _tell_untold(self) -> None:
        if not self._untold:
            return
        number, self._untold = self._untold, 0
        self._waiting.refusals.append(
            Refusal(
                subject="*",
                reason_code="more_refused",
                reason_zh=f"该分钟内另有 {number} 条被拒，仅计数",
                reason_en=f"{number} more were refused in that minute, counted only",
                content="",
            )
        )
