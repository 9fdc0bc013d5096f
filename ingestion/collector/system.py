"""One system's collection: connect, collect until the connection is lost, connect again, for ever."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.alarms import Alarms
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.catch_up import CatchUp
from ingestion.collector.history import HistoryReader
from ingestion.collector.intake import Intake
from ingestion.collector.points_sealing import PointsSealing
from ingestion.collector.sealing import Sealer
from ingestion.collector.session import SessionLostError, open_session
from ingestion.collector.status import Status, write_status
from ingestion.collector.subscription import LiveSubscription
from ingestion.collector.tag_stream import ServerProperties, TagStream
from ingestion.collector.tag_table import load_tags
from ingestion.collector.trust import TrustError
from protocols.opcua_time import TICKS_PER_SECOND, to_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.session import Session
    from ingestion.collector.settings import CollectorSettings, ServerSettings
    from protocols.clock import Clock

FIRST_BACKOFF_S = 0.5
STATUS_EVERY_S = 1.0
_log = logging.getLogger(__name__)


class SystemCollector:
    """Collects one OPC UA server into the streams of its system.

    Args:
        server: which server and tags.
        settings: the collector's settings.
        sign_key: signs the segments.
        clock: plant time.

    Raises:
        TagTableError, MarksError: the tag table or what was sealed before cannot be read.
    """

    def __init__(
        self, server: ServerSettings, settings: CollectorSettings, sign_key: Ed25519PrivateKey, clock: Clock
    ) -> None:
        self._server, self._settings, self._clock = server, settings, clock
        self._directory = settings.state_dir / server.system_id
        self._tags = load_tags(server.tags)
        self._tag_ids = [tag.tag_id for tag in self._tags]
        self._status = Status(server.system_id, server.url)
        self._sealer = Sealer(self._directory, server.system_id, sign_key, clock)
        self._buffer = PointBuffer(self._tag_ids, self._sealer.marks("points"))
        self._sealing = PointsSealing(
            self._buffer, self._sealer, self._status, every_s=settings.seal_every_s, rows=settings.seal_rows
        )
        self._alarms = Alarms(self._sealer, clock, self._status, server.history_start_utc)
        self._tag_stream = TagStream(self._tags, self._sealer, clock, self._directory)
        self._intake: Intake | None = None

    async def run(self) -> None:
        """Collect until cancelled; then seal what is left."""
        workers = [self._sealing.work(), self._alarms.work(), self._write_status(), self._collect()]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
        finally:
            await self._sealing.seal()
            await self._alarms.seal()
            self._sealer.checkpoint()
            self._status.connected = False
            write_status(self._directory, self._status.content(self._measure()))

    async def _collect(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            before = self._status.connections
            try:
                async with open_session(self._server, self._settings) as session:
                    await self._collect_session(session)
            except* (OSError, TimeoutError, ua.UaError, TrustError) as errors:
                # Whatever a server or network does is answered by connecting again.
                self._note_loss(errors)
            finally:
                self._status.connected = False
                if self._intake is not None:
                    self._intake.abandon()
            backoff_s = (
                FIRST_BACKOFF_S
                if self._status.connections > before
                else min(backoff_s * 2, self._settings.reconnect_within_s)
            )
            await asyncio.sleep(backoff_s)

    def _note_loss(self, errors: BaseExceptionGroup[Exception]) -> None:
        first = errors.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        self._status.last_error = f"{type(first).__name__}: {first}"
        _log.warning("%s: %s", self._server.system_id, self._status.last_error)

    async def _collect_session(self, session: Session) -> None:
        wanted: asyncio.Queue[int] = asyncio.Queue()
        self._intake = Intake(self._buffer, [tag.has_history for tag in self._tags], wanted.put_nowait)
        subscription = LiveSubscription(session.client, self._clock, self._intake.take, self._alarms.take)
        node_ids = self._resolve(session)
        await subscription.open(self._settings.publish_every_ms)
        if self._server.collect_alarms:
            tag_of_node = {node_id: self._tag_ids[tag] for tag, node_id in node_ids.items()}
            await self._alarms.start(session, subscription, tag_of_node)
        await self._subscribe(subscription, node_ids, list(node_ids))
        self._status.connected, self._status.last_error = True, None
        self._status.connections += 1
        catch_up = self._catch_up(session, node_ids)
        async with asyncio.TaskGroup() as group:
            group.create_task(_raise_when_lost(session))
            group.create_task(subscription.watch())
            group.create_task(self._watch_units(ServerProperties(session, node_ids)))
            group.create_task(self._retry_failed(subscription, node_ids))
            for _ in range(self._settings.history.concurrency):
                group.create_task(catch_up.work(wanted))

    def _catch_up(self, session: Session, node_ids: dict[int, ua.NodeId]) -> CatchUp:
        assert self._intake is not None
        return CatchUp(
            HistoryReader(session.client, self._settings.history),
            node_ids=node_ids,
            tag_ids=self._tag_ids,
            buffer=self._buffer,
            intake=self._intake,
            sealing=self._sealing,
            status=self._status,
            settings=self._settings,
            server=self._server,
            clock=self._clock,
        )

    def _resolve(self, session: Session) -> dict[int, ua.NodeId]:
        node_ids: dict[int, ua.NodeId] = {}
        for position, tag in enumerate(self._tags):
            resolved = tag.resolve(session.namespaces)
            if resolved is None:
                self._status.fail(tag.tag_id, "node", f"{tag.node_id}: the server has no such namespace")
            else:
                self._status.recover(tag.tag_id, "node")
                node_ids[position] = ua.NodeId.from_string(resolved)
        return node_ids

    async def _subscribe(
        self, subscription: LiveSubscription, node_ids: dict[int, ua.NodeId], positions: Sequence[int]
    ) -> None:
        """Monitor tags; those with history are held first, so that no live point overtakes their history."""
        assert self._intake is not None
        for position in positions:
            if self._tags[position].has_history:
                self._intake.hold(position)
        failed = await subscription.add({tag: node_ids[tag] for tag in positions}, self._tags)
        for position in positions:
            if position in failed:
                self._intake.forget(position)
                self._status.fail(self._tag_ids[position], "subscription", failed[position])
            else:
                self._status.recover(self._tag_ids[position], "subscription")

    async def _retry_failed(self, subscription: LiveSubscription, node_ids: dict[int, ua.NodeId]) -> None:
        while True:
            await asyncio.sleep(self._settings.retry_every_s)
            failed = [
                tag
                for tag in node_ids
                if "subscription" in self._status.failed_tags.get(self._tag_ids[tag], {})
            ]
            if failed:
                await self._subscribe(subscription, node_ids, failed)

    async def _watch_units(self, properties: ServerProperties) -> None:
        while True:
            try:
                await self._tag_stream.observe(await properties.read())
            except ua.UaStatusCodeError as error:
                self._status.fail("(units)", "units", f"{error}; tried again")
            else:
                self._status.recover("(units)", "units")
            await asyncio.sleep(self._settings.units_every_s)

    async def _write_status(self) -> None:
        while True:
            write_status(self._directory, self._status.content(self._measure()))
            await asyncio.sleep(STATUS_EVERY_S)

    def _measure(self) -> dict[str, Any]:
        committed, now = self._sealer.committed, self._clock.now()
        newest = self._buffer.newest
        return {
            "plant_now_utc": now.isoformat(),
            "lag_plant_s": round((to_ticks(now) - newest) / TICKS_PER_SECOND, 3) if newest else None,
            "tags_catching_up": self._intake.held_tags if self._intake else 0,
            "tags_ahead_of_clock": [
                self._tag_ids[tag] for tag in (self._intake.ahead_tags if self._intake else ())
            ],
            "points_total": committed.rows.get(self._sealer.stream("points"), 0),
            "points_waiting": len(self._buffer),
            "points_already_known": self._buffer.refused,
            "last_sequences": committed.last_sequences,
        }


async def _raise_when_lost(session: Session) -> None:
    await session.lost.wait()
    msg = "the connection to the server is lost"
    raise SessionLostError(msg)
