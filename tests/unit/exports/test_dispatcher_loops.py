"""The dispatcher's own loops: the stream as endpoints come and go, and expiry after a long outage."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from exports import claims, dispatcher
from exports.observations import enqueue_observations
from exports.site import ExportSite
from lake.findings import open_findings
from lake.state_tables import submissions
from tests.fakes.export_platforms import wait_until
from tests.fakes.export_site import SetClock, local, make_site, observe, province, report

NOW = local("2026-11-17T06:30:00")
REPORTS = {"province_hj212_realtime": report("province_hj212_realtime")}
ENDPOINTS = {"province_hj212": province(1)}


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(NOW))


def states(site: ExportSite) -> list[str]:
    with site.state.read() as conn:
        return list(conn.scalars(select(submissions.c.state)))


def test_what_was_observed_while_an_endpoint_was_refused_is_queued_once_it_is_not(site: ExportSite) -> None:
    secret = site.root / "secrets" / "province_hj212_password"
    password = secret.read_text()
    secret.unlink()
    stop = threading.Event()
    following = threading.Thread(
        target=lambda: asyncio.run(dispatcher._follow_stream(site, REPORTS, ENDPOINTS, stop.is_set))
    )
    observe(site, "DA001", NOW)
    following.start()
    try:
        wait_until(lambda: _is_refused(site), "the refusal")
        secret.touch(mode=0o600)
        secret.write_text(password)
        observe(site, "DA001", NOW + timedelta(minutes=1))
        wait_until(lambda: len(states(site)) == 2, "both observations in the outbox")
    finally:
        stop.set()
        following.join(10)


def test_days_of_overdue_uploads_expire_in_short_transactions(
    site: ExportSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_EXPIRE_BATCH", 2)
    for minute in range(5):
        observe(site, "DA001", NOW - timedelta(days=3, minutes=minute))
    enqueue_observations(site, REPORTS, ENDPOINTS)
    with site.state.begin() as conn:
        assert len(claims.expire_overdue(conn, ENDPOINTS["province_hj212"], NOW)) == 2
    dispatcher._expire(site, ENDPOINTS["province_hj212"])
    assert states(site) == ["expired"] * 5


def _is_refused(site: ExportSite) -> bool:
    with site.state.read() as conn:
        return bool(open_findings(conn, "endpoint_refused"))
