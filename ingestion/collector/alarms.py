"""Alarms and events: subscribed, read from event history where the server keeps one, sealed at once.

Exactly once by a mark a condition and branch, as points have one a tag: an event is admitted when it is later
than the last one of its condition, or another one of the same instant. So neither history nor a condition
refresh doubles an event. A refresh follows history at every new subscription: it tells what history did not,
and by its silence what is over (`conditions`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.alarm_events import (
    REFRESH_END,
    REFRESH_START,
    AlarmEvent,
    alarm_table,
    bracket_of,
    event_filter,
    is_incomplete,
    key_of,
    read_event,
)
from ingestion.collector.conditions import OpenConditions
from ingestion.collector.event_marks import EventMarks
from ingestion.collector.event_reading import event_history, refresh_conditions
from ingestion.collector.live_times import AHEAD_TICKS
from ingestion.collector.marks import mark_of
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, from_ticks, to_ticks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from ingestion.collector.sealing import Sealer
    from ingestion.collector.session import Session
    from ingestion.collector.status import Status
    from protocols.clock import Clock

# Conditions report in no common order, so history is read a little further back; marks drop what is known.
OVERLAP_TICKS = 600 * TICKS_PER_SECOND
RETRY_S = 1.0
# A server whose queue cannot hold a refresh says each time that events are missing.
HOLE_PAUSE_S = 2.0
_SUBJECT = "(events)"
_LOSS: list[ua.Variant] = []  # stands among waiting events where messages were lost
_log = logging.getLogger(__name__)


class Alarms:
    """The events of one system, over all its sessions.

    Args:
        sealer: seals them.
        clock: plant time.
        status: is told when a server offers no events.
        history_start: where event history begins when nothing was ever read.
    """

    def __init__(self, sealer: Sealer, clock: Clock, status: Status, history_start: datetime | None) -> None:
        self._sealer = sealer
        self._clock = clock
        self._status = status
        self._start = mark_of(history_start) if history_start else None
        self._conditions = OpenConditions(sealer.directory, sealer.stream("alarms"))
        if (peer := sealer.peer_stream("alarms")) is not None:
            self._conditions.adopt(OpenConditions(*peer), sealer.marks("alarms"))
        self._marks = EventMarks(sealer, self._conditions)
        self._events: list[AlarmEvent] = []
        self._taken_events = self._settled_events = 0
        # Called when the server says that it has dropped events, or that conditions must be asked for anew.
        self.when_incomplete: Callable[[], None] = lambda: None
        self._sealing = asyncio.Lock()
        self._waiting: list[list[ua.Variant]] | None = None
        self._ready = asyncio.Event()
        self._subscription_id: int | None = None
        self._closed_at = 0.0  # monotonic
        self._is_core = False  # whether the server refused a filter with all fields
        self._namespaces: tuple[str, ...] = ()
        self._tag_of_node: Mapping[ua.NodeId, str] = {}

    async def start(
        self,
        session: Session,
        subscribe: Callable[[ua.EventFilter], Awaitable[int]],
        tag_of_node: Mapping[ua.NodeId, str],
    ) -> None:
        """Subscribe, then close the hole behind from event history and by a condition refresh.

        Args:
            session: where.
            subscribe: monitors events with a filter, and gives the subscription's id.
            tag_of_node: the tags of this session's node ids.
        """
        self._namespaces, self._tag_of_node = session.namespaces, tag_of_node
        self._subscription_id = None
        self._settled_events += sum(map(bool, self._waiting or ()))  # history, or a refresh, gives them again
        self._waiting = None
        self._is_core = False
        self._conditions.distrust_refresh()
        await self._close_hole(session, subscribe)

    async def close_hole(self, session: Session) -> None:
        """Events were lost on their way: have them from history, and the present state of all conditions."""
        if self._subscription_id is not None:
            self._waiting = self._waiting or []
            await asyncio.sleep(self._closed_at + HOLE_PAUSE_S - time.monotonic())
            await self._close_hole(session, None)

    @property
    def is_hole_open(self) -> bool:
        """Whether closing a hole was interrupted: what came since waits for it."""
        return self._waiting is not None

    async def _close_hole(
        self, session: Session, subscribe: Callable[[ua.EventFilter], Awaitable[int]] | None
    ) -> None:
        self._waiting = self._waiting or []
        try:
            if subscribe is not None:
                self._subscription_id = await self._subscribe(subscribe)
            await self._read_past(session)
        except ua.UaStatusCodeError as error:
            self._status.fail(
                _SUBJECT, "events", f"{type(error).__name__}: alarms of this server are incomplete"
            )
            _log.warning("%s: events: %s", self._status.system_id, error)
        else:
            self._status.recover(_SUBJECT, "events")
        self._closed_at = time.monotonic()
        waiting, self._waiting = self._waiting or [], None
        for fields in waiting:
            self._take_one(fields)

    async def _subscribe(self, subscribe: Callable[[ua.EventFilter], Awaitable[int]]) -> int:
        try:
            return await subscribe(event_filter())
        except ua.UaStatusCodeError as error:
            _log.info("%s: %s; asking for fewer fields of events", self._status.system_id, error)
            self._is_core = True
            return await subscribe(event_filter(is_core=True))

    async def _read_past(self, session: Session) -> None:
        """Event history, then a refresh; a server need only have one of them.

        Raises:
            ua.UaStatusCodeError: it has neither.
        """
        refused: ua.UaStatusCodeError | None = None
        try:
            await self._read_history(session)
        except ua.UaStatusCodeError as error:
            _log.info("%s: no event history (%s)", self._status.system_id, error)
            refused = error
        try:
            await refresh_conditions(session, self._subscription_id or 0)
        except ua.UaStatusCodeError as error:
            _log.info("%s: no condition refresh (%s)", self._status.system_id, error)
            if refused is not None:
                raise

    def lose(self) -> None:
        """Messages were lost: what a refresh did not tell may have been among them."""
        if self._waiting is None:
            self._conditions.distrust_refresh()
        else:
            self._waiting.append(_LOSS)

    def take(self, events: list[list[ua.Variant]]) -> None:
        """Event field lists from the subscription."""
        self._taken_events += len(events)
        if any(is_incomplete(fields) for fields in events):
            self.when_incomplete()
        if self._waiting is not None:
            self._waiting.extend(events)
            return
        for fields in events:
            self._take_one(fields)

    @property
    def sealed_events(self) -> int:
        """How many events were sealed, or not wanted, since the start."""
        return self._settled_events

    @property
    def taken_events(self) -> int:
        """How many events were taken since the start, sealed or not."""
        return self._taken_events

    async def work(self) -> None:
        """Seal events as soon as there are any, for ever."""
        while True:
            await self._ready.wait()
            try:
                await self.seal()
            except OSError as error:
                self._status.last_error = f"sealing alarms: {error}; they are kept and sealed again"
                _log.exception("sealing alarms")
                await asyncio.sleep(RETRY_S)

    async def seal(self) -> None:
        """Seal the events admitted so far.

        Raises:
            OSError: the disk refused; the events are kept.
        """
        await asyncio.shield(self._seal())

    async def _seal(self) -> None:
        async with self._sealing:
            events = self._events.copy()
            if not events:
                return
            rows = [event.row for event in events]
            # In order: the last of a key stays. What ended by absence has our time and no mark.
            marks = {event.key: event.ticks for event in events if event.row["told_by"] != "absence"}
            self._ready.clear()
            try:
                await self._sealer.seal("alarms", alarm_table(rows), marks)
            except OSError:
                self._ready.set()
                raise
            del self._events[: len(events)]
            self._settled_events += len(events)
            await self._note_open(rows)

    async def _note_open(self, rows: list[dict[str, Any]]) -> None:
        try:
            await asyncio.to_thread(self._conditions.sealed, rows, self._sealer.last_sequence("alarms"))
        except OSError:
            _log.exception("writing the open conditions of %s", self._status.system_id)

    def _take_one(self, fields: list[ua.Variant]) -> None:
        """An event of the subscription: one of a refresh, one of its brackets, or a new one."""
        if fields is _LOSS:
            self._conditions.distrust_refresh()
            return
        if is_incomplete(fields):
            self._conditions.distrust_refresh()
        bracket = bracket_of(fields)
        if bracket == REFRESH_START:
            self._conditions.begin_refresh()
        elif bracket == REFRESH_END:
            self._end_refresh()
        self._admit(fields, "notification")

    def _end_refresh(self) -> None:
        now = to_ticks(self._clock.now())
        for row in self._conditions.end_refresh(now):
            ticks = UNIX_EPOCH_TICKS + 10 * row["event_at_utc"] + row["event_at_100ns"]
            self._taken_events += 1
            self._keep(AlarmEvent(key_of(row), ticks, row))

    def _admit(self, fields: list[ua.Variant], told_by: str) -> None:
        now = to_ticks(self._clock.now())
        event = read_event(fields, self._namespaces, self._tag_of_node, now, told_by)
        if event is not None:
            self._conditions.tell(event.key)
        if event is None or self._is_ahead(event, now) or not self._marks.take(event):
            self._settled_events += 1
            return
        if told_by == "history":
            self._conditions.spare(event.key)
        elif self._conditions.is_refreshing and event.row["is_retained"] is not False:
            event.row["told_by"] = "refresh"
        self._keep(event)

    def _keep(self, event: AlarmEvent) -> None:
        self._conditions.take(event.row)
        self._events.append(event)
        self._ready.set()

    def _is_ahead(self, event: AlarmEvent, now: int) -> bool:
        """Whether its date is so far ahead that its mark would shut out what its condition reports next."""
        if event.ticks <= now + AHEAD_TICKS:
            self._status.recover(_SUBJECT, "clock")
            return False
        reason = (
            f"{event.key}: dated {from_ticks(event.ticks).isoformat()}; correct the server's clock or ours"
        )
        self._status.fail(_SUBJECT, "clock", reason)
        return True

    async def _read_history(self, session: Session) -> None:
        start = max(self._marks.last - OVERLAP_TICKS, self._start or 0)
        if not start:
            return
        until = to_ticks(self._clock.now()) + AHEAD_TICKS
        async for page in event_history(session, start, until, event_filter(is_core=self._is_core)):
            self._taken_events += len(page)
            for fields in page:
                self._admit(fields, "history")
