"""440,000 tags at 9,300 values/s through decoder, intake, buffer and sealer: memory, CPU share, completeness.

Simulated: the network and the server. Every 100 ms an answer to Publish is made as bytes, and from there on
all is the collector's own: decoding, admission, sealing with fsync and signature, marks and their checkpoint.
What making the bytes costs is measured and taken off. `--minutes` shortens the run.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
from asyncua.common.utils import Buffer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.report import Metric, Result
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.intake import Intake
from ingestion.collector.notifications import read_publish_answer
from ingestion.collector.points_sealing import PointsSealing
from ingestion.collector.sealing import Sealer
from ingestion.collector.status import Status
from protocols.clock import SystemClock
from protocols.opcua_time import UNIX_EPOCH_TICKS, to_ticks
from protocols.segments import manifest_path, read_table, sequences

TAGS, VALUES_S, STEP_S = 440_000, 9_300, 0.1
PER_STEP = round(VALUES_S * STEP_S)
SYSTEM, STREAM = "national", "national.points"
SEED = 440
# From one sealing to the next the process breathes; beyond this it grows.
FLAT_MIB = 32.0
WARM_SHARE = 0.2
_ITEM = np.dtype(
    [
        ("handle", "<u4"),
        ("mask", "u1"),
        ("kind", "u1"),
        ("value", "<f8"),
        ("source", "<i8"),
        ("server", "<i8"),
    ]
)
_DATA_CHANGE, _PUBLISH = 811, 829


@dataclass
class Feed:
    """A server's answers to Publish; each step the next tags of a shuffled order, over and over."""

    t0_ticks: int
    order: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.random.default_rng(SEED).permutation(TAGS)
    )
    step: int = 0
    cpu_s: float = 0.0

    def answer(self) -> bytes:
        """The next answer."""
        begun = time.thread_time()
        items = np.empty(PER_STEP, _ITEM)
        numbers = np.arange(self.step * PER_STEP, (self.step + 1) * PER_STEP)
        items["handle"] = self.order[numbers % TAGS]
        items["mask"], items["kind"] = 13, 11
        items["value"] = value_of(items["handle"].astype(np.int64), numbers // TAGS)
        items["source"] = items["server"] = self.t0_ticks + self.step * round(STEP_S * 10_000_000)
        body = struct.pack("<i", PER_STEP) + items.tobytes() + struct.pack("<i", -1)
        self.step += 1
        answer = b"".join(
            (
                struct.pack("<BBH", 1, 0, _PUBLISH),
                struct.pack("<qIIBiBBB", 0, 1, 0, 0, -1, 0, 0, 0),
                struct.pack("<IiB", 1, -1, 0),
                struct.pack("<Iqi", self.step, items["source"][0], 1),
                struct.pack("<BBHBi", 1, 0, _DATA_CHANGE, 1, len(body)),
                body,
                struct.pack("<ii", -1, -1),
            )
        )
        self.cpu_s += time.thread_time() - begun
        return answer


def value_of(tags: npt.NDArray[np.int64], turns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What a tag measures in a turn."""
    return (tags * 7919 + turns * 104729) % 1_000_003 / 8


@dataclass(frozen=True)
class Run:
    """What one run measured."""

    sent: int
    cpu_s: float
    wall_s: float
    memory_mib: tuple[float, ...]
    missing: int
    wrong: int
    payload_bytes: int


async def collect(directory: Path, minutes: float) -> Run:
    """Feed a collector's inner parts at the pace of the clock, then count what is sealed."""
    clock, tag_ids = SystemClock(), [f"P{tag // 1000:03d}.T{tag:06d}" for tag in range(TAGS)]
    sealer = Sealer(directory, SYSTEM, Ed25519PrivateKey.generate(), clock)
    buffer = PointBuffer(tag_ids, sealer.marks("points"))
    intake = Intake(buffer, [False] * TAGS, lambda _: None)
    sealing = PointsSealing(buffer, sealer, Status(SYSTEM, "simulated"), every_s=1.0, rows=200_000)
    feed = Feed(to_ticks(clock.now()))
    worker = asyncio.create_task(sealing.work())
    memory: list[float] = []
    process, begun, cpu_begun = psutil.Process(), time.monotonic(), time.process_time()
    while (elapsed := time.monotonic() - begun) < minutes * 60:
        answer = read_publish_answer(Buffer(feed.answer()))
        arrived_us = (to_ticks(clock.now()) - UNIX_EPOCH_TICKS) // 10
        for points in answer.message.points:
            intake.take(points, arrived_us)
        if feed.step % 100 == 0:
            memory.append(process.memory_info().rss / 2**20)
            if feed.step % 600 == 0:
                print(f"{elapsed / 60:5.1f} min  {memory[-1]:.0f} MiB", flush=True)
        await asyncio.sleep(max(0.0, begun + feed.step * STEP_S - time.monotonic()))
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await sealing.seal()
    cpu_s, wall_s = time.process_time() - cpu_begun - feed.cpu_s, time.monotonic() - begun
    missing, wrong, payload = await asyncio.to_thread(count_sealed, directory, feed, tag_ids)
    return Run(feed.step * PER_STEP, cpu_s, wall_s, tuple(memory), missing, wrong, payload)


def count_sealed(directory: Path, feed: Feed, tag_ids: list[str]) -> tuple[int, int, int]:
    """Samples missing or doubled, points that were never sent so, bytes of all payloads."""
    position = {tag_id: tag for tag, tag_id in enumerate(tag_ids)}
    place = np.empty(TAGS, np.int64)
    place[feed.order] = np.arange(TAGS)
    counts = np.zeros(feed.step * PER_STEP, np.int64)
    wrong = payload = 0
    for number in sequences(directory, STREAM):
        path = manifest_path(directory, STREAM, number)
        payload += path.with_suffix(".parquet").stat().st_size
        table = read_table(path)
        tags = np.array([position[tag_id] for tag_id in table["tag_id"].to_pylist()])
        micros = table["source_at_utc"].cast("int64").to_numpy()
        ticks = UNIX_EPOCH_TICKS + 10 * micros + table["source_at_100ns"].to_numpy() - feed.t0_ticks
        steps = ticks // round(STEP_S * 10_000_000)
        # The sample of a step whose place in the order is the tag's.
        samples = steps * PER_STEP + (place[tags] - steps * PER_STEP) % TAGS
        is_sent = (samples < (steps + 1) * PER_STEP) & (ticks % round(STEP_S * 10_000_000) == 0)
        is_right = is_sent & (table["value_number"].to_numpy() == value_of(tags, samples // TAGS))
        wrong += int((~is_right).sum())
        np.add.at(counts, samples[is_right], 1)
    return int((counts != 1).sum()), wrong, payload


def run(minutes: float = 30.0) -> Result:
    """Run for so many minutes and compare the memory of the last part with that after warming up."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(collect(Path(folder) / SYSTEM, minutes))
    warm = found.memory_mib[max(1, int(len(found.memory_mib) * WARM_SHARE)) :]
    half = len(warm) // 2
    growth = float(np.mean(warm[half:]) - np.mean(warm[:half]))
    share = 100 * found.cpu_s / found.wall_s
    print(f"simulated: network and server; {found.sent:,} values in {found.wall_s / 60:.1f} min")
    return Result(
        name="collector_440k",
        seed=SEED,
        metrics=(
            Metric("cpu_share_at_9300_values_s", "% of a core", share, "lower"),
            Metric("values_per_cpu_s", "values/s", found.sent / found.cpu_s, "higher"),
            Metric("memory_peak", "MiB", max(found.memory_mib), "lower"),
            Metric("memory_growth_second_half_over_first", "MiB", growth, "lower"),
            Metric("bytes_per_row", "B", found.payload_bytes / max(found.sent, 1), "lower"),
            Metric("duration", "min", found.wall_s / 60, "higher"),
        ),
        checks={
            "every value sealed exactly once": found.missing == 0,
            "no wrong value": found.wrong == 0,
            f"memory flat within {FLAT_MIB:.0f} MiB": abs(growth) <= FLAT_MIB,
            "offered 9,300 values/s": found.sent / found.wall_s >= VALUES_S * 0.99,
        },
    )


if __name__ == "__main__":
    from rich.console import Console

    from benchmarks.__main__ import show
    from benchmarks.report import save

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    result = run(parser.parse_args().minutes)
    show(result, Console())
    save(result)
    raise SystemExit(0 if result.passed else 1)
