from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from exports.claims import Claimed, claim, settle_delivery, settle_refusal
from exports.errors import PermanentError
from exports.ledger import DeliveryLine, delivery_report, history_of
from exports.outbox import build_due
from exports.site import ExportSite
from exports.transports.base import Delivery
from tests.fakes.export_site import (
    SetClock,
    hours,
    local,
    make_site,
    province,
    province_rows,
    report,
    write_rows,
)

FIRST = local("2026-11-17T00:00:00")
ENDPOINTS = {"province_hj212": province(1, order={"window": 10})}
REPORTS = {"province_hj212_hour": report(due_minutes=10, grace_minutes=30)}
TABLE = "reg_province__hj212_hour"


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(local("2026-11-17T04:15:00")))


def at(site: ExportSite, text: str) -> datetime:
    assert isinstance(site.clock, SetClock)
    site.clock.at = local(f"2026-11-17T{text}:00")
    return site.clock.at


def build(site: ExportSite, count: int, leave_out: int | None = None) -> Any:
    starts = [start for index, start in enumerate(hours(FIRST, count)) if index != leave_out]
    write_rows(site, TABLE, [row for start in starts for row in province_rows(start, outlets=["DA001"])])
    return build_due(site, REPORTS, ENDPOINTS, since=FIRST)


def take(site: ExportSite) -> list[Claimed]:
    with site.state.begin() as conn:
        return claim(conn, ENDPOINTS["province_hj212"], 100, site.clock.now())


def deliver(site: ExportSite, claimed: Claimed) -> None:
    with site.state.begin() as conn:
        settle_delivery(conn, claimed, Delivery(b"ok", "r", "00"), site.clock.now())


def line(site: ExportSite) -> DeliveryLine:
    (found,) = delivery_report(site, REPORTS, FIRST)
    return found


def test_each_period_counts_once_by_how_it_fared(site: ExportSite) -> None:
    build(site, 5, leave_out=2)  # 00, 01 and 03 are due at 04:15, 02 has no rows, 04 is not over
    midnight, one, three = take(site)
    at(site, "04:20")
    deliver(site, three)  # due 04:10, in time until 04:40
    deliver(site, midnight)  # in time until 01:40
    with site.state.begin() as conn:
        settle_refusal(conn, one, PermanentError("refused"), site.clock.now())
    found = line(site)
    assert (found.on_time, found.late, found.rejected, found.missing) == (1, 1, 1, 1)
    assert (found.waiting, found.overdue, found.expired, found.corrections) == (0, 0, 0, 0)


def test_one_that_waits_is_overdue_once_its_time_is_over(site: ExportSite) -> None:
    at(site, "01:15")
    build(site, 1)
    assert (line(site).waiting, line(site).overdue) == (1, 0)
    at(site, "01:41")
    assert (line(site).waiting, line(site).overdue) == (0, 1)


def test_a_correction_does_not_make_a_period_late(site: ExportSite) -> None:
    at(site, "01:15")
    build(site, 1)
    deliver(site, take(site)[0])
    write_rows(site, TABLE, province_rows(FIRST, value=1.0, outlets=["DA001"]))
    at(site, "01:55")
    build_due(site, REPORTS, ENDPOINTS, since=FIRST)
    deliver(site, take(site)[0])
    found = line(site)
    assert (found.on_time, found.late, found.corrections) == (1, 0, 1)


def test_the_history_of_a_submission_tells_every_step_and_its_receipt(site: ExportSite) -> None:
    (key,) = build(site, 1).enqueued
    deliver(site, take(site)[0])
    history = history_of(site, key)
    assert history is not None
    assert "content" not in history.submission
    assert [event["to_state"] for event in history.events] == ["queued", "sending", "acknowledged"]
    assert [receipt["body"] for receipt in history.receipts] == [b"ok"]
    assert history_of(site, "nothing") is None
