"""A submission is overdue when its receipt could be there by now and is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from exports.submissions import NewSubmission, Outcome, State, acknowledge, enqueue, transition
from lake.state import migrate, open_state
from orchestration.delivery import overdue

NOW = datetime(2026, 11, 17, 4, 0, tzinfo=UTC)
GRACE = 50.0


@pytest.fixture
def state(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    store = open_state(url, lambda: NOW)
    yield store
    store.close()


def put(state, *, due: timedelta, queued: timedelta, is_acknowledged: bool = False) -> None:
    new = NewSubmission(
        report_id="r",
        endpoint_id="e",
        subject_id="DA001",
        period_start_utc=NOW - due,
        revision=0,
        mode="scheduled",
        content=b"x",
        due_at_utc=NOW - due,
        reason="due",
    )
    with state.begin() as connection:
        number = enqueue(connection, new, NOW - queued)
        if is_acknowledged:
            transition(connection, number, State.QUEUED, State.SENDING, NOW)
            acknowledge(connection, number, Outcome(b"ok", "1", 1), NOW)


def test_one_due_and_queued_longer_than_its_grace_is_overdue(state):
    put(state, due=timedelta(hours=2), queued=timedelta(hours=1))
    assert len(overdue(state, "r", "e", GRACE)) == 1
    assert overdue(state, "r", "other", GRACE) == []


def test_one_acknowledged_is_not(state):
    put(state, due=timedelta(hours=2), queued=timedelta(hours=1), is_acknowledged=True)
    assert overdue(state, "r", "e", GRACE) == []


def test_a_backlog_queued_just_now_and_one_just_due_have_their_grace(state):
    put(state, due=timedelta(hours=20), queued=timedelta(minutes=5))
    put(state, due=timedelta(minutes=5), queued=timedelta(hours=2))
    assert overdue(state, "r", "e", GRACE) == []
