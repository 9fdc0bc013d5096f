"""What is done over one session: take up subscriptions, catch up from history, watch, until it is lost."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.catch_up import CatchUp
from ingestion.collector.collection_parts import CollectionParts
from ingestion.collector.history import HistoryReader
from ingestion.collector.intake import Intake
from ingestion.collector.processed import ProcessedReading
from ingestion.collector.publishing import Publishing
from ingestion.collector.session import SessionDroppedError, SessionLostError
from ingestion.collector.subscription import LiveSubscriptions, Receivers
from ingestion.collector.tag_stream import ServerProperties, TagStream
from protocols.opcua_time import TICKS_PER_SECOND, to_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingestion.collector.alarms import Alarms
    from ingestion.collector.clock_watch import ServerClock
    from ingestion.collector.redundancy import ServerSet
    from ingestion.collector.session import Session
    from ingestion.collector.settings import ServerSettings
    from ingestion.collector.subscription_flow import Counts
    from ingestion.collector.tag_table import Tag

# A server's clock may be behind ours when the very first points are looked for.
BEGUN_MARGIN_TICKS = 60 * TICKS_PER_SECOND
_log = logging.getLogger(__name__)


@dataclass
class Kept:
    """What outlives a connection, as long as the server keeps the subscriptions."""

    url: str
    namespaces: tuple[str, ...]
    node_ids: dict[int, ua.NodeId]
    intake: Intake
    subscriptions: LiveSubscriptions


class Collecting:
    """One session's collection.

    Args:
        session: a connected one.
        server: its settings.
        tags: the tag table.
        parts: the system's collection.
        alarms: takes events.
        tag_stream: seals the tag table with the server's units.
        servers: the set of redundant servers.
        server_clock: follows the server's clock.
        counts: what happened to messages.
        may_read: is clear while reading stands still.
    """

    def __init__(
        self,
        session: Session,
        server: ServerSettings,
        tags: Sequence[Tag],
        parts: CollectionParts,
        alarms: Alarms,
        tag_stream: TagStream,
        servers: ServerSet,
        server_clock: ServerClock,
        counts: Counts,
        may_read: asyncio.Event,
    ) -> None:
        self._session, self._server, self._tags, self._parts = session, server, tags, parts
        self._alarms, self._tag_stream, self._servers = alarms, tag_stream, servers
        self._server_clock, self._may_read = server_clock, may_read
        self._wanted: asyncio.Queue[int] = asyncio.Queue()
        self._events_lost = asyncio.Event()
        self._publishing = Publishing(
            session.client,
            self,
            requests=parts.settings.publish_requests,
            reorder_wait_s=parts.settings.reorder_wait_s,
            counts=counts,
        )
        self.kept: Kept | None = None

    async def run(self, kept: Kept | None) -> None:
        """Collect until the session is lost.

        Args:
            kept: what was kept of the last session.

        Raises:
            ExceptionGroup: of OSError, TimeoutError, ua.UaError, whatever ended it.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(_raise_when_lost(self._session))
            group.create_task(self._publishing.run())
            how = await self._take_up(kept)
            self._note_connection(how)
            assert self.kept is not None
            catch_up = self._catch_up(self.kept)
            for _ in range(self._parts.settings.history.concurrency):
                group.create_task(catch_up.work())
            group.create_task(catch_up.look_again())
            group.create_task(catch_up.fill_holes())
            processed = ProcessedReading(
                self._session, self.kept.node_ids, self._tags, self._parts, self._may_read
            )
            group.create_task(processed.work())
            group.create_task(self._watch_units(ServerProperties(self._session, self.kept.node_ids)))
            group.create_task(self._watch_namespaces())
            group.create_task(self._retry_failed(self.kept))
            group.create_task(self._close_event_holes())
            group.create_task(self._change_server())

    def pause(self, is_paused: bool) -> None:
        """Let reading stand still, or go on."""
        self._publishing.pause(is_paused)

    def taken(self) -> tuple[int, ...]:
        """How many points and events were ever taken in."""
        return self._parts.sealing.taken_rows, self._alarms.taken_events

    def sealed(self) -> tuple[int, ...]:
        """How many of them are sealed."""
        return self._parts.sealing.sealed_rows, self._alarms.sealed_events

    def _note_connection(self, how: str) -> None:
        status = self._parts.status
        status.connected, status.last_error = True, None
        status.connections += 1
        status.took_up[how] += 1
        self._servers.connected(self._session.url)
        _log.info("%s: connected to %s, subscriptions %s", status.system_id, self._session.url, how)

    async def _take_up(self, kept: Kept | None) -> str:
        """Go on with the subscriptions of the last session, take them over, or make new ones."""
        if kept is not None and await self._has_taken_over(kept):
            self.kept = kept
            kept.intake.begin_again(self._wanted.put_nowait)
            if self._alarms.is_hole_open:
                self._events_lost.set()
            return "resumed" if self._session.is_resumed else "transferred"
        if kept is not None:
            kept.intake.abandon()
        await self._session.own.delete_left_behind()
        self.kept = await self._subscribe_anew(kept)
        return "new"

    async def _has_taken_over(self, kept: Kept) -> bool:
        is_same = kept.url == self._session.url and kept.namespaces == self._session.namespaces
        if not is_same or not kept.subscriptions.subscription_ids:
            return False
        # Receivers of the last session would tell it, not this one.
        kept.subscriptions.receivers = self._receivers(kept.intake)
        self._alarms.when_incomplete = self._events_lost.set
        if self._session.is_resumed:
            kept.subscriptions.resume(self._publishing)
            return True
        return await kept.subscriptions.transfer(self._session, self._publishing)

    async def _subscribe_anew(self, former: Kept | None) -> Kept:
        intake = Intake(
            self._parts.buffer,
            [tag.has_history for tag in self._tags],
            self._wanted.put_nowait,
            self._tell_gap,
            self._note_back,
            to_ticks(self._parts.clock.now()) - BEGUN_MARGIN_TICKS,
        )
        if former is not None:
            intake.take_over(former.intake)
        node_ids = self._resolve()
        subscriptions = LiveSubscriptions(
            self._parts.clock, self._receivers(intake), self._parts.settings.publish_every_ms
        )
        self.kept = Kept(self._session.url, self._session.namespaces, node_ids, intake, subscriptions)
        self._alarms.when_incomplete = self._events_lost.set
        if self._server.collect_alarms:
            tag_of_node = {node_id: self._parts.tag_ids[tag] for tag, node_id in node_ids.items()}
            await self._alarms.start(
                self._session,
                lambda wanted: subscriptions.add_events(self._session, self._publishing, wanted),
                tag_of_node,
            )
        await self._subscribe(self.kept, [tag for tag in node_ids if self._tags[tag].aggregate is None])
        return self.kept

    def _receivers(self, intake: Intake) -> Receivers:
        def lose(tags: list[int], reason: str) -> None:
            self._parts.status.last_loss = reason
            for tag in tags:
                intake.miss(tag, "notifications_lost")
            self._alarms.lose()
            self._events_lost.set()

        return Receivers(intake.take, self._alarms.take, lose, self._server_clock.see)

    def _tell_gap(self, tag: int, start: int, end: int, reason: str) -> None:
        self._parts.gaps.tell(self._parts.tag_ids[tag], start, end, reason)

    def _note_back(self, tag: int, mark: int, ticks: int) -> None:
        if mark - ticks > TICKS_PER_SECOND:
            detail = f"{self._parts.tag_ids[tag]}: source times went back; they are kept as they came"
            self._parts.gaps.tell(None, ticks, mark, "server_clock_jump", is_open=False, detail=detail)

    def _catch_up(self, kept: Kept) -> CatchUp:
        reader = HistoryReader(
            self._session.client, self._parts.settings.history, self._session.limits.nodes_per_history_read
        )
        is_lost = self._session.lost.is_set
        return CatchUp(reader, kept.node_ids, self._parts, kept.intake, self._wanted, self._may_read, is_lost)

    def _resolve(self) -> dict[int, ua.NodeId]:
        node_ids: dict[int, ua.NodeId] = {}
        for position, tag in enumerate(self._tags):
            resolved = tag.resolve(self._session.namespaces)
            if resolved is None:
                self._parts.status.fail(
                    tag.tag_id, "node", f"{tag.node_id}: the server has no such namespace"
                )
            else:
                self._parts.status.recover(tag.tag_id, "node")
                node_ids[position] = ua.NodeId.from_string(resolved)
        return node_ids

    async def _subscribe(self, kept: Kept, positions: Sequence[int]) -> None:
        """Monitor tags; those with history are held first, so that no live point overtakes their history."""
        for position in positions:
            kept.intake.miss(position, "not_watched")
        failed = await kept.subscriptions.add(
            self._session, self._publishing, {tag: kept.node_ids[tag] for tag in positions}, self._tags
        )
        for position in positions:
            tag_id = self._parts.tag_ids[position]
            if position in failed:
                kept.intake.forget(position)
                self._parts.status.fail(tag_id, "subscription", failed[position])
            else:
                self._parts.status.recover(tag_id, "subscription")
        for position, note in kept.subscriptions.notes.items():
            self._parts.status.notes[self._parts.tag_ids[position]] = note

    async def _retry_failed(self, kept: Kept) -> None:
        while True:
            await asyncio.sleep(self._parts.settings.retry_every_s)
            listed = self._parts.status.failed_tags
            failed = [
                tag for tag in kept.node_ids if "subscription" in listed.get(self._parts.tag_ids[tag], {})
            ]
            if failed and self._may_read.is_set():
                await self._subscribe(kept, failed)

    async def _watch_units(self, properties: ServerProperties) -> None:
        while True:
            await self._may_read.wait()
            try:
                await self._tag_stream.observe(await properties.read())
            except ua.UaStatusCodeError as error:
                self._parts.status.fail("(units)", "units", f"{error}; tried again")
            else:
                self._parts.status.recover("(units)", "units")
            await asyncio.sleep(self._parts.settings.units_every_s)

    async def _watch_namespaces(self) -> None:
        """A namespace table that changes under a living session makes node ids mean other nodes."""
        while True:
            await asyncio.sleep(self._parts.settings.units_every_s)
            namespaces = tuple(await self._session.client.get_namespace_array())
            if namespaces[: len(self._session.namespaces)] != self._session.namespaces:
                self.kept = None
                msg = "the server's namespaces changed: everything is subscribed anew"
                raise SessionDroppedError(msg)

    async def _close_event_holes(self) -> None:
        while True:
            await self._events_lost.wait()
            self._events_lost.clear()
            await self._alarms.close_hole(self._session)

    async def _change_server(self) -> None:
        best = await self._servers.watch(self._session)
        msg = f"{best} serves better than {self._session.url}"
        raise SessionDroppedError(msg)


async def _raise_when_lost(session: Session) -> None:
    await session.lost.wait()
    msg = "the connection to the server is lost"
    raise SessionLostError(msg)
