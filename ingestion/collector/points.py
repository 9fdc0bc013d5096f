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
    """Values of one tag in source order of time. `texts` is None where all are numbers or nothing."""

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
        texts = None if self.texts is None else [self.texts[index] for index in chosen]
        return Page(
            self.ticks[chosen],
            self.numbers[chosen],
            self.has_number[chosen],
            texts,
            self.statuses[chosen],
            self.server_ticks[chosen],
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


def table_of_rows(rows: Sequence[Row], tag_ids: pa.Array) -> pa.Table:
    """Live points as wire columns."""
    tags, ticks, numbers, texts, statuses, server_ticks, arrived = zip(*rows, strict=True)
    return _table(
        tag_ids.take(pa.array(tags, pa.int32())),
        np.array(ticks, np.int64),
        pa.array(numbers, pa.float64()),
        pa.array(texts, pa.string()),
        np.array(statuses, np.int64),
        np.array(server_ticks, np.int64),
        np.array(arrived, np.int64),
    )


def table_of_page(page: Page, tag_id: str, arrived_us: int) -> pa.Table:
    """A page of history as wire columns."""
    count = len(page)
    return _table(
        pa.array([tag_id], pa.string()).take(pa.array(np.zeros(count, np.int32))),
        page.ticks,
        pa.array(page.numbers, mask=~page.has_number, from_pandas=False),
        pa.nulls(count, pa.string()) if page.texts is None else pa.array(page.texts, pa.string()),
        page.statuses,
        page.server_ticks,
        np.full(count, arrived_us, np.int64),
    )


def _table(
    tags: pa.Array,
    ticks: npt.NDArray[np.int64],
    numbers: pa.Array,
    texts: pa.Array,
    statuses: npt.NDArray[np.int64],
    server_ticks: npt.NDArray[np.int64],
    arrived: npt.NDArray[np.int64],
) -> pa.Table:
    source_us, source_digit = _instants(ticks, None)
    server_us, server_digit = _instants(server_ticks, server_ticks == NO_TICKS)
    columns: list[Any] = [
        tags,
        source_us,
        source_digit,
        numbers,
        texts,
        pa.array(statuses),
        server_us,
        server_digit,
    ]
    columns.append(pa.array(arrived).cast(POINTS.field("arrived_at_utc").type))
    return pa.Table.from_arrays(columns, schema=POINTS)


def _instants(
    ticks: npt.NDArray[np.int64], absent: npt.NDArray[np.bool_] | None
) -> tuple[pa.Array, pa.Array]:
    microseconds, digits = np.divmod(ticks - UNIX_EPOCH_TICKS, 10)
    instants = pa.array(microseconds, mask=absent).cast(POINTS.field("source_at_utc").type)
    return instants, pa.array(digits.astype(np.int8), mask=absent)
