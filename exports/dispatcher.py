"""The process that sends: one worker an endpoint, the live stream, expiry, checkpoints, signs of life.

One dispatcher at a time works on a state store (a lease says so). Ended by whatever means, it leaves nothing
that the next one does not take up: the same bytes go out again under the same numbers.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from exports.checkpoints import Checkpointer, log_sign_key
from exports.claims import expire_overdue, take_back
from exports.configuration import record_configuration
from exports.endpoints import EndpointSpec, Refusal, refusal_of
from exports.errors import SpecError
from exports.group_commit import GroupCommit
from exports.notices import note_refusal
from exports.observations import enqueue_observations, newest_observation
from exports.reports import ReportSpec
from exports.site import ExportSite
from exports.submissions import State
from exports.worker import EndpointWorker
from lake.errors import LeaseHeldError
from lake.heartbeats import beat
from lake.leases import hold_lease
from lake.state_tables import submissions

PROCESS = "dispatch"
_POLL_S = 0.2
_HOUSEKEEPING_S = 5.0

Stopped = Callable[[], bool]


@dataclass(frozen=True)
class DrainReport:
    """How a drain ended: how many submissions are in each state, and whether none waits any more."""

    by_state: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is queued or being sent."""
        return not self.by_state.get(State.QUEUED) and not self.by_state.get(State.SENDING)


def run_dispatcher(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    *,
    log_key: Path,
    stop: threading.Event,
) -> None:
    """Send until `stop` is set.

    Args:
        site: the plant.
        reports: stream reports are queued here; scheduled ones by `outbox.build_due`.
        endpoints: endpoints by id.
        log_key: the log's signing key, made when it is not there.
        stop: set by whoever wants it to end.

    Raises:
        LeaseHeldError: another dispatcher works on this site.
    """
    with hold_lease(site.lake.leases, PROCESS):
        asyncio.run(_dispatch(site, reports, endpoints, log_key, stop.is_set))


def drain(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    *,
    log_key: Path,
    timeout_s: float,
) -> DrainReport:
    """Send until nothing waits for an endpoint that may be addressed, or the time is over.

    Where another dispatcher runs already, only wait for it.

    Args:
        site: the plant.
        reports: reports by id.
        endpoints: endpoints by id.
        log_key: the log's signing key.
        timeout_s: seconds of this machine.
    """
    deadline = time.monotonic() + timeout_s
    allowed = _allowed(site, endpoints)

    def is_over() -> bool:
        return time.monotonic() > deadline or _count_states(site, allowed).is_empty

    enqueue_observations(site, reports, endpoints)
    try:
        with hold_lease(site.lake.leases, PROCESS):
            asyncio.run(_dispatch(site, reports, endpoints, log_key, is_over))
    except LeaseHeldError:
        while not is_over():
            time.sleep(_POLL_S)
    return _count_states(site, allowed)


async def _dispatch(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    log_key: Path,
    is_stopped: Stopped,
) -> None:
    # One thread for all state: SQLite's writers wait for each other by sleeping, which a queue does not.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, thread_name_prefix="state"))
    record_configuration(site, reports, endpoints)
    _take_back(site, endpoints)
    checkpointer = Checkpointer(site.state, site.site_id, log_sign_key(log_key), site.lake.export_log)
    commit = GroupCommit(site.state)
    async with asyncio.TaskGroup() as group:
        for endpoint in endpoints.values():
            group.create_task(_serve(site, endpoint, commit, is_stopped))
        group.create_task(_follow_stream(site, reports, endpoints, is_stopped))
        group.create_task(_keep_house(site, endpoints, checkpointer, is_stopped))
    _take_back(site, endpoints)
    checkpointer.sign()


async def _serve(site: ExportSite, endpoint: EndpointSpec, commit: GroupCommit, is_stopped: Stopped) -> None:
    """Run the endpoint's worker from when it may be addressed; look again now and then until it may."""
    while not is_stopped():
        found = await asyncio.to_thread(_worker_or_refusal, site, endpoint, commit)
        if isinstance(found, EndpointWorker):
            await found.run(is_stopped)
        else:
            await _sleep(_HOUSEKEEPING_S, is_stopped)


def _worker_or_refusal(
    site: ExportSite, endpoint: EndpointSpec, commit: GroupCommit
) -> EndpointWorker | Refusal:
    refusal = refusal_of(endpoint, site.environment, site.secrets)
    worker = None
    if refusal is None:
        try:
            worker = EndpointWorker(site, endpoint, commit)
        except SpecError as error:
            refusal = Refusal("unusable", f"接收端 {endpoint.endpoint_id} 的配置不可用：{error}", str(error))
    with site.state.begin() as conn:
        note_refusal(conn, endpoint.endpoint_id, refusal, site.clock.now())
    assert (worker is None) == (refusal is not None)
    return worker or refusal  # type: ignore[return-value]


async def _follow_stream(
    site: ExportSite,
    reports: Mapping[str, ReportSpec],
    endpoints: Mapping[str, EndpointSpec],
    is_stopped: Stopped,
) -> None:
    """Queue observations as landing stores them; all anew when an endpoint comes to be addressed."""
    queued_to, allowed = 0, _allowed(site, endpoints)
    while not is_stopped():
        newest = await asyncio.to_thread(newest_observation, site)
        if newest > queued_to:
            before, allowed = allowed, _allowed(site, endpoints)
            after_id = queued_to if allowed == before else 0
            await asyncio.to_thread(enqueue_observations, site, reports, endpoints, after_id=after_id)
            queued_to = newest
        await _sleep(_POLL_S, is_stopped)


def _allowed(site: ExportSite, endpoints: Mapping[str, EndpointSpec]) -> list[str]:
    """The endpoints that may be addressed now."""
    return [
        name for name, spec in endpoints.items() if refusal_of(spec, site.environment, site.secrets) is None
    ]


async def _keep_house(
    site: ExportSite, endpoints: Mapping[str, EndpointSpec], checkpointer: Checkpointer, is_stopped: Stopped
) -> None:
    while not is_stopped():
        await asyncio.to_thread(_housekeeping, site, endpoints, checkpointer)
        await _sleep(_HOUSEKEEPING_S, is_stopped)


def _housekeeping(
    site: ExportSite, endpoints: Mapping[str, EndpointSpec], checkpointer: Checkpointer
) -> None:
    for endpoint in endpoints.values():
        _expire(site, endpoint)
    with site.state.begin() as conn:
        waiting = _waiting(conn)
        beat(conn, PROCESS, detail=f"{waiting} submissions wait")
    checkpointer.sign()


def _expire(site: ExportSite, endpoint: EndpointSpec) -> None:
    """Give up what is overdue, some in each transaction: after an outage it may be days of real-time data."""
    expired = [0]
    while expired:
        with site.state.begin() as conn:
            expired = expire_overdue(conn, endpoint, site.clock.now())


def _take_back(site: ExportSite, endpoints: Mapping[str, EndpointSpec]) -> None:
    with site.state.begin() as conn:
        take_back(conn, list(endpoints), site.clock.now())


async def _sleep(seconds: float, is_stopped: Stopped) -> None:
    until = time.monotonic() + seconds
    while not is_stopped() and time.monotonic() < until:
        await asyncio.sleep(min(_POLL_S, seconds))


def _waiting(conn: Connection) -> int:
    return (
        conn.scalar(select(func.count()).where(submissions.c.state.in_([State.QUEUED, State.SENDING]))) or 0
    )


def _count_states(site: ExportSite, endpoint_ids: list[str]) -> DrainReport:
    counted = (
        select(submissions.c.state, func.count())
        .where(submissions.c.endpoint_id.in_(endpoint_ids))
        .group_by(submissions.c.state)
    )
    with site.state.read() as conn:
        return DrainReport({row[0]: row[1] for row in conn.execute(counted)})
