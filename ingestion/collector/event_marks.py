"""Which events are new: a mark a condition and branch, and the events known at each mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingestion.collector.alarm_events import is_branch
from protocols.opcua_time import TICKS_PER_SECOND

if TYPE_CHECKING:
    from ingestion.collector.alarm_events import AlarmEvent
    from ingestion.collector.conditions import OpenConditions
    from ingestion.collector.sealing import Sealer

# No history and no refresh tells of a branch that has been over for so long: its mark is forgotten.
BRANCH_MARK_TICKS = 7 * 86_400 * TICKS_PER_SECOND


class EventMarks:
    """The marks of a system's events.

    Args:
        sealer: knows the committed ones.
        conditions: what is open; the marks of branches that are not are forgotten in time.
    """

    def __init__(self, sealer: Sealer, conditions: OpenConditions) -> None:
        forget_old_branches(sealer, conditions)
        self._marks: dict[str, int] = dict(sealer.marks("alarms"))
        # The events at each mark; a mark taken over from before has none, and nothing more of its instant.
        self._at_mark: dict[str, set[str]] = {}

    @property
    def last(self) -> int:
        """The last mark of all, 0 when there is none."""
        return max(self._marks.values(), default=0)

    def take(self, event: AlarmEvent) -> bool:
        """Whether the event is past its mark; it then is the mark."""
        mark, event_id = self._marks.get(event.key, 0), event.row["event_id"]
        if event.ticks > mark:
            self._marks[event.key], self._at_mark[event.key] = event.ticks, {event_id}
            return True
        known = self._at_mark.get(event.key)
        if event.ticks < mark or known is None or event_id in known:
            return False
        known.add(event_id)
        return True


def forget_old_branches(sealer: Sealer, conditions: OpenConditions) -> None:
    """Drop the marks of branches that are long over: there is a new one each time an alarm comes back."""
    marks = sealer.marks("alarms")
    oldest = max(marks.values(), default=0) - BRANCH_MARK_TICKS
    over = [key for key, mark in marks.items() if is_branch(key) and mark < oldest]
    sealer.forget("alarms", [key for key in over if key not in conditions])
