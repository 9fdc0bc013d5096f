"""Runs whose process was killed: Dagster still counts them as under way, and they hold their pools for ever.

Nothing in Dagster looks after runs made in the caller's own process, so each run of ours says which process
makes it, and whoever comes next ends the runs of processes that are gone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import dagster as dg
import psutil
from dagster import DagsterRunStatus

PROCESS_TAG = "chemlink/process"
_UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_WHY = "进程已被终止，运行作废 · its process was killed; what it had committed stands, the next run goes on"


def process_tag() -> dict[str, str]:
    """The tag that says this process makes the run: its pid, and when it began, for pids come round."""
    return {PROCESS_TAG: f"{os.getpid()}@{psutil.Process().create_time():.2f}"}


def end_abandoned(instance: dg.DagsterInstance) -> list[str]:
    """Fail every run whose process is gone and free what it held; returns their ids.

    A run without the tag was started by Dagster itself and is left alone.
    """
    unfinished = instance.get_runs(filters=dg.RunsFilter(statuses=_UNDER_WAY))
    gone = [run for run in unfinished if _is_gone(run.tags)]
    for run in gone:
        instance.report_run_failed(run, message=_WHY)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in gone]


def _is_gone(tags: Mapping[str, str]) -> bool:
    mark = tags.get(PROCESS_TAG)
    if mark is None:
        return False
    pid, _, began = mark.partition("@")
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != began
    except psutil.NoSuchProcess:
        return True
