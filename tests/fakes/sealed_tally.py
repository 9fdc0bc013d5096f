"""Counts every sealed point against what the fault server must have produced, segment by segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from protocols.keys import load_verify_key
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import manifest_path, read_table, sequences, verify_segment
from tests.fakes.fault_server import TEXT, TICKS_PER_MS, FaultSource, tag_name

OVERFLOW = 0x0480  # InfoType DataValue and Overflow (Part 4, 7.39): said of the queue, not of the value


@dataclass
class SealedTally:
    """What one collector sealed so far.

    Attributes:
        site: the collector's site.
        system_id: its one system.
        source: what the server produces.
        wrong: points that were never produced so, first ones described.
        counts: tags by ticks, how often each sample was sealed.
    """

    site: Path
    system_id: str
    source: FaultSource
    wrong: list[str] = field(default_factory=list)
    counts: npt.NDArray[np.uint8] = field(init=False)
    _read: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.source.tags, 1024), np.uint8)
        self._names = pa.array([tag_name(tag) for tag in range(self.source.tags)])
        self._key = load_verify_key(self.site / "pki" / "gateway_verify.pem")

    def read(self) -> None:
        """Take in the segments sealed since the last call; each is verified."""
        directory, stream = self.site / "var" / "collector" / self.system_id, f"{self.system_id}.points"
        numbers = sequences(directory, stream)
        assert numbers == list(range(1, len(numbers) + 1)), f"{stream} has holes: {numbers}"
        for number in numbers[self._read :]:
            path = manifest_path(directory, stream, number)
            verify_segment(path, self._key)
            self._add(read_table(path))
            self._read = number

    def missing(self, ticks: int) -> int:
        """How many of the samples before a tick are not sealed."""
        self._grow(ticks)
        return int((self.counts[:, :ticks] == 0).sum())

    def first_missing(self, ticks: int) -> str:
        """The holes of the first tag that has one: ranges of ticks."""
        tag, tick = np.nonzero(self.counts[:, :ticks] == 0)
        if not len(tag):
            return "none"
        mine = tick[tag == tag[0]]
        ends = np.nonzero(np.diff(mine) > 1)[0]
        starts = [int(mine[0]), *(int(mine[end + 1]) for end in ends)]
        lasts = [*(int(mine[end]) for end in ends), int(mine[-1])]
        ranges = ", ".join(f"{start}-{last}" for start, last in zip(starts, lasts, strict=True))
        return f"{len(np.unique(tag))} tags, {tag_name(int(tag[0]))} ticks {ranges}"

    def doubled(self) -> int:
        """How many points stand more than once."""
        return int(np.maximum(self.counts.astype(np.int64) - 1, 0).sum())

    def _grow(self, ticks: int) -> None:
        if ticks > self.counts.shape[1]:
            wider = np.zeros((self.source.tags, ticks * 2), np.uint8)
            wider[:, : self.counts.shape[1]] = self.counts
            self.counts = wider

    def _add(self, table: pa.Table) -> None:
        tag = pc.index_in(table["tag_id"], self._names).to_numpy().astype(np.int64)
        microseconds = table["source_at_utc"].cast(pa.int64()).to_numpy()
        ticks = UNIX_EPOCH_TICKS + 10 * microseconds + table["source_at_100ns"].to_numpy()
        n = self._tick_numbers((ticks - UNIX_EPOCH_TICKS) // TICKS_PER_MS)
        known = n >= 0
        right = known.copy()
        right[known] = self._right(table, tag, n, ticks, known)
        for row in np.nonzero(~right)[0][: max(0, 20 - len(self.wrong))]:
            self.wrong.append(str(table.slice(int(row), 1).to_pylist()[0]))
        self._grow(int(n.max(initial=0)) + 1)
        np.add.at(self.counts, (tag[right], n[right]), 1)

    def _tick_numbers(self, times_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.source.jumps:
            n, rest = np.divmod(times_ms - self.source.t0_ms, self.source.step_ms)
            return np.where(rest == 0, n, -1)
        produced = self.source.times_ms(self.source.due() + 10)
        order = np.argsort(produced)
        at = np.minimum(np.searchsorted(produced[order], times_ms), len(produced) - 1)
        return np.where(produced[order][at] == times_ms, order[at], -1)

    def _right(
        self,
        table: pa.Table,
        tag: npt.NDArray[np.int64],
        n: npt.NDArray[np.int64],
        ticks: npt.NDArray[np.int64],
        known: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        tag, n, ticks = tag[known], n[known], ticks[known]
        status = table["status_code"].to_numpy()[known]
        status = np.where(status & 0x0C00 == 0x0400, status & ~OVERFLOW, status)
        right = (ticks == self.source.ticks(tag, n)) & (status == self.source.statuses(tag, n))
        numbers = table["value_number"].to_numpy(zero_copy_only=False)[known]
        is_text = tag % 25 == TEXT
        right &= is_text | (numbers == self.source.numbers(tag, n))
        texts = table["value_text"].filter(pa.array(known)).to_pylist()
        for row in np.nonzero(is_text)[0]:
            right[row] &= texts[row] == f"v{n[row]}"
        return right
