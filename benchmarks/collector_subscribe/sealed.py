"""What a collector sealed of the speed server, held to the value function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.speed_source import PERIOD_MS, SYSTEM, Source, value_of
from protocols.keys import load_verify_key
from protocols.segments import manifest_path, read_table, sequences, verify_segment

if TYPE_CHECKING:
    from pathlib import Path

TICKS_PER_MS = 10_000


@dataclass(frozen=True)
class Sealed:
    """Samples by tag and tick: how often each was sealed; points that were never produced so."""

    counts: npt.NDArray[np.int64]
    wrong: int
    rows: int

    @property
    def doubled(self) -> int:
        """Samples sealed more than once."""
        return int((self.counts > 1).sum())

    def missing(self, first: int, last: int) -> int:
        """Samples of the ticks from `first` and before `last` that were not sealed."""
        return int((self.counts[:, first:last] == 0).sum())


def read_sealed(site: Path, source: Source, tags: int) -> Sealed:
    """Read back and verify every segment of points."""
    directory, stream = site / "var" / "collector" / SYSTEM, f"{SYSTEM}.points"
    key = load_verify_key(site / "pki" / "gateway_verify.pem")
    counts, wrong, rows = np.zeros((tags, 1), np.int64), 0, 0
    for number in sequences(directory, stream):
        path = manifest_path(directory, stream, number)
        verify_segment(path, key)
        table = read_table(path)
        tag = np.array([int(tag_id[1:]) for tag_id in table["tag_id"].to_pylist()])
        instants = 10 * table["source_at_utc"].cast("int64").to_numpy() + table["source_at_100ns"].to_numpy()
        ticks, rest = np.divmod(instants - source.t0_ms * TICKS_PER_MS, PERIOD_MS * TICKS_PER_MS)
        produced = ticks >= 0  # before its first tick a variable holds no value
        is_right = (rest == 0) & (
            table["value_number"].to_numpy(zero_copy_only=False) == value_of(tag, ticks)
        )
        wrong += int((produced & ~is_right).sum())
        chosen = produced & is_right
        most = int(ticks.max(initial=0)) + 1
        if most > counts.shape[1]:
            counts = np.pad(counts, ((0, 0), (0, 2 * most - counts.shape[1])))
        np.add.at(counts, (tag[chosen], ticks[chosen]), 1)
        rows += len(tag)
    return Sealed(counts, wrong, rows)
