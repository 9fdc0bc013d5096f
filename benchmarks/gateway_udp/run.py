"""The UDP gateway over a namespace link of MTU 1500 whose return is cut: what crosses and how fast.

Sender and receiver each run on a core of their own. `payload_mb_s` is by the clock, at the highest link rate
tried at which nothing was lost for good; `payload_mb_per_cpu_s` is by the CPU time of the slower end, which a
machine busy with other things does not change.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gateway_udp.crossing import PORT, ROOT, Crossing, cross
from benchmarks.gateway_udp.ends import SIGN_KEY
from benchmarks.gateway_udp.peers import PeerCrossing, correction_speeds, pydiode
from benchmarks.gateway_udp.segments import STREAMS, SYSTEM, seal_random
from benchmarks.report import Metric, Result
from protocols.gateway_datagrams import packet_digest
from tests.fakes.one_way_link import RECEIVER_ADDRESS, OneWayLink, missing, one_way_link

SEED = 20261123
SEGMENTS, SEGMENT_BYTES = 150, 2_000_000
PAYLOAD_MB = SEGMENTS * SEGMENT_BYTES / 1e6
# Of the link; the first at which all arrives is reported.
RATES_MB_S = (160.0, 140.0, 120.0, 100.0, 80.0, 50.0, 30.0, 15.0)
SURVIVES = 0.17
LOSSES = {"0pct": 0, "1pct": 10, "5pct": 50, "15pct": 150}
BOUND_MB_S = 80.0


@dataclass
class _Found:
    metrics: list[Metric] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)


def run() -> Result:
    """Every crossing and every peer."""
    found = _Found()
    if lacking := missing():
        found.not_run.append(f"everything: needs {', '.join(lacking)}")
        found.checks["a link of network namespaces can be made"] = False
        return Result("gateway_udp", SEED, (), found.checks, tuple(found.not_run))
    with tempfile.TemporaryDirectory(dir=_memory()) as text:
        folder = Path(text)
        for number in range(1, SEGMENTS + 1):
            seal_random(folder / "state" / SYSTEM, STREAMS[0], number, SEGMENT_BYTES, SIGN_KEY, SEED)
        _measure_losses(folder, found)
        _measure_faults(folder, found)
        _measure_correction(found)
    return Result("gateway_udp", SEED, tuple(found.metrics), found.checks, tuple(found.not_run))


def _measure_losses(folder: Path, found: _Found) -> None:
    with one_way_link() as link:
        beside = {0: _peers(link, folder, found, (1, 2))}
        link.lose(50)
        beside[50] = _peers(link, folder, found, (2,))
    with one_way_link() as link:  # anew, as packets that anything tried to send back are counted
        for name, per_mille in LOSSES.items():
            link.lose(per_mille)
            done = _fastest(link, folder)
            _note_speed(found, name, done, beside.get(per_mille, []))
            found.checks[f"complete at {name} loss, as sent, nothing tried back"] = _is_complete(done)
            if name == "5pct":
                bound = f"at least {BOUND_MB_S:g} MB/s of payload at 5 % loss, by CPU time of the slower end"
                found.checks[bound] = _per_cpu(done) >= BOUND_MB_S
                by_clock = f"at least {BOUND_MB_S:g} MB/s of payload at 5 % loss, by the clock"
                found.checks[by_clock] = PAYLOAD_MB / done.sent["seconds"] >= BOUND_MB_S
                _print_limits(done)
        link.lose(50)
        sealed = _fastest(link, folder, encrypt=True)
        _note_speed(found, "5pct_encrypted", sealed, [])
        found.checks["complete at 5pct loss, encrypted"] = _is_complete(sealed)


def _fastest(link: OneWayLink, folder: Path, **order: Any) -> Crossing:
    """At the highest rate at which this machine, with whatever else it does, loses nothing of its own."""
    done = None
    for rate in RATES_MB_S:
        done = _cross(link, folder, rate_mb_s=rate, survives_loss=SURVIVES, **order)
        if _is_complete(done):
            break
    assert done is not None
    return done


def _measure_faults(folder: Path, found: _Found) -> None:
    with one_way_link() as link, _relay(link) as relay:
        done = _cross(link, folder, port=PORT + 1, rate_mb_s=25.0, survives_loss=SURVIVES, quiet_s=4.0)
        found.checks["complete through reordering and duplication"] = _is_complete(done)
    told = relay()
    print(f"relay: {told}")
    with one_way_link() as link:
        link.lose(50)
        done = _cross(link, folder, rate_mb_s=RATES_MB_S[-2], survives_loss=0.02)
        found.checks["5pct loss where 2 % was prepared for: incomplete"] = bool(done.lost)
        found.checks["and every missing number told, no other"] = done.told_missing == done.lost
        found.checks["and nothing wrong in what arrived"] = not done.wrong
        found.metrics.append(
            Metric("segments_missing_at_5pct_loss_prepared_for_2pct", "segments", len(done.lost), "lower")
        )


def _measure_correction(found: _Found) -> None:
    speeds = correction_speeds(SEED)
    ours = next(name for name in speeds if name.startswith("raptorq"))
    others = {name: pair for name, pair in speeds.items() if name != ours}
    if not others:
        found.not_run.append("zfec")
    for at, what in enumerate(("encode", "decode")):
        peers = {name: pair[at] for name, pair in others.items()}
        found.metrics.append(
            Metric(f"correction_{what}_mb_per_cpu_s_5pct", "MB/s", speeds[ours][at], "higher", peers)
        )


def _print_limits(done: Crossing) -> None:
    """Where the CPU goes, a datagram."""
    datagrams = done.received["counts"]["symbols_sent"]
    packet, began = bytes(1436), time.process_time()
    for _ in range(20_000):
        packet_digest(packet)
    hash_us = (time.process_time() - began) / 20_000 * 1e6
    print(
        f"limits: a datagram costs the sender {done.sent['cpu_s'] / datagrams * 1e6:.1f} µs of CPU and the "
        f"receiver {done.received['cpu_s'] / datagrams * 1e6:.1f} µs, {hash_us:.1f} µs of it its hash; the "
        "rest is the receiver's system call and loop for each (a card that gathers them, GRO, saves the "
        "calls), and the sender's encoding"
    )


def _peers(
    link: OneWayLink, folder: Path, found: _Found, redundancies: tuple[int, ...]
) -> list[PeerCrossing]:
    data = folder / "payload.bin"
    data.write_bytes(np.random.default_rng(SEED).bytes(int(PAYLOAD_MB * 1e6)))
    done = []
    for redundancy in redundancies:
        peer = pydiode(link, data, redundancy)
        if peer is None:
            found.not_run.append("pydiode")
            break
        print(f"{peer}")
        if peer.arrived:
            done.append(peer)
        else:
            found.not_run.append(f"{peer.name}: its file did not arrive whole")
    for path in (data, data.with_suffix(".got")):
        path.unlink(missing_ok=True)
    return done


def _cross(link: OneWayLink, folder: Path, **order: Any) -> Crossing:
    with tempfile.TemporaryDirectory(dir=folder) as received:
        for name in ("sent.json", "gateway_session.json"):
            (folder / "state" / SYSTEM / name).unlink(missing_ok=True)
        done = cross(link, folder / "state", Path(received), **order)
    counts = done.received["counts"]
    print(
        f"{order}: {done.equal}/{SEGMENTS} arrived, {PAYLOAD_MB / done.sent['seconds']:.1f} MB/s, CPU s "
        f"{done.sent['cpu_s']:.2f} + {done.received['cpu_s']:.2f}, symbols repaired "
        f"{counts['symbols_repaired']}, lost {counts['symbols_sent'] - counts['symbols_received']} of "
        f"{counts['symbols_sent']}, blocks lost {counts['blocks_lost']}, receiver's buffer overflowed "
        f"{done.received['overflowed']} times, its peak {done.received['peak_mib']:.0f} MiB"
    )
    return done


def _note_speed(found: _Found, name: str, done: Crossing, peers: list[PeerCrossing]) -> None:
    by_clock = {peer.name: PAYLOAD_MB / peer.seconds for peer in peers}
    by_cpu = {peer.name: PAYLOAD_MB / max(peer.sender_cpu_s, peer.receiver_cpu_s) for peer in peers}
    found.metrics += [
        Metric(f"payload_mb_s_at_{name}_loss", "MB/s", PAYLOAD_MB / done.sent["seconds"], "higher", by_clock),
        Metric(f"payload_mb_per_cpu_s_at_{name}_loss", "MB/s", _per_cpu(done), "higher", by_cpu),
    ]


def _per_cpu(done: Crossing) -> float:
    return float(PAYLOAD_MB / max(done.sent["cpu_s"], done.received["cpu_s"]))


def _is_complete(done: Crossing) -> bool:
    return done.equal == SEGMENTS and not done.lost and not done.wrong and done.back == 0


@contextmanager
def _relay(link: OneWayLink) -> Iterator[Any]:
    order = {
        "host": RECEIVER_ADDRESS,
        "port": PORT + 1,
        "to_port": PORT,
        "seed": SEED,
        "reordered": 0.1,
        "repeated": 0.1,
        "window": 200,
        "first_s": 30.0,
        "quiet_s": 1.0,
    }
    command = [sys.executable, "-m", "benchmarks.gateway_udp.relay", json.dumps(order)]
    with subprocess.Popen(link.in_receiver(command), stdout=subprocess.PIPE, text=True, cwd=ROOT) as relay:
        assert relay.stdout is not None
        relay.stdout.readline()
        told: list[str] = []
        yield lambda: told[0]
        told.append(relay.stdout.read().strip())


def _memory() -> str | None:
    """Files in memory, so that no disk is measured; elsewhere where there is no such place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
