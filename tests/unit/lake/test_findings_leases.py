"""Findings are one row a fault; leases end with their process; layout names are checked."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.errors import LayoutError, LeaseHeldError
from lake.findings import Finding, close_absent, close_finding, open_finding, open_findings
from lake.heartbeats import beat, heartbeats
from lake.layout import LakePaths
from lake.leases import hold_lease
from lake.migrations import migrate
from lake.state import StateStore, open_state

NOW = datetime(2026, 11, 17, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


def finding(subject: str, kind: str = "unmapped_code", cause_en: str = "found no mapping") -> Finding:
    return Finding(kind, subject, "error", "没有映射", cause_en, "请补充映射", "add a mapping")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    store = open_state(url, lambda: NOW)
    yield store
    store.close()


def test_the_same_fault_is_one_row_that_keeps_when_it_was_opened(store: StateStore) -> None:
    with store.begin() as connection:
        open_finding(connection, finding("X1"), now=NOW)
        open_finding(connection, finding("X1", cause_en="still none"), now=NOW + timedelta(hours=1))
        (row,) = open_findings(connection)
    assert row["opened_at_utc"].startswith("2026-11-17T00:00:00")
    assert row["last_seen_at_utc"].startswith("2026-11-17T01:00:00")
    assert row["cause_en"] == "still none"


def test_a_closed_finding_that_comes_back_is_opened_anew(store: StateStore) -> None:
    with store.begin() as connection:
        key = open_finding(connection, finding("X1"), now=NOW)
        assert close_finding(connection, key, now=NOW + timedelta(hours=1))
        assert not close_finding(connection, key, now=NOW + timedelta(hours=2))
        assert open_findings(connection) == []
        open_finding(connection, finding("X1"), now=NOW + timedelta(hours=3))
        (row,) = open_findings(connection)
    assert row["opened_at_utc"].startswith("2026-11-17T03:00:00")


def test_close_absent_closes_what_a_complete_look_did_not_find_and_nothing_else(store: StateStore) -> None:
    with store.begin() as connection:
        seen = open_finding(connection, finding("a.1"), now=NOW)
        open_finding(connection, finding("a.2"), now=NOW)
        open_finding(connection, finding("b.1"), now=NOW)
        open_finding(connection, finding("a.3", kind="other"), now=NOW)
        assert close_absent(connection, "unmapped_code", [seen], now=NOW, subject_prefix="a.") == 1
        assert sorted(row["subject"] for row in open_findings(connection)) == ["a.1", "a.3", "b.1"]


def test_a_finding_without_a_chinese_remedy_is_refused() -> None:
    with pytest.raises(ValueError, match="found no remedy_zh"):
        Finding("kind", "subject", "error", "原因", "cause", " ", "remedy")


def test_a_process_beats_in_machine_time(store: StateStore) -> None:
    with store.begin() as connection:
        beat(connection, "land", detail="3 rows")
        (found,) = heartbeats(connection)
    assert (found.process, found.detail) == ("land", "3 rows")
    assert 0 <= found.age_s() < 60


def test_a_lease_is_held_once_and_free_again_afterwards(tmp_path: Path) -> None:
    with hold_lease(tmp_path, "land.a.points"):
        with hold_lease(tmp_path, "land.b.points"):
            pass
        with (
            pytest.raises(LeaseHeldError, match="holds it, expected it free"),
            hold_lease(tmp_path, "land.a.points"),
        ):
            pytest.fail("held twice")
    with hold_lease(tmp_path, "land.a.points"):
        pass


def test_a_killed_process_leaves_its_lease(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from lake.leases import hold_lease\n"
        "with hold_lease(Path(sys.argv[1]), 'x'):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LeaseHeldError, match=str(holder.pid)), hold_lease(tmp_path, "x"):
        pytest.fail("held twice")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    time.sleep(0.01)
    with hold_lease(tmp_path, "x"):
        pass


@pytest.mark.parametrize("name", ["", "Raw", "a-b", "../x", "1a", "a b", "表"])
def test_a_table_name_that_is_no_identifier_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LayoutError, match="expected lower-case letters"):
        LakePaths(tmp_path).table("raw", name)


def test_a_layer_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="expected one of raw, marts, regulatory, ops"):
        LakePaths(tmp_path).table("mart", "fct_x")
