"""1.8 million values of history from an independent server: values a CPU second of the reading process."""

from __future__ import annotations

import importlib.metadata
import math
from typing import Any

from benchmarks.collector_subscribe.run import node_version
from benchmarks.report import Metric, Result
from benchmarks.speed_source import PERIOD_MS, Source, running

HISTORY_TAGS, VALUES = 18, 100_000
TOTAL = HISTORY_TAGS * VALUES
PAGE = 10_000
BOUND = 1_500_000


def measure(source: Source, name: str, script: str, **options: Any) -> dict[str, Any]:
    """What a client printed of one read of everything."""
    peer = source.peer(
        name,
        script,
        history=[f"H{tag}" for tag in range(HISTORY_TAGS)],
        begin_ms=source.t0_ms,
        end_ms=source.t0_ms + VALUES * PERIOD_MS,
        period_ms=PERIOD_MS,
        page=PAGE,
        **options,
    )
    try:
        return peer.wait_for_line(limit_s=300)
    finally:
        peer.stop()


def run() -> Result:
    """Read everything with each client, plain and secured."""
    node, asyncua = f"node-opcua {node_version()}", f"asyncua {importlib.metadata.version('asyncua')}"
    metrics, checks, sums = [], {}, set()
    with running(tags=0, history_tags=HISTORY_TAGS, history_values=VALUES) as source:
        for secure in (False, True):
            condition = "signed_and_encrypted" if secure else "plain"
            found = {
                client: measure(source, f"{name}_{secure}", script, secure=secure)
                for client, name, script in (
                    ("ours", "ours", "benchmarks.collector_history.client"),
                    (node, "node", "speed_client.mjs"),
                    (asyncua, "asyncua", "benchmarks.asyncua_peer"),
                )
            }
            rates = {client: line["values"] / line["cpu_s"] for client, line in found.items()}
            ours = rates.pop("ours")
            metrics.append(Metric(f"values_per_cpu_s_{condition}", "values/s", ours, "higher", rates))
            checks[f"{condition}: all {TOTAL:,} values, none wrong"] = (
                found["ours"]["values"] == TOTAL and found["ours"]["wrong"] == 0
            )
            checks[f"{condition}: every client read the same"] = {
                line["values"] for line in found.values()
            } == {TOTAL}
            checks[f"{condition}: at least {BOUND:,} values a CPU second"] = ours >= BOUND
            sums |= {round(line["sum"]) for line in found.values()}
            state = str(source.directory / f"state_{secure}")
            sealed = measure(
                source, f"sealed_{secure}", "benchmarks.collector_history.client", secure=secure, state=state
            )
            rate = sealed["values"] / sealed["cpu_s"]
            metrics.append(Metric(f"values_per_cpu_s_into_segments_{condition}", "values/s", rate, "higher"))
            checks[f"{condition}: all {TOTAL:,} values sealed"] = sealed["values"] == TOTAL
    checks["all sums agree"] = len(sums) == 1 and all(math.isfinite(total) for total in sums)
    return Result("collector_history", 0, tuple(metrics), checks)
