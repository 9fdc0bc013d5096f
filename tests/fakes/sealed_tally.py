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
        counts: ticks by tags, how often each sample was sealed.
    """

    site: Path
    system_id: str
    source: FaultSource
    wrong: list[str] = field(default_factory=list)
    counts: npt.NDArray[np.uint8] = field(init=False)
    _read: int = 0
    _right: int = 0
    _complete: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros((1024, self.source.tags), np.uint8)
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
        while self._complete < ticks and self.counts[self._complete].all():
            self._complete += 1
        return int((self.counts[self._complete : ticks] == 0).sum())

    def first_missing(self, ticks: int) -> str:
        """The holes of the first tag that has one: ranges of ticks."""
        tick, tag = np.nonzero(self.counts[:ticks] == 0)
        if not len(tag):
            return "none"
        mine = tick[tag == tag[0]]
        ends = np.nonzero(np.diff(mine) > 1)[0]
        starts = [int(mine[0]), *(int(mine[end + 1]) for end in ends)]
        lasts = [*(int(mine[end]) for end in ends), int(mine[-1])]
        ranges = ", ".join(f"{start}-{last}" for start, last in zip(starts, lasts, strict=True))
        return f"{len(np.unique(tag))} tags, {tag_name(int(tag[0]))} ticks {ranges}"

    def reached(self, ticks: int) -> bool:
        """Whether every tag has something from a tick on: its live values go through again."""
        return bool(self.counts[ticks:].any(axis=0).all())

    def doubled(self) -> int:
        """How many points stand more than once."""
        return self._right - int(np.count_nonzero(self.counts))

    def _grow(self, ticks: int) -> None:
        if ticks > len(self.counts):
            longer = np.zeros((ticks * 2, self.source.tags), np.uint8)
            longer[: len(self.counts)] = self.counts
            self.counts = longer

    def _add(self, table: pa.Table) -> None:
        tag = pc.index_in(table["tag_id"], self._names).to_numpy().astype(np.int64)
        microseconds = table["source_at_utc"].cast(pa.int64()).to_numpy()
        ticks = UNIX_EPOCH_TICKS + 10 * microseconds + table["source_at_100ns"].to_numpy()
        n = self._tick_numbers((ticks - UNIX_EPOCH_TICKS) // TICKS_PER_MS)
        right = n >= 0
        right[right] = self._are_right(table.filter(pa.array(right)), tag[right], n[right], ticks[right])
        for row in np.nonzero(~right)[0][: max(0, 20 - len(self.wrong))]:
            self.wrong.append(str(table.slice(int(row), 1).to_pylist()[0]))
        self._grow(int(n.max(initial=0)) + 1)
        np.add.at(self.counts.reshape(-1), n[right] * self.source.tags + tag[right], 1)
        self._right += int(right.sum())

    def _tick_numbers(self, times_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.source.jumps:
            n, rest = np.divmod(times_ms - self.source.t0_ms, self.source.step_ms)
            return np.where(rest == 0, n, -1)
        produced = self.source.times_ms(self.source.due() + 10)
        order = np.argsort(produced)
        at = np.minimum(np.searchsorted(produced[order], times_ms), len(produced) - 1)
        return np.where(produced[order][at] == times_ms, order[at], -1)

    def _are_right(
        self,
        table: pa.Table,
        tag: npt.NDArray[np.int64],
        n: npt.NDArray[np.int64],
        ticks: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.bool_]:
        status = table["status_code"].to_numpy()
        status = np.where(status & 0x0C00 == 0x0400, status & ~OVERFLOW, status)
        right: npt.NDArray[np.bool_] = ticks == self.source.ticks(tag, n)
        right &= status == self.source.statuses(tag, n)
        is_text = tag % 25 == TEXT
        numbers = table["value_number"].to_numpy(zero_copy_only=False)
        right &= is_text | (numbers == self.source.numbers(tag, n))
        texts = table["value_text"].filter(pa.array(is_text))
        first, last = int(n.min(initial=0)), int(n.max(initial=0))
        produced = pa.array([f"v{tick}" for tick in range(first, last + 1)])
        is_same = pc.equal(texts, produced.take(pa.array(n[is_text] - first))).fill_null(False)
        right[is_text] &= is_same.to_numpy(zero_copy_only=False)
        return right
