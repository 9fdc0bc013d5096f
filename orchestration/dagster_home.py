"""Dagster's own storage under `var/dagster`, with the `dagster.yaml` that we decide on.

SQLite, no telemetry, one run at a time from the queue: a plant's machine is small.
"""

from __future__ import annotations

import fcntl

from orchestration.settings import Settings

DAGSTER_YAML = """\
# Written by ChemLink at each start; change orchestration/dagster_home.py instead.
# 由 ChemLink 每次启动时写入，请勿在此修改。
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: orchestration.event_log
  class: KeptOpenEventLogStorage
  config:
    base_dir: {base_dir}
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    default_limit: 1
    granularity: op
freshness:
  enabled: true
run_monitoring:
  enabled: false
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 30
"""


def write_dagster_home(settings: Settings) -> None:
    """Make the folder and its `dagster.yaml`; leaves an equal file alone."""
    path = settings.dagster_home / "dagster.yaml"
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    text = DAGSTER_YAML.format(base_dir=settings.dagster_home / "history" / "runs")
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def make_storage(settings: Settings) -> None:
    """Create Dagster's databases, or wait until another process has.

    Webserver, daemon and code server starting together on an empty home each write the schema's version, and
    a store with two versions is refused for ever after (tried). So whoever loads Dagster for a site opens it
    under a lock first: new databases are made once, existing ones cost a moment.
    """
    import dagster as dg

    write_dagster_home(settings)
    settings.enter()
    with (settings.dagster_home / "storage.lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
