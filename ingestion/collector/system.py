"""One system's collection: connect, collect until the connection is lost, connect again, for ever."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.alarms import Alarms
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.clock_back import SealedInstants
from ingestion.collector.clock_watch import OwnClock, ServerClock
from ingestion.collector.collecting import Collecting, Kept
from ingestion.collector.collection_parts import CollectionParts
from ingestion.collector.disk import DiskGuard
from ingestion.collector.expiry import CertificateWatch, Validity
from ingestion.collector.gaps import GapLog
from ingestion.collector.history_troubles import HistoryTroubles
from ingestion.collector.marks import mark_of
from ingestion.collector.open_holes import HISTORY_FAILED, HoleStore
from ingestion.collector.points_sealing import PointsSealing
from ingestion.collector.redundancy import ServerSet
from ingestion.collector.sealing import Sealer
from ingestion.collector.session import open_session
from ingestion.collector.status import Status, write_status
from ingestion.collector.subscription_flow import Counts
from ingestion.collector.tag_stream import TagStream
from ingestion.collector.tag_table import load_tags
from ingestion.collector.trust import CertificateDateError, TrustError
from ingestion.collector.variants import MALFORMED
from protocols.opcua_time import TICKS_PER_SECOND, to_ticks

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.sealing import Pairing
    from ingestion.collector.settings import CollectorSettings, ServerSettings
    from protocols.clock import Clock

FIRST_BACKOFF_S = 0.5
STATUS_EVERY_S = 1.0
SESSION_NAME = "session"
_log = logging.getLogger(__name__)


class SystemCollector:
    """Collects one OPC UA server, or a redundant set, into the streams of its system.

    Args:
        server: which server and tags.
        settings: the collector's settings.
        sign_key: signs the segments.
        clock: plant time.
        pairing: how a collector of a pair names its streams, and what the other one has committed.

    Raises:
        TagTableError, MarksError: the tag table or what was sealed before cannot be read.
    """

    def __init__(
        self,
        server: ServerSettings,
        settings: CollectorSettings,
        sign_key: Ed25519PrivateKey,
        clock: Clock,
        pairing: Pairing | None = None,
    ) -> None:
        self._server, self._settings, self._clock = server, settings, clock
        self._directory = settings.state_dir / server.system_id
        tags = load_tags(server.tags)
        self._status = Status(server.system_id, server.url)
        self._sealer = Sealer(self._directory, server.system_id, sign_key, clock, pairing)
        self._gaps = GapLog(self._sealer, clock, self._status)
        buffer = PointBuffer([tag.tag_id for tag in tags], self._sealer.marks("points"))
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._disk = DiskGuard(
            self._directory, settings.disk, clock, self._status, self._gaps, self._stand_still
        )
        self._parts = CollectionParts(
            tag_ids=[tag.tag_id for tag in tags],
            buffer=buffer,
            sealing=PointsSealing(
                buffer, self._sealer, self._status, every_s=settings.seal_every_s, rows=settings.seal_rows
            ),
            status=self._status,
            gaps=self._gaps,
            troubles=self._open_holes([tag.tag_id for tag in tags], buffer),
            sealed=SealedInstants(self._directory, self._sealer.stream("points")),
            settings=settings,
            start=mark_of(server.history_start_utc) if server.history_start_utc else None,
            clock=clock,
        )
        self._alarms = Alarms(self._sealer, clock, self._status, server.history_start_utc)
        self._tags = tags
        self._tag_stream = TagStream(tags, self._sealer, clock, self._directory)
        self._servers = ServerSet(server, settings)
        self._server_clock = ServerClock(self._gaps, self._status)
        self._own_clock = OwnClock(self._gaps)
        self._certificates = CertificateWatch(
            settings.certificates, settings.pki, server.user, self._status, self._gaps, clock
        )
        self._counts = Counts()
        self._kept: Kept | None = None
        self._is_in_session = False
        self._collecting: Collecting | None = None

    @property
    def system_id(self) -> str:
        """Which system."""
        return self._server.system_id

    @property
    def is_connected(self) -> bool:
        """Whether it has a session and may read."""
        return self._status.connected and self._may_read.is_set()

    def note_takeover(self, since: datetime, detail: str) -> None:
        """Tell the business zone that this collector goes on for the other one of its pair.

        Args:
            since: when the other one was last heard.
            detail: which one takes over, and why.
        """
        now = to_ticks(self._clock.now())
        self._gaps.tell(None, to_ticks(since), now, "collector_took_over", is_open=False, detail=detail)

    def alarm(self, name: str, text: str | None) -> None:
        """Raise an alarm for the operator, or take it back."""
        self._status.alarm(name, text)

    async def run(self) -> None:
        """Collect until cancelled; then seal what is left."""
        self._tell_open_holes()
        workers = [
            self._parts.sealing.work(),
            self._alarms.work(),
            self._gaps.work(),
            self._watch_machine(),
            self._collect(),
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
        finally:
            await self._parts.sealing.seal()
            await self._alarms.seal()
            await self._gaps.seal()
            self._sealer.checkpoint()
            self._status.connected = False
            write_status(self._directory, self._status.content(self._measure()))

    def _open_holes(self, tag_ids: list[str], buffer: PointBuffer) -> HistoryTroubles:
        store = HoleStore(self._directory, self._sealer.stream("gaps"))
        return HistoryTroubles(self._settings.history, self._settings.retry_every_s, store, tag_ids, buffer)

    def _tell_open_holes(self) -> None:
        """The last process may have ended after a hole was kept and before its row was sealed."""
        troubles = self._parts.troubles
        for hole in (*troubles.holes, *troubles.told.values()):
            tag_id, detail = self._parts.tag_ids[hole.tag], "open since before the collector's start"
            self._gaps.tell(tag_id, hole.start, hole.end, HISTORY_FAILED, detail=detail)

    async def _collect(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            before = self._status.connections
            url = await self._servers.choose()
            try:
                await self._collect_from(url)
            except* (OSError, TimeoutError, ua.UaError, TrustError, *MALFORMED) as errors:
                # Whatever a server or network does is answered by connecting again.
                self._note_loss(errors)
            finally:
                self._status.connected = False
                self._note_session_end()
            if self._status.connections > before:
                backoff_s = FIRST_BACKOFF_S
            else:
                self._servers.failed(url)
                backoff_s = min(backoff_s * 2, self._settings.reconnect_within_s)
            await asyncio.sleep(backoff_s)

    async def _collect_from(self, url: str) -> None:
        token = self._directory / f"{SESSION_NAME}-{self._server.urls.index(url)}.json"
        await self._may_read.wait()
        async with open_session(self._server, self._settings, url, token) as session:
            self._status.url = url
            self._note_session("session_began", url)
            self._certificates.see_server(session.certificate)
            self._collecting = Collecting(
                session,
                self._server,
                self._tags,
                self._parts,
                self._alarms,
                self._tag_stream,
                self._servers,
                self._server_clock,
                self._counts,
                self._may_read,
            )
            try:
                await self._collecting.run(self._kept)
            finally:
                self._kept, self._collecting = self._collecting.kept, None

    def _note_session(self, what: str, detail: str) -> None:
        """Tell the business zone, which cannot ask, that a session began or ended."""
        now = to_ticks(self._clock.now())
        self._gaps.tell(None, now, now, what, is_open=False, detail=detail)
        self._is_in_session = what == "session_began"

    def _note_session_end(self) -> None:
        if self._is_in_session:
            self._note_session("session_ended", f"{self._status.url} {self._status.last_error or 'closed'}")

    def _note_loss(self, errors: BaseExceptionGroup[Exception]) -> None:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, CertificateDateError):
            self._certificates.see_server(Validity(first.not_after))
        self._status.last_error = f"{type(first).__name__}: {first}"
        _log.warning("%s: %s", self._server.system_id, self._status.last_error)

    def _stand_still(self, is_still: bool) -> None:
        if is_still:
            self._may_read.clear()
        else:
            self._may_read.set()
        if self._collecting is not None:
            self._collecting.pause(is_still)

    async def _watch_machine(self) -> None:
        while True:
            self._own_clock.look()
            self._certificates.look()
            try:
                self._disk.look()
                write_status(self._directory, self._status.content(self._measure()))
            except OSError as error:
                self._disk.stop()
                _log.warning("%s: the disk refuses: %s", self._server.system_id, error)
            await asyncio.sleep(STATUS_EVERY_S)

    def _measure(self) -> dict[str, Any]:
        committed, now = self._sealer.committed, self._clock.now()
        newest = self._parts.buffer.newest
        intake = None if self._kept is None else self._kept.intake
        if self._collecting is not None and self._collecting.kept is not None:
            intake = self._collecting.kept.intake
        return {
            "plant_now_utc": now.isoformat(),
            "lag_plant_s": round((to_ticks(now) - newest) / TICKS_PER_SECOND, 3) if newest else None,
            "tags_catching_up": intake.held_tags if intake else 0,
            "tags_ahead_of_clock": [
                self._parts.tag_ids[tag] for tag in (intake.ahead_tags if intake else ())
            ],
            "points_total": committed.rows.get(self._sealer.stream("points"), 0),
            "points_waiting": len(self._parts.buffer),
            "points_already_known": self._parts.buffer.refused,
            "last_sequences": committed.last_sequences,
            "messages": vars(self._counts),
            "server_clock_ahead_s": self._server_clock.offset_s,
            "service_levels": self._servers.levels,
            "history_holes": len(self._parts.troubles.holes) + len(self._parts.troubles.told),
            "disk_free_mb": round(self._disk.free_mb),
        }
