"""5,000 tags every 100 ms from an independent server, through the whole collector to fsynced sealed segments.

One client at a time. The server answers a Publish with all there is, as most do; then with node-opcua's own
limit of 1,000 values an answer, where what an answer costs weighs more than its values. Each client is
measured over the same number of seconds after it has settled: values it received over the CPU seconds its
process spent, user and system. Ours is the collector as it is installed (`run_collector`); what it sealed is
then read back, verified and held to the value function.
"""

from __future__ import annotations

import importlib.metadata
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import yaml

from benchmarks.collector_subscribe.probed import COUNTED
from benchmarks.collector_subscribe.sealed import Sealed, read_sealed
from benchmarks.collector_subscribe.stages import stage_costs
from benchmarks.report import Metric, Result
from benchmarks.speed_source import NAMESPACE, PERIOD_MS, ROOT, SYSTEM, Source, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TAGS = 5_000
OFFERED = TAGS * 1000 // PERIOD_MS
SETTLE_S, WINDOW_S = 8.0, 15.0
PUBLISH_MS = 200
BOUND = 1_000_000
PROBE_WINDOW_S = 10.0
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
def collecting(site: Path, program: Sequence[str] = ("-c", PROGRAM)) -> Iterator[subprocess.Popen[bytes]]:
    """The collector's process, ended as an operator ends it."""
    with (site / "collector.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program, str(site / "collector.yml")], cwd=ROOT, stdout=log, stderr=log
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


def measure_stages(source: Source, *, secure: bool) -> dict[str, float]:
    """Microseconds of CPU that an answer costs, by stage, in a run of its own: the clocks cost too."""
    site = source.directory / "probed"
    write_site(site, source, secure=secure)
    with collecting(site, ("-m", "benchmarks.collector_subscribe.probed")) as process:
        wait_until_connected(site)
        time.sleep(SETTLE_S)
        process.send_signal(signal.SIGUSR1)
        time.sleep(PROBE_WINDOW_S)
        process.send_signal(signal.SIGUSR2)
        time.sleep(1)
    found: dict[str, float] = json.loads((site / COUNTED).read_text(encoding="utf-8"))
    return found


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


@dataclass(frozen=True)
class Condition:
    """How the clients are connected, and which of them are measured."""

    name: str
    secure: bool
    per_publish: int
    peers: tuple[str, ...]
    is_probed: bool = False


NODE, ASYNCUA = "node", "asyncua"
SCRIPTS = {NODE: "speed_client.mjs", ASYNCUA: "benchmarks.asyncua_peer"}
CONDITIONS = (
    Condition("plain", False, 2 * TAGS, (NODE, ASYNCUA)),
    Condition("signed_and_encrypted", True, 2 * TAGS, (NODE, ASYNCUA)),
    Condition("plain_1000_an_answer", False, 1000, (NODE,)),
    Condition("signed_and_encrypted_1000_an_answer", True, 1000, (NODE,), is_probed=True),
)


@dataclass(frozen=True)
class Measured:
    """One condition's outcome."""

    ours: Ours
    peers: dict[str, float]
    offered: float
    stages: dict[str, float]


def measure(condition: Condition) -> Measured:
    """Ours and the peers, one after another, on one server."""
    names = {
        NODE: f"node-opcua {node_version()}",
        ASYNCUA: f"asyncua {importlib.metadata.version('asyncua')}",
    }
    with running(tags=TAGS, per_publish=condition.per_publish) as source:
        before, begun = source.server.wait_until(lambda lines: lines[-1].get("ticks"))[-1], time.monotonic()
        ours = measure_ours(source, secure=condition.secure)
        peers = {
            names[peer]: measure_peer(source, peer, SCRIPTS[peer], secure=condition.secure)
            for peer in condition.peers
        }
        ticks = source.server.lines()[-1]["ticks"] - before["ticks"]
        offered = ticks * TAGS / (time.monotonic() - begun)
        stages = measure_stages(source, secure=condition.secure) if condition.is_probed else {}
        return Measured(ours, peers, offered, stages)


def run() -> Result:
    """Measure every condition, and what each stage costs."""
    metrics, checks = [], {}
    for condition in CONDITIONS:
        found, name = measure(condition), condition.name
        ours, sealed = found.ours, found.ours.sealed
        metrics += [
            Metric(f"values_per_cpu_s_{name}", "values/s", ours.per_cpu_s, "higher", found.peers),
            Metric(f"cpu_share_{name}", "% of a core", ours.cpu_share, "lower"),
            Metric(f"offered_values_s_{name}", "values/s", found.offered, "higher"),
        ]
        checks[f"{name}: offered at least {0.98 * OFFERED:,.0f} values/s"] = found.offered >= 0.98 * OFFERED
        is_complete = sealed.missing(*ours.window) == 0 and sealed.doubled == 0
        checks[f"{name}: every sample of the window sealed exactly once"] = is_complete
        checks[f"{name}: no wrong value"] = sealed.wrong == 0
        checks[f"{name}: at least {BOUND:,} values a CPU second"] = ours.per_cpu_s >= BOUND
        if found.stages:
            print(f"what limits it, CPU an answer by stage ({name}):")
        for stage, microseconds in sorted(found.stages.items(), key=lambda item: -item[1]):
            print(f"  {stage:40s} {microseconds:7.1f} µs")
            metrics.append(Metric(f"an_answer_costs_{stage}", "µs/answer", microseconds, "lower"))
    print("what a value costs by stage, without a network:")
    for stage, microseconds in stage_costs().items():
        print(f"  {stage:40s} {microseconds:7.3f} µs")
        metrics.append(Metric(f"cost_of_{stage}", "µs/value", microseconds, "lower"))
    return Result("collector_subscribe", 0, tuple(metrics), checks)


def node_version() -> str:
    """The version of node-opcua that is locked."""
    lock = json.loads((ROOT / "benchmarks" / "peers" / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"]["node_modules/node-opcua"]["version"])
