"""Random numbers addressed by where they stand, not by how many were drawn before.

`uniform(key, i)` is the i-th number of a stream, computed alone; smooth noise interpolates between such
numbers on a lattice of seconds. So every process gets the same noise for any window, in any order.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream_key(*parts: object) -> int:
    """A 64-bit key for the stream that these parts name."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def uniform(key: int, index: NDArray[np.int64]) -> Floats:
    """The numbers at `index` of the stream, in [0, 1): SplitMix64 of key and index."""
    with np.errstate(over="ignore"):
        mixed = index.astype(np.uint64) * _GOLDEN + np.uint64(key & 0xFFFFFFFFFFFFFFFF)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _lattice(key: int, t: Floats, lattice_s: float) -> tuple[Floats, Floats, Floats]:
    """The lattice numbers in [-1, 1] on either side of each moment, and how far between them it lies."""
    position = t / lattice_s
    left = np.floor(position)
    index = left.astype(np.int64)
    return 2 * uniform(key, index) - 1, 2 * uniform(key, index + 1) - 1, position - left


def wander(key: int, t: Floats, lattice_s: float) -> Floats:
    """Smooth noise in [-1, 1] that forgets itself after about `lattice_s` seconds."""
    left, right, u = _lattice(key, t, lattice_s)
    return left + (right - left) * u * u * (3 - 2 * u)


def wander_rate(key: int, t: Floats, lattice_s: float) -> Floats:
    """The exact derivative of `wander`, per second."""
    left, right, u = _lattice(key, t, lattice_s)
    return (right - left) * 6 * u * (1 - u) / lattice_s


def noise(key: int, t: Floats) -> Floats:
    """Noise with memory, about ±1: half an hour, four minutes, twenty seconds and none."""
    tenths = np.floor(t * 10).astype(np.int64)
    return (
        0.55 * wander(key, t, 1800.0)
        + 0.30 * wander(key + 1, t, 240.0)
        + 0.15 * wander(key + 2, t, 20.0)
        + 0.10 * (2 * uniform(key + 3, tenths) - 1)
    )
