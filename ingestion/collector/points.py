"""Points between the wire and Arrow: columns of numbers, never an object a point where it can be helped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.points import POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

NO_TICKS = -1

# tag, source ticks, number, text, status, server ticks or NO_TICKS, arrived µs since 1970
Row = tuple[int, int, float | None, str | None, int, int, int]


@dataclass(frozen=True)
class Page:
    """Values, as columns of one length. `texts` is None where all are numbers or nothing."""

    ticks: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    has_number: npt.NDArray[np.bool_]
    texts: list[str | None] | None
    statuses: npt.NDArray[np.int64]
    server_ticks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ticks)

    def newer_than(self, mark: int) -> Page:
        """The values after `mark`, ascending, the first of any that share their instant."""
        order = np.argsort(self.ticks, kind="stable")
        ticks = self.ticks[order]
        keep = ticks > mark
        keep[1:] &= ticks[1:] != ticks[:-1]
        chosen = order[keep]
        if len(chosen) == len(self.ticks) and (order[1:] > order[:-1]).all():
            return self
        return self.pick(chosen)

    def part(self, start: int, end: int) -> Page:
        """The values from `start` and before `end`, in the same memory."""
        return Page(
            self.ticks[start:end],
            self.numbers[start:end],
            self.has_number[start:end],
            None if self.texts is None else self.texts[start:end],
            self.statuses[start:end],
            self.server_ticks[start:end],
        )

    def pick(self, indices: npt.NDArray[np.int64]) -> Page:
        """The values at `indices`, in that order."""
        return Page(
            self.ticks[indices],
            self.numbers[indices],
            self.has_number[indices],
            None if self.texts is None else [self.texts[index] for index in indices.tolist()],
            self.statuses[indices],
            self.server_ticks[indices],
        )


def join_pages(parts: Sequence[Page]) -> Page:
    """Pages one after another as one."""
    if len(parts) == 1:
        return parts[0]
    has_text = any(part.texts is not None for part in parts)
    texts: list[str | None] = []
    for part in parts if has_text else ():
        texts += [None] * len(part) if part.texts is None else part.texts
    return Page(
        np.concatenate([np.zeros(0, np.int64), *(part.ticks for part in parts)]),
        np.concatenate([np.zeros(0), *(part.numbers for part in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(part.has_number for part in parts)]),
        texts if has_text else None,
        np.concatenate([np.zeros(0, np.int64), *(part.statuses for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.server_ticks for part in parts)]),
    )


@dataclass(frozen=True)
class Points:
    """Admitted points of many tags, each tag's own in order of source time."""

    tags: npt.NDArray[np.int32]
    page: Page
    arrived_us: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tags)


def points_of_rows(rows: Sequence[Row]) -> Points:
    """Single points as columns."""
    tags, ticks, numbers, texts, statuses, server_ticks, arrived = zip(*rows, strict=True)
    page = Page(
        np.array(ticks, np.int64),
        np.array([0.0 if number is None else number for number in numbers], np.float64),
        np.array([number is not None for number in numbers], np.bool_),
        list(texts) if any(text is not None for text in texts) else None,
        np.array(statuses, np.int64),
        np.array(server_ticks, np.int64),
    )
    return Points(np.array(tags, np.int32), page, np.array(arrived, np.int64))


def rows_of_points(points: Points) -> list[Row]:
    """Columns as single points."""
    page = points.page
    numbers = [
        number if has else None
        for number, has in zip(page.numbers.tolist(), page.has_number.tolist(), strict=True)
    ]
    return list(
        zip(
            points.tags.tolist(),
            page.ticks.tolist(),
            numbers,
            page.texts or [None] * len(page),
            page.statuses.tolist(),
            page.server_ticks.tolist(),
            points.arrived_us.tolist(),
            strict=True,
        )
    )


def join_points(parts: Sequence[Points]) -> Points:
    """Points one after another as one; there must be some."""
    return Points(
        np.concatenate([part.tags for part in parts]),
        join_pages([part.page for part in parts]),
        np.concatenate([part.arrived_us for part in parts]),
    )


def table_of_points(points: Points, tags: pa.Array) -> pa.Table:
    """Points as wire columns.

    Args:
        points: what to lay out.
        tags: the tag ids, one a point.
    """
    page = points.page
    source_us, source_digit = _instants(page.ticks, None)
    server_us, server_digit = _instants(page.server_ticks, page.server_ticks == NO_TICKS)
    columns: list[Any] = [
        tags,
        source_us,
        source_digit,
        pa.array(page.numbers, mask=~page.has_number, from_pandas=False),
        pa.nulls(len(page), pa.string()) if page.texts is None else pa.array(page.texts, pa.string()),
        pa.array(page.statuses),
        server_us,
        server_digit,
        pa.array(points.arrived_us).cast(POINTS.field("arrived_at_utc").type),
    ]
    return pa.Table.from_arrays(columns, schema=POINTS.set(0, POINTS.field(0).with_type(tags.type)))


def _instants(
    ticks: npt.NDArray[np.int64], absent: npt.NDArray[np.bool_] | None
) -> tuple[pa.Array, pa.Array]:
    since = ticks - UNIX_EPOCH_TICKS
    microseconds = since // 10  # several times faster than divmod
    digits = since - 10 * microseconds
    instants = pa.array(microseconds, mask=absent).cast(POINTS.field("source_at_utc").type)
    return instants, pa.array(digits.astype(np.int8), mask=absent)
