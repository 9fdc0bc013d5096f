"""Sealing in turns, and telling senders only then: what is acknowledged survives a power cut.

A turn seals everything admitted since the last one, a stream after another, then remembers what was sealed,
then tells the senders. It comes every so often, or when there is much, or when senders seem to wait for it: a
broker stops at so many unacknowledged messages, a logger at one. A turn that the disk refuses is tried again
with the same rows; the senders wait, and what they still hold waits there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingestion.collector.sources.items import NO_TICKS
from protocols.opcua_time import UNIX_EPOCH_TICKS, from_ticks
from protocols.points import EVENTS, GAPS, POINTS, QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.collector.sealing import Sealer
    from ingestion.collector.sources.admission import Admission, Drained
    from ingestion.collector.sources.known_times import KnownTimes
    from ingestion.collector.status import Status
    from protocols.clock import Clock

LOOK_EVERY_S = 0.02
KINDS = ("points", "events", "gaps", "quarantine")
_log = logging.getLogger(__name__)


class Turns:
    """Seals what a source admitted.

    Args:
        admission: what was admitted.
        known: remembers what was sealed.
        sealer: the system's streams.
        status: told when the disk refuses.
        clock: plant time.
        every_s: the longest wait, in real seconds.
        rows: a turn comes at once with so many rows.
        stalled_at: so many messages whose senders wait, and none arriving, bring a turn at once.
        stalled_s: how long none must have arrived for that, in real seconds.
    """

    def __init__(
        self,
        admission: Admission,
        known: KnownTimes,
        sealer: Sealer,
        status: Status,
        clock: Clock,
        *,
        every_s: float,
        rows: int,
        stalled_at: int,
        stalled_s: float = 0.05,
    ) -> None:
        self._admission, self._known, self._sealer = admission, known, sealer
        self._status, self._clock = status, clock
        self._every_s, self._rows = every_s, rows
        self._stalled_at, self._stalled_s = stalled_at, stalled_s
        self._unsealed: Drained | None = None
        self._sealed_kinds: set[str] = set()
        self._turn = asyncio.Lock()
        self._something = asyncio.Event()
        self._may_seal = asyncio.Event()
        self._may_seal.set()
        self._last_arrival = 0.0
        self.before_telling: list[Callable[[], None]] = []

    @property
    def is_stuck(self) -> bool:
        """Whether what is admitted cannot be sealed now."""
        return self._unsealed is not None or not self._may_seal.is_set()

    def stand_still(self, is_still: bool) -> None:
        """Seal nothing while the disk is almost full, or go on; what is not sealed is not acknowledged."""
        if is_still:
            self._may_seal.clear()
        else:
            self._may_seal.set()

    def arrived(self) -> None:
        """Something was admitted just now."""
        self._last_arrival = time.monotonic()
        self._something.set()

    async def work(self) -> None:
        """Seal for ever."""
        while True:
            await self._something.wait()
            await self._may_seal.wait()
            await self._until_due()
            self._something.clear()
            try:
                await self.seal()
            except OSError as error:
                self._status.last_error = f"sealing: {error}; kept, tried again in {self._every_s:g} s"
                self._status.fail("(disk)", "sealing", str(error))
                _log.exception("sealing %s", self._status.system_id)
                self._something.set()
                await asyncio.sleep(self._every_s)

    async def seal(self) -> None:
        """Seal everything admitted so far and tell its senders.

        Raises:
            OSError: the disk refused; the rows are kept for the next turn.
        """
        await asyncio.shield(self._seal())

    async def _until_due(self) -> None:
        deadline = time.monotonic() + self._every_s
        while (now := time.monotonic()) < deadline and len(self._admission) < self._rows:
            is_silent = now - self._last_arrival >= self._stalled_s
            if is_silent and self._admission.messages_waiting >= self._stalled_at:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _seal(self) -> None:
        async with self._turn:
            if self._unsealed is None:
                self._unsealed, self._sealed_kinds = self._admission.drain(), set()
            drained = self._unsealed
            for kind in KINDS:
                await self._seal_kind(kind, drained)
            await asyncio.to_thread(self._remember, drained)
            for prepare in self.before_telling:
                prepare()
            self._admission.sealed(drained)
            self._unsealed = None
            self._status.recover("(disk)", "sealing")
            for tell in drained.when_sealed:
                tell()

    async def _seal_kind(self, kind: str, drained: Drained) -> None:
        if kind in self._sealed_kinds:
            return
        table = _TABLES[kind](drained, self._clock)
        if table.num_rows:
            await self._sealer.seal(kind, table, drained.marks if kind == "points" else {})
        self._sealed_kinds.add(kind)

    def _remember(self, drained: Drained) -> None:
        if not drained.known:
            return
        positions = {
            self._sealer.stream(kind): self._sealer.last_sequence(kind) for kind in ("points", "events")
        }
        self._known.add(drained.known, positions, day_of(self._clock))


def day_of(clock: Clock) -> int:
    """The day number of plant time, by which what is known grows old."""
    return int(clock.now().timestamp() // 86_400)


def _points(drained: Drained, _: Clock) -> pa.Table:
    rows = [point for point, _ in drained.points]
    columns: dict[str, Any] = {
        "tag_id": [point.tag_id for point in rows],
        "source_at_utc": _micros([point.ticks for point in rows]),
        "source_at_100ns": [(point.ticks - UNIX_EPOCH_TICKS) % 10 for point in rows],
        "value_number": pa.array([point.number for point in rows], pa.float64()),
        "value_text": pa.array([point.text for point in rows], pa.string()),
        "status_code": [point.status for point in rows],
        "server_at_utc": _micros([point.server_ticks for point in rows]),
        "server_at_100ns": [_digit(point.server_ticks) for point in rows],
        "arrived_at_utc": _micros([arrived for _, arrived in drained.points]),
    }
    return pa.Table.from_pydict(columns, schema=POINTS)


def _events(drained: Drained, _: Clock) -> pa.Table:
    rows = [event for event, _ in drained.events]
    names = ("event_id", "source_name", "event_type", "message", "link", "attributes", "subject")
    columns: dict[str, Any] = {name: [getattr(event, name) for event in rows] for name in names}
    columns["event_at_utc"] = _micros([event.ticks for event in rows])
    columns["event_at_100ns"] = [_digit(event.ticks) for event in rows]
    columns["arrived_at_utc"] = _micros([arrived for _, arrived in drained.events])
    return pa.Table.from_pydict(columns, schema=EVENTS)


def _gaps(drained: Drained, clock: Clock) -> pa.Table:
    now = clock.now()
    rows = [
        {
            "tag_id": gap.tag_id,
            "from_at_utc": from_ticks(gap.from_ticks),
            "until_at_utc": from_ticks(gap.until_ticks),
            "reason": gap.reason,
            "is_open": True,
            "detail": gap.detail,
            "observed_at_utc": now,
        }
        for gap in drained.gaps
    ]
    return pa.Table.from_pylist(rows, schema=GAPS)


def _quarantine(drained: Drained, clock: Clock) -> pa.Table:
    now = clock.now()
    rows = [
        {
            "subject": _clean(refusal.subject),
            "tag_id": refusal.tag_id,
            "source_at_utc": None if refusal.ticks is None else from_ticks(refusal.ticks),
            "reason_code": refusal.reason_code,
            "reason_zh": refusal.reason_zh,
            "reason_en": refusal.reason_en,
            "content": _clean(refusal.content),
            "observed_at_utc": now,
        }
        for refusal in drained.refusals
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE)


_TABLES = {"points": _points, "events": _events, "gaps": _gaps, "quarantine": _quarantine}
_CONTENT_LIMIT = 2_000


def _clean(text: str) -> str:
    """At most so much of a text, as UTF-8 can carry it."""
    return text[:_CONTENT_LIMIT].encode("utf-8", "replace").decode()


def _micros(ticks: list[int]) -> pa.Array:
    values = [None if at == NO_TICKS else (at - UNIX_EPOCH_TICKS) // 10 for at in ticks]
    return pa.array(values, pa.int64()).cast(POINTS.field("source_at_utc").type)


def _digit(ticks: int) -> int | None:
    return None if ticks == NO_TICKS else (ticks - UNIX_EPOCH_TICKS) % 10
