"""What every source has: its streams, what is new, its tags, its state file; and its life until cancelled."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ingestion.collector.clock_watch import OwnClock
from ingestion.collector.disk import DiskGuard
from ingestion.collector.gaps import GapLog
from ingestion.collector.sealing import Sealer
from ingestion.collector.sources.admission import Admission
from ingestion.collector.sources.known_times import KnownTimes
from ingestion.collector.sources.tags import TagRegister, load_source_tags
from ingestion.collector.sources.turns import Turns, day_of
from ingestion.collector.status import Status, write_status
from protocols.opcua_time import TICKS_PER_SECOND, to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings
    from ingestion.collector.sources.items import Taken
    from ingestion.collector.sources.settings import Hj212Settings, MqttSettings
    from protocols.clock import Clock

STATUS_EVERY_S = 1.0
LOOK_AT_DAY_EVERY_S = 3600.0
_log = logging.getLogger(__name__)


class Source(ABC):
    """One source, collected into the streams of its system.

    Args:
        source: which source.
        url: what an operator sees of where it is.
        stalled_at: so many messages whose senders wait bring a seal at once when no more arrive.
        settings: the collector's settings.
        sign_key: signs the segments.
        clock: plant time.

    Raises:
        TagTableError, MarksError: the tag table or what was sealed before cannot be read.
    """

    def __init__(
        self,
        source: MqttSettings | Hj212Settings,
        url: str,
        stalled_at: int,
        settings: CollectorSettings,
        sign_key: Ed25519PrivateKey,
        clock: Clock,
    ) -> None:
        self.directory = settings.state_dir / source.system_id
        self.clock, self.status = clock, Status(source.system_id, url)
        self._settings = settings
        table = {} if source.tags is None else load_source_tags(source.tags)
        self.sealer = Sealer(self.directory, source.system_id, sign_key, clock)
        streams = {self.sealer.stream(kind): kind for kind in ("points", "events")}
        self._known = KnownTimes(self.directory, streams, day_of(clock), source.remember_days)
        self.admission = Admission(self._known, self.sealer.marks("points"), source.remember_days)
        self.tags = TagRegister(table, self.sealer, clock, self.directory, source.max_tags)
        self.turns = Turns(
            self.admission,
            self._known,
            self.sealer,
            self.status,
            clock,
            every_s=settings.seal_every_s,
            rows=settings.seal_rows,
            stalled_at=stalled_at,
        )

        self._gaps = GapLog(self.sealer, clock, self.status)
        self._disk = DiskGuard(
            self.directory, settings.disk, clock, self.status, self._gaps, self.turns.stand_still
        )
        self._own_clock = OwnClock(self._gaps)

    async def run(self) -> None:
        """Collect until cancelled; then seal what is left."""
        workers = [self.turns.work(), self._gaps.work(), self._watch_machine(), self._seal_tags()]
        workers += [self._forget(), self.collect()]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
        finally:
            try:
                await self.tags.seal_changes()
                await self.turns.seal()
                await self._gaps.seal()
                self.sealer.checkpoint()
            finally:
                await self.end()
                self._known.close()
            self.status.connected = False
            write_status(self.directory, self.status.content(self._measure()))

    @abstractmethod
    async def collect(self) -> None:
        """Receive for ever, whatever the other side does."""

    @abstractmethod
    async def end(self) -> None:
        """Close what is open, after the last seal told its senders."""

    def measure(self) -> dict[str, Any]:
        """What else the state file says of this source."""
        return {}

    def now(self) -> int:
        """Plant time in ticks."""
        return to_ticks(self.clock.now())

    def take(self, taken: Taken, when_sealed: Callable[[], None] | None) -> None:
        """Admit what a message became; `when_sealed` tells its sender."""
        for gap in taken.gaps:
            self.status.note_gap(gap.reason, is_open=True)
        self.admission.take(taken, self.now(), when_sealed)
        self.turns.arrived()

    async def _watch_machine(self) -> None:
        while True:
            self._own_clock.look()
            try:
                self._disk.look()
                write_status(self.directory, self.status.content(self._measure()))
            except OSError as error:
                self._disk.stop()
                _log.warning("%s: the disk refuses: %s", self.status.system_id, error)
            await asyncio.sleep(STATUS_EVERY_S)

    async def _seal_tags(self) -> None:
        while True:
            try:
                await self.tags.seal_changes()
            except OSError as error:
                self.status.fail("(tags)", "sealing", str(error))
            else:
                self.status.recover("(tags)", "sealing")
            await asyncio.sleep(self._settings.seal_every_s)

    async def _forget(self) -> None:
        """Once a day: it looks at every instant that is known."""
        last = day_of(self.clock)
        while True:
            await asyncio.sleep(LOOK_AT_DAY_EVERY_S)
            today = day_of(self.clock)
            if today != last:
                await asyncio.to_thread(self._known.forget_before, today)
                last = today

    def _measure(self) -> dict[str, Any]:
        now, newest, committed = self.clock.now(), self.admission.newest, self.sealer.committed
        lag_s = round((to_ticks(now) - newest) / TICKS_PER_SECOND, 3) if newest else None
        return {
            "plant_now_utc": now.isoformat(),
            "lag_plant_s": lag_s,
            "tags": len(self.tags),
            "points_total": committed.rows.get(self.sealer.stream("points"), 0),
            "points_waiting": len(self.admission),
            "points_already_known": self.admission.counts["repeated"],
            "counts": dict(self.admission.counts),
            "disk_free_mb": round(self._disk.free_mb),
            "last_sequences": committed.last_sequences,
            **self.measure(),
        }
