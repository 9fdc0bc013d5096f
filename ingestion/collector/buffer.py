"""Points admitted and not yet sealed, and the marks that decide what is admitted.

The rule of exactly once: a point is admitted when its source time is after its tag's mark, and admitting it
moves the mark. `drain` gives points and marks in one, so that a sealed segment commits both or neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ingestion.collector.points import Page, Points, Row, join_points, points_of_rows, table_of_points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

NEVER = 0
_RADIX_BITS = 16


@dataclass(frozen=True)
class Batch:
    """What one segment will hold: points by tag and time, and the mark of every tag among them."""

    table: pa.Table
    marks: dict[str, int]


class PointBuffer:
    """Admitted points of one system.

    Args:
        tag_ids: the system's tags; points name them by position.
        marks: the committed marks, ticks by tag id.
    """

    def __init__(self, tag_ids: Sequence[str], marks: Mapping[str, int]) -> None:
        order = sorted(range(len(tag_ids)), key=lambda tag: tag_ids[tag])
        self._sorted_ids = pa.array([tag_ids[tag] for tag in order], pa.string())
        self._rank = np.empty(len(tag_ids), np.int32)
        self._rank[order] = np.arange(len(tag_ids), dtype=np.int32)
        self._marks = np.array([marks.get(tag_id, NEVER) for tag_id in tag_ids], np.int64)
        # Which row of a notification was the last to name a tag: tells whether any tag is named twice.
        self._last_row = np.zeros(len(tag_ids), np.int64)
        self._rows: list[Row] = []
        self._chunks: list[Points] = []
        self._chunk_rows = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._rows) + self._chunk_rows

    def mark(self, tag: int) -> int:
        """The last source time admitted of a tag, in ticks; `NEVER` when there is none."""
        return int(self._marks[tag])

    def marks_of(self, tags: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The marks of several tags."""
        return self._marks[tags]

    @property
    def newest(self) -> int:
        """The newest mark of all tags."""
        return int(self._marks.max(initial=NEVER))

    def admit(self, row: Row) -> bool:
        """Admit a single point unless its tag is already past it."""
        tag, ticks = row[0], row[1]
        if ticks <= self._marks[tag]:
            self.refused += 1
            return False
        self._marks[tag] = ticks
        self._rows.append(row)
        return True

    def admit_page(self, tag: int, page: Page, arrived_us: int) -> int:
        """Admit what a page of history holds after the mark; the number of points admitted."""
        newer = page.newer_than(self.mark(tag))
        if len(newer):
            self._marks[tag] = newer.ticks[-1]
            tags = np.full(len(newer), tag, np.int32)
            self._append(Points(tags, newer, np.full(len(newer), arrived_us, np.int64)))
        return len(newer)

    def admit_late(self, row: Row) -> None:
        """Admit a point that is not after its tag's mark, and is known to be new; the mark stays."""
        self._rows.append(row)

    def admit_unknown(self, tag: int, page: Page, known: set[int], before: int, arrived_us: int) -> list[int]:
        """Admit what a page holds before an instant and is not known; what was admitted. The mark stays."""
        newer = page.newer_than(NEVER)
        ticks = newer.ticks.tolist()
        chosen = [index for index, instant in enumerate(ticks) if instant < before and instant not in known]
        if chosen:
            tags = np.full(len(chosen), tag, np.int32)
            arrived = np.full(len(chosen), arrived_us, np.int64)
            self._append(Points(tags, newer.pick(np.array(chosen, np.int64)), arrived))
        return [ticks[index] for index in chosen]

    def newer(self, tags: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which live points, in the order sent, are after their tag's mark and all its points before them."""
        count = len(tags)
        self._last_row[tags] = np.arange(count)
        names_once = bool((self._last_row[tags] == np.arange(count)).all())
        return ticks > self._marks[tags] if names_once else self._newer_in_order(tags, ticks)

    def admit_live(
        self, tags: npt.NDArray[np.int64], page: Page, is_newer: npt.NDArray[np.bool_], arrived_us: int
    ) -> None:
        """Admit live points of many tags in the order sent, those that are `newer`."""
        if not is_newer.all():
            self.refused += len(tags) - int(is_newer.sum())
            chosen = np.flatnonzero(is_newer)
            tags, page = tags[chosen], page.pick(chosen)
        if len(tags):
            # A tag's admitted ticks ascend, so that the last written here is the newest.
            self._marks[tags] = page.ticks
            arrived = np.full(len(tags), arrived_us, np.int64)
            self._append(Points(tags.astype(np.int32), page, arrived))

    def drain(self) -> Batch | None:
        """Everything admitted since the last drain, None when that is nothing."""
        if not len(self):
            return None
        self._flush_rows()
        batch = self._batch(join_points(self._chunks))
        self._chunks, self._chunk_rows = [], 0
        return batch

    def _newer_in_order(
        self, tags: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Which points are after their tag's mark and after all its points before them."""
        order = np.argsort(tags, kind="stable")
        is_same = tags[order[1:]] == tags[order[:-1]]
        before = self._marks[tags[order]]
        before[1:][is_same] = np.maximum(before[1:], ticks[order[:-1]])[is_same]
        is_newer = np.empty(len(tags), np.bool_)
        is_newer[order] = ticks[order] > before
        if not is_newer.all():
            # Where a tag's points do not ascend, one further back may have been the newest.
            is_doubtful = np.zeros(len(self._marks), np.bool_)
            is_doubtful[tags[~is_newer]] = True
            self._judge_singly(np.flatnonzero(is_doubtful[tags]), tags, ticks, is_newer)
        return is_newer

    def _judge_singly(
        self,
        rows: npt.NDArray[np.int64],
        tags: npt.NDArray[np.int64],
        ticks: npt.NDArray[np.int64],
        is_newer: npt.NDArray[np.bool_],
    ) -> None:
        newest: dict[int, int] = {}
        for row, tag, tick in zip(rows.tolist(), tags[rows].tolist(), ticks[rows].tolist(), strict=True):
            before = newest.get(tag)
            before = self.mark(tag) if before is None else before
            is_newer[row] = tick > before
            newest[tag] = max(before, tick)

    def _append(self, points: Points) -> None:
        self._flush_rows()
        self._chunks.append(points)
        self._chunk_rows += len(points)

    def _flush_rows(self) -> None:
        if self._rows:
            points = points_of_rows(self._rows)
            self._rows = []
            self._append(points)

    def _batch(self, points: Points) -> Batch:
        """Sorted by tag id and time.

        Within a tag admission was in order of time and a stable sort keeps it, unless points came late.
        """
        ranks = self._rank[points.tags]
        order = _stable_order(ranks, len(self._rank))
        ticks = points.page.ticks[order]
        if ((ticks[1:] < ticks[:-1]) & (ranks[order[1:]] == ranks[order[:-1]])).any():
            order = np.lexsort((points.page.ticks, ranks))
        ordered = Points(points.tags[order], points.page.pick(order), points.arrived_us[order])
        ranks = ranks[order]
        is_first = np.ones(len(ranks), np.bool_)
        is_first[1:] = ranks[1:] != ranks[:-1]
        tag_ids = self._sorted_ids.take(pa.array(ranks[is_first]))
        tags = pa.DictionaryArray.from_arrays(pa.array(np.cumsum(is_first, dtype=np.int32) - 1), tag_ids)
        marks = dict(zip(tag_ids.to_pylist(), self._marks[ordered.tags[is_first]].tolist(), strict=True))
        return Batch(table_of_points(ordered, tags), marks)


def _stable_order(ranks: npt.NDArray[np.int32], most: int) -> npt.NDArray[np.int64]:
    """The order that sorts ranks below `most` and keeps equal ones in place."""
    # NumPy sorts 16 bits by radix, several times faster than more.
    order = np.argsort(ranks.astype(np.uint16), kind="stable")
    if most > 1 << _RADIX_BITS:
        high = (ranks >> _RADIX_BITS).astype(np.uint16)
        order = order[np.argsort(high[order], kind="stable")]
    return order
