"""Segments to send, with payloads that do not compress, and whether they arrived as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fakes.opaque_segments import seal_bytes

SYSTEM, STREAMS = "bench", ("bench.points", "bench.alarms")


def seal_random(
    system_dir: Path, stream: str, sequence: int, size: int, key: Ed25519PrivateKey, seed: int
) -> None:
    """Write one segment whose payload is `size` random bytes (it is moved, never decoded)."""
    payload = np.random.default_rng([seed, sequence, len(stream)]).bytes(size)
    seal_bytes(system_dir, stream, sequence, payload, key)


def same_files(sent: Path, received: Path) -> tuple[int, set[str], set[str]]:
    """How many segments arrived equal, which are missing, and which differ."""
    equal, missing, wrong = 0, set(), set()
    for file in sent.glob("*/*.json"):
        name = f"{file.parent.name}/{file.stem}"
        there = received / file.parent.name / file.name
        if not there.exists():
            missing.add(name)
            continue
        pairs = [(file, there), (file.with_suffix(".parquet"), there.with_suffix(".parquet"))]
        if all(a.read_bytes() == b.read_bytes() for a, b in pairs):
            equal += 1
        else:
            wrong.add(name)
    return equal, missing, wrong
