"""Points admitted and not yet sealed, and the marks that decide what is admitted.

The rule of exactly once: a point is admitted when its source time is after its tag's mark, and admitting it
moves the mark. `drain` gives points and marks in one, so that a sealed segment commits both or neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ingestion.collector.points import Page, Row, table_of_page, table_of_rows
from protocols.points import POINTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEVER = 0


@dataclass(frozen=True)
class Batch:
    """What one segment will hold: points, and the mark of every tag among them."""

    table: pa.Table
    marks: dict[str, int]


class PointBuffer:
    """Admitted points of one system.

    Args:
        tag_ids: the system's tags; points name them by position.
        marks: the committed marks, ticks by tag id.
    """

    def __init__(self, tag_ids: Sequence[str], marks: Mapping[str, int]) -> None:
        self._tag_ids = list(tag_ids)
        self._tag_array = pa.array(self._tag_ids, pa.string())
        self._marks = [marks.get(tag_id, NEVER) for tag_id in tag_ids]
        self._rows: list[Row] = []
        self._chunks: list[pa.Table] = []
        self._chunk_rows = 0
        self._touched: set[int] = set()
        self.refused = 0

    def __len__(self) -> int:
        return len(self._rows) + self._chunk_rows

    def mark(self, tag: int) -> int:
        """The last source time admitted of a tag, in ticks; `NEVER` when there is none."""
        return self._marks[tag]

    @property
    def newest(self) -> int:
        """The newest mark of all tags."""
        return max(self._marks, default=NEVER)

    def admit(self, row: Row) -> bool:
        """Admit a live point unless its tag is already past it."""
        tag, ticks = row[0], row[1]
        if ticks <= self._marks[tag]:
            self.refused += 1
            return False
        self._marks[tag] = ticks
        self._touched.add(tag)
        self._rows.append(row)
        return True

    def admit_page(self, tag: int, page: Page, arrived_us: int) -> int:
        """Admit what a page of history holds after the mark; the number of points admitted."""
        newer = page.newer_than(self._marks[tag])
        if not len(newer):
            return 0
        self._marks[tag] = int(newer.ticks[-1])
        self._touched.add(tag)
        self._chunks.append(table_of_page(newer, self._tag_ids[tag], arrived_us))
        self._chunk_rows += len(newer)
        return len(newer)

    def drain(self) -> Batch | None:
        """Everything admitted since the last drain, None when that is nothing."""
        if not len(self):
            return None
        tables = [table_of_rows(self._rows, self._tag_array)] if self._rows else []
        table = pa.concat_tables([*self._chunks, *tables]) if self._chunks or tables else POINTS.empty_table()
        marks = {self._tag_ids[tag]: self._marks[tag] for tag in self._touched}
        self._rows, self._chunks, self._chunk_rows, self._touched = [], [], 0, set()
        return Batch(table, marks)
