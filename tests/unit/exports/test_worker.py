"""A worker's finding about its endpoint, when several submissions end at one moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from exports.claims import claim
from exports.errors import UnreachableError
from exports.group_commit import GroupCommit
from exports.site import ExportSite
from exports.submissions import NewSubmission, enqueue
from exports.transports.base import Delivery, DeliveryRequest
from exports.worker import EndpointWorker
from lake.findings import open_findings
from tests.fakes.export_site import SetClock, local, make_site, province

NOW = local("2026-11-17T06:30:00")
ENDPOINT = province(1, rate={"per_second": 1e9})


class Line:
    """A transport whose connection breaks for the subjects named."""

    broken: tuple[str, ...] = ()

    async def open(self) -> None:
        """Always open."""

    async def close(self) -> None:
        """Nothing is held."""

    async def deliver(self, request: DeliveryRequest) -> Delivery:
        if request.subject_id in self.broken:
            raise UnreachableError("connection lost")
        return Delivery(b"ok", None, "00")


def queue(site: ExportSite, subject_id: str) -> None:
    new = NewSubmission(
        report_id="province_hj212_hour",
        endpoint_id="province_hj212",
        subject_id=subject_id,
        period_start_utc=NOW - timedelta(hours=2),
        revision=0,
        mode="scheduled",
        content=b"content",
        due_at_utc=NOW,
        reason="due",
    )
    with site.state.begin() as conn:
        enqueue(conn, new, NOW)


def findings(site: ExportSite) -> list[Any]:
    with site.state.read() as conn:
        return [row["finding_key"] for row in open_findings(conn)]


def test_an_endpoint_that_answers_again_is_no_finding_whatever_ended_at_the_moment_it_broke(
    tmp_path: Path,
) -> None:
    site, line = make_site(tmp_path, SetClock(NOW)), Line()
    worker = EndpointWorker(site, ENDPOINT, GroupCommit(site.state))
    worker._transport = line

    async def send(*subjects: str) -> None:
        for subject_id in subjects:
            queue(site, subject_id)
        with site.state.begin() as conn:
            claimed = claim(conn, ENDPOINT, len(subjects), NOW)
        ordered = sorted(claimed, key=lambda one: subjects.index(one.subject_id))
        await asyncio.gather(*(worker._send(one, 0) for one in ordered))

    async def scenario() -> None:
        await send("A")
        line.broken = ("B",)
        await send("B", "C")  # B's failure and C's receipt are recorded in one commit
        assert findings(site) == ["endpoint_unreachable:province_hj212"]
        await send("D")

    asyncio.run(scenario())
    assert findings(site) == []
