from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from exports.claims import (
    Claimed,
    backoff_s,
    claim,
    expire_overdue,
    is_anything_ready,
    last_sequence,
    settle_delivery,
    settle_failure,
    settle_refusal,
    take_back,
)
from exports.endpoints import Backoff
from exports.errors import PermanentError, TransientError, UnreachableError
from exports.site import ExportSite
from exports.submissions import NewSubmission, State, enqueue
from exports.transports.base import Delivery
from lake.state import from_utc_text
from lake.state_tables import receipts, submissions
from tests.fakes.export_site import SetClock, hours, local, make_site, province

NOW = local("2026-11-17T06:30:00")
FIRST = local("2026-11-17T00:00:00")
ENDPOINT = province(1, order={"window": 2})
SILENT = TransientError("no 9014")


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(NOW))


def put(
    site: ExportSite, subject_id: str, period_start: datetime, mode: Any = "scheduled", revision: int = 0
) -> int:
    new = NewSubmission(
        report_id="province_hj212_realtime" if mode == "stream" else "province_hj212_hour",
        endpoint_id="province_hj212",
        subject_id=subject_id,
        period_start_utc=period_start,
        revision=revision,
        mode=mode,
        content=b"content",
        due_at_utc=period_start + timedelta(hours=1),
        reason="due",
    )
    with site.state.begin() as conn:
        return enqueue(conn, new, NOW)


def take(site: ExportSite, room: int = 100, at: datetime = NOW) -> list[Claimed]:
    with site.state.begin() as conn:
        return claim(conn, ENDPOINT, room, at)


def settle(site: ExportSite, how: Callable[..., Any], *given: Any) -> Any:
    with site.state.begin() as conn:
        return how(conn, *given)


def fail(site: ExportSite, claimed: Claimed, error: TransientError = SILENT, speed: float = 1.0) -> State:
    return settle(site, settle_failure, claimed, error, ENDPOINT, NOW, speed)  # type: ignore[no-any-return]


def row(site: ExportSite, submission_id: int) -> Any:
    with site.state.read() as conn:
        return conn.execute(select(submissions).where(submissions.c.submission_id == submission_id)).one()


def test_the_stream_goes_first_then_the_oldest_period(site: ExportSite) -> None:
    second, first = put(site, "DA001", hours(FIRST, 2)[1]), put(site, "DA002", FIRST)
    live = put(site, "DA001", NOW, mode="stream")
    assert [one.submission_id for one in take(site)] == [live, first, second]


def test_a_lane_has_no_more_under_way_than_its_window(site: ExportSite) -> None:
    ids = [put(site, "DA001", at) for at in hours(FIRST, 4)]
    claimed = take(site)
    assert [one.submission_id for one in claimed] == ids[:2]
    assert take(site) == []
    settle(site, settle_delivery, claimed[0], Delivery(b"ok", "r", "00"), NOW)
    assert [one.submission_id for one in take(site)] == ids[2:3]


def test_one_that_waits_for_its_next_try_holds_back_those_after_it(site: ExportSite) -> None:
    put(site, "DA001", FIRST)
    put(site, "DA001", hours(FIRST, 2)[1])
    other = put(site, "DA002", FIRST)
    first = next(one for one in take(site, room=1))
    fail(site, first)
    assert [one.submission_id for one in take(site)] == [other]
    assert len(take(site, at=NOW + timedelta(seconds=10))) == 2


def test_a_failed_try_waits_in_plant_time_what_backoff_means_in_machine_time(site: ExportSite) -> None:
    submission_id = put(site, "DA001", FIRST)
    assert fail(site, take(site)[0], speed=60.0) is State.QUEUED
    stored = row(site, submission_id)
    waits = from_utc_text(stored.next_attempt_at_utc) - NOW
    assert timedelta(seconds=0.08 * 60) <= waits <= timedelta(seconds=0.12 * 60)
    assert (stored.attempts, stored.last_error) == (1, "no 9014")


def test_the_endpoints_own_fault_is_no_try_of_the_submission(site: ExportSite) -> None:
    submission_id = put(site, "DA001", FIRST)
    for minute in range(10):
        at = NOW + timedelta(minutes=minute)
        fail(site, take(site, at=at)[0], UnreachableError("nobody answers"))
    assert row(site, submission_id).attempts == 0


def test_one_that_is_never_answered_is_rejected_when_others_are(site: ExportSite) -> None:
    poison, sound = put(site, "DA001", FIRST), put(site, "DA002", FIRST)
    first = {one.submission_id: one for one in take(site)}
    settle(site, settle_delivery, first[sound], Delivery(b"ok", "r", "00"), NOW)
    states = [fail(site, first[poison])]
    states += [fail(site, take(site, at=NOW + timedelta(minutes=n))[0]) for n in (1, 2)]
    assert states == [State.QUEUED, State.QUEUED, State.REJECTED]
    assert "acknowledges others" in row(site, poison).last_error


def test_one_that_is_never_answered_waits_on_when_nobody_is(site: ExportSite) -> None:
    submission_id = put(site, "DA001", FIRST)
    states = [fail(site, take(site, at=NOW + timedelta(minutes=n))[0]) for n in range(8)]
    assert set(states) == {State.QUEUED}
    assert row(site, submission_id).attempts == 8


def test_a_refusal_is_final_and_keeps_the_receivers_bytes(site: ExportSite) -> None:
    submission_id = put(site, "DA001", FIRST)
    settle(site, settle_refusal, take(site)[0], PermanentError("400", body=b'{"errors":[]}'), NOW)
    assert row(site, submission_id).state == "rejected"
    assert take(site, at=NOW + timedelta(days=1)) == []
    with site.state.read() as conn:
        kept = conn.execute(select(receipts.c.outcome, receipts.c.body)).all()
    assert kept == [("rejected", b'{"errors":[]}')]


def test_what_a_killed_dispatcher_was_sending_is_queued_again_at_once(site: ExportSite) -> None:
    ids = [put(site, "DA001", at) for at in hours(FIRST, 2)]
    take(site)
    assert settle(site, take_back, ["province_hj212"], NOW) == ids
    assert settle(site, take_back, ["province_hj212"], NOW) == []
    assert [one.submission_id for one in take(site)] == ids


def test_the_stream_expires_by_rule_and_scheduled_reports_never(site: ExportSite) -> None:
    live, scheduled = put(site, "DA001", FIRST, mode="stream"), put(site, "DA001", FIRST)
    due = FIRST + timedelta(hours=1)
    assert settle(site, expire_overdue, ENDPOINT, due + timedelta(minutes=1440)) == []
    assert settle(site, expire_overdue, ENDPOINT, due + timedelta(minutes=1441)) == [live]
    assert row(site, scheduled).state == "queued"
    assert "1440 minutes" in row(site, live).last_error


def test_looking_whether_anything_is_ready_sees_what_a_claim_would(site: ExportSite) -> None:
    with site.state.read() as conn:
        assert not is_anything_ready(conn, ENDPOINT, NOW)
    put(site, "DA001", FIRST)
    with site.state.read() as conn:
        assert is_anything_ready(conn, ENDPOINT, NOW)
        assert not is_anything_ready(conn, ENDPOINT, NOW - timedelta(seconds=1))


def test_the_next_number_follows_the_last_accepted_one(site: ExportSite) -> None:
    for at in hours(FIRST, 2):
        put(site, "DA001", at)
    for number, claimed in enumerate(take(site), start=41):
        settle(site, settle_delivery, claimed, Delivery(b"ok", "r", "00", sequence=number), NOW)
    with site.state.read() as conn:
        assert last_sequence(conn, "province_hj212", "province_hj212_hour") == 42
        assert last_sequence(conn, "province_hj212", "province_hj212_realtime") == 0


def test_backoff_grows_is_bounded_and_never_exact() -> None:
    rule = Backoff(first_s=1, factor=2, limit_s=60)
    waits = [[backoff_s(rule, failures) for _ in range(50)] for failures in (1, 3, 10, 100_000)]
    bounds = [(0.8, 1.2), (3.2, 4.8), (48, 72), (48, 72)]
    for found, (low, high) in zip(waits, bounds, strict=True):
        assert low <= min(found) < max(found) <= high
