"""Runs of killed processes are ended, and only those."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import psutil
from dagster import DagsterRunStatus

from orchestration.abandoned import PROCESS_TAG, end_abandoned, process_tag


@dg.job
def nothing() -> None:
    """A job that stands for any."""


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = instance.create_run_for_job(nothing, tags=tags, status=DagsterRunStatus.STARTED)
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def tag_of_a_killed_process() -> dict[str, str]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    began = psutil.Process(process.pid).create_time()
    process.send_signal(signal.SIGKILL)
    process.wait()
    return {PROCESS_TAG: f"{process.pid}@{began:.2f}"}


def test_only_runs_of_processes_that_are_gone_are_ended(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        killed = started(instance, tag_of_a_killed_process())
        alive = started(instance, process_tag())
        of_dagster = started(instance, {})
        assert end_abandoned(instance) == [killed]
        assert status(instance, killed) is DagsterRunStatus.FAILURE
        assert status(instance, alive) is DagsterRunStatus.STARTED
        assert status(instance, of_dagster) is DagsterRunStatus.STARTED


def test_a_pid_that_came_round_again_is_another_process(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        pid = process_tag()[PROCESS_TAG].partition("@")[0]
        earlier = started(instance, {PROCESS_TAG: f"{pid}@1.00"})
        assert end_abandoned(instance) == [earlier]


def test_a_pool_held_by_a_killed_run_is_free_again(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("duckdb", 1)
        killed = started(instance, tag_of_a_killed_process())
        assert storage.claim_concurrency_slot("duckdb", killed, "step").is_claimed
        assert not storage.claim_concurrency_slot("duckdb", "another", "step").is_claimed
        end_abandoned(instance)
        assert storage.claim_concurrency_slot("duckdb", "another", "step").is_claimed
