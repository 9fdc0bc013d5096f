"""5,000 tags every 100 ms from an independent server, through the whole collector to fsynced sealed segments.

One client at a time on one server. Each is measured over the same number of seconds after it has settled:
values it received over the CPU seconds its process spent, user and system. Ours is the collector as it is
installed (`run_collector`); what it sealed is then read back, verified and held to the value function.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import yaml

from benchmarks.collector_subscribe.sealed import Sealed, read_sealed
from benchmarks.collector_subscribe.stages import stage_costs
from benchmarks.report import Metric, Result
from benchmarks.speed_source import NAMESPACE, PERIOD_MS, ROOT, SYSTEM, Source, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAGS = 5_000
OFFERED = TAGS * 1000 // PERIOD_MS
SETTLE_S, WINDOW_S = 12.0, 20.0
PUBLISH_MS = 200
BOUND = 1_000_000
PROGRAM = "import sys, pathlib; from ingestion.collector.run import main; main(pathlib.Path(sys.argv[1]))"
_HEADER = (
    "tag_id,node_id,label_zh,label_en,unit,range_low,range_high,data_type,"
    "sampling_ms,queue_size,area,equipment_id,has_history\n"
)


@dataclass(frozen=True)
class Ours:
    """What the collector did in its window, and everything it sealed."""

    per_cpu_s: float
    cpu_share: float
    sealed: Sealed
    window: tuple[int, int]


def write_site(site: Path, source: Source, *, secure: bool) -> None:
    """The site of a collector of all tags."""
    site.mkdir()
    (site / "pki").symlink_to(source.keys)
    rows = [
        f"T{tag},nsu={NAMESPACE};s=T{tag},T{tag},T{tag},,,,double,0,20,area,,false\n" for tag in range(TAGS)
    ]
    (site / "tags.csv").write_text(_HEADER + "".join(rows), encoding="utf-8")
    server = {"system_id": SYSTEM, "url": source.url, "tags": "tags.csv", "collect_alarms": False}
    if not secure:
        server["security"] = {"policy": "None", "allow_plain_text": True}
    content = {
        "schema_version": 1,
        "collector_id": "collector_speed",
        "servers": [server],
        "publish_every_ms": PUBLISH_MS,
    }
    (site / "collector.yml").write_text(yaml.safe_dump(content), encoding="utf-8")


@contextmanager
def collecting(site: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The collector's process, ended as an operator ends it."""
    with (site / "collector.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(site / "collector.yml")], cwd=ROOT, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_until_connected(site: Path, limit_s: float = 60.0) -> None:
    """Until the collector says that it is connected.

    Raises:
        AssertionError: it does not within the limit; says what it wrote.
    """
    status, begun = site / "var" / "collector" / SYSTEM / "status.json", time.monotonic()
    while not status.exists() or not json.loads(status.read_text(encoding="utf-8"))["connected"]:
        log = (site / "collector.log").read_text(encoding="utf-8")[-3000:]
        assert time.monotonic() - begun < limit_s, f"not connected: {log}"
        time.sleep(0.2)


def measure_ours(source: Source, *, secure: bool) -> Ours:
    """The collector's own rate, and what it sealed."""
    site = source.directory / ("ours_secured" if secure else "ours")
    write_site(site, source, secure=secure)
    with collecting(site) as process:
        wait_until_connected(site)
        time.sleep(SETTLE_S)
        watched = psutil.Process(process.pid)
        first, cpu_first = tick_now(source), sum(watched.cpu_times()[:2])
        time.sleep(WINDOW_S)
        last, cpu_last = tick_now(source), sum(watched.cpu_times()[:2])
        time.sleep(3)  # what was produced in the window is published, and sealed
    used = cpu_last - cpu_first
    return Ours(
        (last - first) * TAGS / used,
        100 * used / WINDOW_S,
        read_sealed(site, source, TAGS),
        (first, last),
    )


def tick_now(source: Source) -> int:
    """The tick that is due now."""
    return int((time.time() * 1000 - source.t0_ms) // PERIOD_MS)


def measure_peer(source: Source, name: str, script: str, *, secure: bool) -> float:
    """A peer's values a CPU second."""
    peer = source.peer(f"{name}_{secure}", script, tags=TAGS, publish_ms=PUBLISH_MS, secure=secure)
    try:
        peer.wait_until(lambda lines: bool(lines) and lines[-1]["values"] > 0)
        time.sleep(SETTLE_S)
        before = peer.lines()[-1]
        time.sleep(WINDOW_S)
        after = peer.lines()[-1]
    finally:
        peer.stop()
    return float((after["values"] - before["values"]) / (after["cpu_s"] - before["cpu_s"]))


def run() -> Result:
    """Measure all, one after another, on one server."""
    node, asyncua = f"node-opcua {node_version()}", f"asyncua {importlib.metadata.version('asyncua')}"
    with running(tags=TAGS) as source:
        offered_from, begun = source.server.wait_until(lambda lines: len(lines) > 2)[-1], time.monotonic()
        metrics, ours = [], {}
        for secure in (False, True):
            condition = "signed_and_encrypted" if secure else "plain"
            ours[condition] = measure_ours(source, secure=secure)
            peers = {
                node: measure_peer(source, "node", "speed_client.mjs", secure=secure),
                asyncua: measure_peer(source, "asyncua", "benchmarks.asyncua_peer", secure=secure),
            }
            rate = ours[condition].per_cpu_s
            metrics.append(Metric(f"values_per_cpu_s_{condition}", "values/s", rate, "higher", peers))
            share = ours[condition].cpu_share
            metrics.append(Metric(f"cpu_share_{condition}", "% of a core", share, "lower"))
        offered_to = source.server.lines()[-1]
        offered = (offered_to["ticks"] - offered_from["ticks"]) * TAGS / (time.monotonic() - begun)
    costs = stage_costs()
    for stage, microseconds in costs.items():
        print(f"{stage:45s} {microseconds:7.3f} µs a value")
        metrics.append(Metric(f"cost_of_{stage}", "µs/value", microseconds, "lower"))
    metrics.append(Metric("offered_values_s", "values/s", offered, "higher"))
    checks = {f"offered at least {0.99 * OFFERED:,.0f} values/s": offered >= 0.99 * OFFERED}
    for condition, found in ours.items():
        checks[f"{condition}: every sample of the window sealed exactly once"] = (
            found.sealed.missing(*found.window) == 0 and found.sealed.doubled == 0
        )
        checks[f"{condition}: no wrong value"] = found.sealed.wrong == 0
        checks[f"{condition}: at least {BOUND:,} values a CPU second"] = found.per_cpu_s >= BOUND
    return Result("collector_subscribe", 0, tuple(metrics), checks)


def node_version() -> str:
    """The version of node-opcua that is locked."""
    lock = json.loads((ROOT / "benchmarks" / "peers" / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"]["node_modules/node-opcua"]["version"])
