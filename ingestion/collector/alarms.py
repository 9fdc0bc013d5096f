"""Alarms and events: subscribed, read from event history where the server keeps one, sealed at once.

Exactly once by a mark a condition, as points have one a tag: an event is admitted when it is later than the
last one of its condition, or another one of the same instant. So neither history nor a condition refresh
doubles an event.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.alarm_events import (
    AlarmEvent,
    alarm_table,
    event_filter,
    is_incomplete,
    read_event,
)
from ingestion.collector.intake import AHEAD_TICKS
from ingestion.collector.marks import mark_of
from protocols.opcua_time import TICKS_PER_SECOND, from_ticks, to_ticks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from ingestion.collector.sealing import Sealer
    from ingestion.collector.session import Session
    from ingestion.collector.status import Status
    from protocols.clock import Clock

# Conditions report in no common order, so history is read a little further back; marks drop what is known.
OVERLAP_TICKS = 600 * TICKS_PER_SECOND
EVENTS_PER_READ = 1000
READ_LIMIT = 10_000
RETRY_S = 1.0
_SUBJECT = "(events)"
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
        self._marks: dict[str, int] = dict(sealer.marks("alarms"))
        # The events at each mark; a mark taken over from before has none, and nothing more of its instant.
        self._at_mark: dict[str, set[str]] = {}
        self._events: list[AlarmEvent] = []
        self._taken_events = self._settled_events = 0
        # Called when the server says that it has dropped events, or that conditions must be asked for anew.
        self.when_incomplete: Callable[[], None] = lambda: None
        self._sealing = asyncio.Lock()
        self._waiting: list[list[ua.Variant]] | None = None
        self._ready = asyncio.Event()
        self._subscription_id: int | None = None
        self._namespaces: tuple[str, ...] = ()
        self._tag_of_node: Mapping[ua.NodeId, str] = {}

    async def start(
        self,
        session: Session,
        subscribe: Callable[[ua.EventFilter], Awaitable[int]],
        tag_of_node: Mapping[ua.NodeId, str],
    ) -> None:
        """Subscribe, then close the hole behind from event history, else by a condition refresh.

        Args:
            session: where.
            subscribe: monitors events with a filter, and gives the subscription's id.
            tag_of_node: the tags of this session's node ids.
        """
        self._namespaces, self._tag_of_node = session.namespaces, tag_of_node
        self._subscription_id = None
        self._settled_events += len(self._waiting or ())  # history, or a refresh, gives them again
        self._waiting = None
        await self._close_hole(session, subscribe)

    async def close_hole(self, session: Session) -> None:
        """Events were lost on their way: have them from history, else the present state of all conditions."""
        if self._subscription_id is not None:
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
                self._subscription_id = await subscribe(event_filter())
            try:
                await self._read_history(session)
            except ua.UaStatusCodeError as error:
                _log.info("%s: no event history (%s), asking for a refresh", self._status.system_id, error)
                await _refresh(session, self._subscription_id or 0)
        except ua.UaStatusCodeError as error:
            self._status.fail(
                _SUBJECT, "events", f"{type(error).__name__}: alarms of this server are incomplete"
            )
            _log.warning("%s: events: %s", self._status.system_id, error)
        else:
            self._status.recover(_SUBJECT, "events")
        waiting, self._waiting = self._waiting or [], None
        for fields in waiting:
            self._admit(fields)

    def take(self, events: list[list[ua.Variant]]) -> None:
        """Event field lists from the subscription."""
        self._taken_events += len(events)
        if any(is_incomplete(fields) for fields in events):
            self.when_incomplete()
        if self._waiting is not None:
            self._waiting.extend(events)
            return
        for fields in events:
            self._admit(fields)

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
            marks = {event.key: event.ticks for event in events}  # in order: the last of a key stays
            self._ready.clear()
            try:
                await self._sealer.seal("alarms", alarm_table([event.row for event in events]), marks)
            except OSError:
                self._ready.set()
                raise
            del self._events[: len(events)]
            self._settled_events += len(events)

    def _admit(self, fields: list[ua.Variant]) -> None:
        now = to_ticks(self._clock.now())
        event = read_event(fields, self._namespaces, self._tag_of_node, now)
        if event is None or self._is_ahead(event, now) or not self._is_new(event):
            self._settled_events += 1
            return
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

    def _is_new(self, event: AlarmEvent) -> bool:
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

    async def _read_history(self, session: Session) -> None:
        start = max(max(self._marks.values(), default=0) - OVERLAP_TICKS, self._start or 0)
        if not start:
            return
        details = ua.ReadEventDetails(
            NumValuesPerNode=EVENTS_PER_READ,
            StartTime=from_ticks(start),
            EndTime=from_ticks(to_ticks(self._clock.now()) + AHEAD_TICKS),
            Filter=event_filter(),
        )
        node = ua.HistoryReadValueId(NodeId=ua.NodeId(ua.ObjectIds.Server))
        parameters = ua.HistoryReadParameters(
            HistoryReadDetails=details,
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ReleaseContinuationPoints=False,  # asyncua defaults it to True
            NodesToRead=[node],
        )
        for _ in range(READ_LIMIT):
            (result,) = await session.client.uaclient.session.history_read(parameters)
            result.StatusCode.check()
            events = result.HistoryData.Events if isinstance(result.HistoryData, ua.HistoryEvent) else []
            self._taken_events += len(events)
            for event in events:
                self._admit(event.EventFields)
            if not result.ContinuationPoint or result.ContinuationPoint == node.ContinuationPoint:
                return
            node.ContinuationPoint = result.ContinuationPoint


async def _refresh(session: Session, subscription_id: int) -> None:
    """Ask for the present state of all conditions (Part 9 §5.5.7)."""
    condition_type = session.client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
    method = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
    await condition_type.call_method(method, ua.Variant(subscription_id, ua.VariantType.UInt32))
