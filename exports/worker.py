"""One endpoint's worker: claims what may leave, sends it, records what came of it.

Several submissions may be under way at once. When the endpoint as a whole takes nothing, the worker rests,
longer each time, and no submission is touched meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from exports import notices
from exports.claims import (
    Claimed,
    backoff_s,
    claim,
    is_anything_ready,
    last_sequence,
    settle_delivery,
    settle_failure,
    settle_refusal,
)
from exports.endpoints import EndpointSpec
from exports.errors import EndpointError, PermanentError, RenderError, TransientError
from exports.group_commit import GroupCommit
from exports.site import ExportSite
from exports.submissions import State
from exports.transports import make_transport
from exports.transports.base import Delivery, DeliveryRequest, Observation

_POLL_S = 0.2
_GRACE_S = 3.0


class EndpointWorker:
    """Sends one endpoint's submissions until told to stop.

    Args:
        site: the plant.
        endpoint: an endpoint that may be addressed.
        commit: where results are recorded.

    Raises:
        SpecError: the endpoint's transport cannot be made of its settings.
    """

    def __init__(self, site: ExportSite, endpoint: EndpointSpec, commit: GroupCommit) -> None:
        self._site = site
        self._endpoint = endpoint
        self._commit = commit
        self._observed: deque[Observation] = deque()
        self._transport = make_transport(endpoint, site, self._observed.append)
        self._under_way: set[asyncio.Task[None]] = set()
        self._their_sequence: dict[str, int] = {}
        self._failures = 0
        self._is_known_well = False  # a finding may be left from before this process
        self._rest_until = 0.0
        self._next_slot = 0.0

    async def run(self, is_stopped: Callable[[], bool]) -> None:
        """Work until `is_stopped`; what is under way then gets a moment to finish."""
        try:
            while not is_stopped():
                await self._round()
                await self._wait(_POLL_S)
            await self._wait(_GRACE_S, everything=True)
        finally:
            for task in self._under_way:
                task.cancel()
            if self._under_way:
                await asyncio.wait(self._under_way)
            await self._transport.close()
            await self._flush_observed()

    async def _round(self) -> None:
        await self._flush_observed()
        room = self._endpoint.batch - len(self._under_way)
        if room <= 0 or time.monotonic() < self._rest_until:
            return
        if not await asyncio.to_thread(self._is_anything_ready):
            return
        try:
            await self._transport.open()
        except EndpointError as error:
            await self._rest(error)
            return
        for claimed, sequence in await asyncio.to_thread(self._claim, room):
            self._under_way.add(asyncio.create_task(self._send(claimed, sequence)))

    async def _wait(self, seconds: float, *, everything: bool = False) -> None:
        """Until something under way ends, or the time is over; failures of our own surface here."""
        if not self._under_way:
            await asyncio.sleep(0 if everything else seconds)
            return
        until = asyncio.ALL_COMPLETED if everything else asyncio.FIRST_COMPLETED
        done, self._under_way = await asyncio.wait(self._under_way, timeout=seconds, return_when=until)
        for task in done:
            task.result()

    async def _send(self, claimed: Claimed, sequence: int) -> None:
        await self._pace()
        request = DeliveryRequest(
            submission_id=claimed.submission_id,
            report_id=claimed.report_id,
            subject_id=claimed.subject_id,
            idempotency_key=claimed.idempotency_key,
            content=claimed.content,
            sequence=sequence,
        )
        try:
            delivery = await self._transport.deliver(request)
        except PermanentError as error:
            await self._commit.run(partial(self._refused, claimed, error))
        except RenderError as error:  # the stored content itself cannot be read: nothing was sent
            await self._commit.run(partial(self._refused, claimed, PermanentError(str(error))))
        except TransientError as error:
            await self._commit.run(partial(self._failed, claimed, error, sequence))
            if error.expected_sequence is not None:
                self._their_sequence[claimed.report_id] = error.expected_sequence
            if isinstance(error, EndpointError):
                await self._rest(error)
        else:
            await self._commit.run(partial(self._delivered, claimed, delivery))
            self._failures = 0
            self._their_sequence.pop(claimed.report_id, None)

    async def _pace(self) -> None:
        """Wait for this submission's turn under the endpoint's rate."""
        slot = max(self._next_slot, time.monotonic())
        self._next_slot = slot + 1 / self._endpoint.rate.per_second
        await asyncio.sleep(slot - time.monotonic())

    async def _rest(self, error: EndpointError) -> None:
        """Leave the endpoint alone for a while; several failures of one moment count once."""
        now = time.monotonic()
        if now < self._rest_until:
            return
        self._failures += 1
        self._rest_until = now + backoff_s(self._endpoint.retry.backoff, self._failures)
        await self._commit.run(partial(self._resting, str(error)))

    async def _flush_observed(self) -> None:
        while self._observed:
            await self._commit.run(partial(self._observation, self._observed.popleft()))

    def _is_anything_ready(self) -> bool:
        with self._site.state.read() as conn:
            return is_anything_ready(conn, self._endpoint, self._site.clock.now())

    def _claim(self, room: int) -> list[tuple[Claimed, int]]:
        with self._site.state.begin() as conn:
            claimed = claim(conn, self._endpoint, room, self._site.clock.now())
            return [(one, self._sequence(conn, one)) for one in claimed]

    def _sequence(self, conn: Connection, claimed: Claimed) -> int:
        """Its number if it is accepted; 0 where the receiver does not count."""
        if self._endpoint.transport.type != "https_json":
            return 0
        if (theirs := self._their_sequence.get(claimed.report_id)) is not None:
            return theirs
        return last_sequence(conn, self._endpoint.endpoint_id, claimed.report_id) + 1

    # What follows records what came of a submission, in the transaction given.

    def _delivered(self, claimed: Claimed, delivery: Delivery, conn: Connection) -> None:
        now = self._site.clock.now()
        settle_delivery(conn, claimed, delivery, now)
        if not self._is_known_well:
            notices.note_resting(conn, self._endpoint, None, now)
            self._is_known_well = True

    def _refused(self, claimed: Claimed, error: PermanentError, conn: Connection) -> None:
        now = self._site.clock.now()
        settle_refusal(conn, claimed, error, now)
        notices.note_rejected(conn, self._endpoint, claimed.idempotency_key, str(error), now)

    def _failed(self, claimed: Claimed, error: TransientError, sequence: int, conn: Connection) -> None:
        now = self._site.clock.now()
        state = settle_failure(conn, claimed, error, self._endpoint, now, self._site.clock.speed)
        if state is State.REJECTED:
            notices.note_rejected(conn, self._endpoint, claimed.idempotency_key, str(error), now)
        if error.expected_sequence is not None:
            notices.note_out_of_step(
                conn,
                self._endpoint.endpoint_id,
                claimed.report_id,
                sequence,
                error.expected_sequence,
                now,
            )

    def _resting(self, error: str, conn: Connection) -> None:
        # Kept with the finding, in the order of the commits: several submissions end at about one moment.
        self._is_known_well = False
        notices.note_resting(conn, self._endpoint, error, self._site.clock.now())

    def _observation(self, observation: Observation, conn: Connection) -> None:
        notices.note_observation(conn, self._endpoint, observation, self._site.clock.now())
