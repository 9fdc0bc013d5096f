"""The plant as a whole: every sample of every tag, for any window, the same in every process.

Values are computed in blocks of six hours of grid points and cut to the window asked for, so that no window,
however split, changes a single bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray

from protocols.opcua_time import TICKS_PER_SECOND, from_ticks, to_ticks
from protocols.points import UTC_US
from reference_plant.plant import emissions, production
from reference_plant.plant.context import ORIGIN, Context
from reference_plant.plant.disturbances import GOOD, disturb
from reference_plant.plant.noise import Floats
from reference_plant.plant.scenarios import Scenario, from_json
from reference_plant.plant.tags import Tag, read_tags

BLOCK_TICKS = 6 * 3600 * TICKS_PER_SECOND
REPORT_AT_LEAST_TICKS = 60 * TICKS_PER_SECOND
UNIX_EPOCH_TICKS = to_ticks(datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
ORIGIN_TICKS = to_ticks(ORIGIN)
SIGNALS = {**emissions.SIGNALS, **production.SIGNALS}
TRUTH = pa.schema(
    [
        pa.field("tag_id", pa.string(), nullable=False),
        pa.field("source_at_utc", UTC_US, nullable=False),
        pa.field("source_at_100ns", pa.int8(), nullable=False),
        pa.field("value_number", pa.float64()),
        pa.field("value_text", pa.string()),
        pa.field("status_code", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Series:
    """Samples of one tag in order of time. `ticks` count 100 ns since 1601, as on the wire.

    `values` are numbers with NaN for null, or texts.
    """

    ticks: NDArray[np.int64]
    values: NDArray[Any]
    status: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.ticks)

    def part(self, chosen: slice | NDArray[np.bool_]) -> Series:
        """The samples at these places."""
        return Series(self.ticks[chosen], self.values[chosen], self.status[chosen])


class Plant:
    """One simulated plant: seed, scenarios and the tags of its systems."""

    def __init__(
        self, seed: int, zone: ZoneInfo, scenarios: Iterable[Scenario], systems: dict[str, list[Tag]]
    ) -> None:
        self.seed = seed
        self.zone = zone
        self.scenarios = tuple(scenarios)
        self.systems = systems
        self.tags = {tag.tag_id: tag for tags in systems.values() for tag in tags}
        self._context = lru_cache(maxsize=8)(self._make_context)
        self._block = lru_cache(maxsize=256)(self._compute_block)

    def series(self, tag_id: str, start_ticks: int, end_ticks: int) -> Series:
        """The tag's samples in a half-open window of wire ticks."""
        first, last = start_ticks // BLOCK_TICKS, max(start_ticks, end_ticks - 1) // BLOCK_TICKS
        parts = []
        for index in range(first, last + 1):
            block = self._block(tag_id, index)
            low, high = np.searchsorted(block.ticks, (start_ticks, end_ticks))
            parts.append(block.part(slice(low, high)))
        if len(parts) == 1:
            return parts[0]
        return Series(
            np.concatenate([part.ticks for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.status for part in parts]),
        )

    def produced(self, tag_ids: Sequence[str], start: datetime, end: datetime) -> pa.Table:
        """What these tags produced in the half-open window: one row a sample, by tag and source time."""
        tables = [self._rows(tag_id, to_ticks(start), to_ticks(end)) for tag_id in sorted(tag_ids)]
        return pa.concat_tables(tables) if tables else TRUTH.empty_table()

    def _rows(self, tag_id: str, start_ticks: int, end_ticks: int) -> pa.Table:
        series = self.series(tag_id, start_ticks, end_ticks)
        since_1970 = series.ticks - UNIX_EPOCH_TICKS
        is_text = self.tags[tag_id].data_type == "string"
        count = len(series)
        return pa.Table.from_arrays(
            [
                pa.repeat(tag_id, count),
                pa.array(since_1970 // 10).cast(UTC_US),
                pa.array((since_1970 % 10).astype(np.int8)),
                pa.nulls(count, pa.float64()) if is_text else pa.array(series.values, from_pandas=True),
                pa.array(series.values, pa.string()) if is_text else pa.nulls(count, pa.string()),
                pa.array(series.status.astype(np.int64)),
            ],
            schema=TRUTH,
        )

    def _make_context(self, index: int) -> Context:
        start, end = from_ticks(index * BLOCK_TICKS), from_ticks((index + 1) * BLOCK_TICKS)
        return Context(self.seed, self.zone, self.scenarios, start, end)

    def _compute_block(self, tag_id: str, index: int) -> Series:
        tag = self.tags[tag_id]
        signal = SIGNALS[tag_id]
        ticks = _grid(tag, index)
        t: Floats = (ticks - ORIGIN_TICKS) / TICKS_PER_SECOND
        context = self._context(index)
        values = signal.compute(context, t)
        status = np.full(len(t), GOOD, dtype=np.uint32)
        if not signal.on_change:
            values, status = disturb(context, tag, t, values)
            values = np.round(values, signal.decimals)
        series = Series(ticks, values, status)
        return series.part(_reported(series) if signal.on_change else slice(1, None))


def _grid(tag: Tag, index: int) -> NDArray[np.int64]:
    """The block's sampling instants, and the one before: a change shows only against it."""
    period, offset = tag.period_ticks, tag.offset_ticks
    first = -((offset - index * BLOCK_TICKS) // period)
    last = -((offset - (index + 1) * BLOCK_TICKS) // period)
    return np.arange(first - 1, last, dtype=np.int64) * period + offset


def _reported(series: Series) -> NDArray[np.bool_]:
    """Samples that differ from the one before or are the first of a minute; never the leading one."""
    minutes = series.ticks // REPORT_AT_LEAST_TICKS
    kept = np.ones(len(series), dtype=bool)
    kept[1:] = (series.values[1:] != series.values[:-1]) | (minutes[1:] != minutes[:-1])
    kept[0] = False
    return kept


def load_plant(site_dir: Path) -> Plant:
    """The plant of a site directory: its plant.json, zone and tag tables.

    Raises:
        FileNotFoundError: the directory is not a reference plant's site.
    """
    described = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
    site = yaml.safe_load((site_dir / "site.yml").read_text(encoding="utf-8"))
    tables = sorted((site_dir / "tags").glob("*.csv"))
    return Plant(
        seed=described["seed"],
        zone=ZoneInfo(site["zone"]),
        scenarios=[from_json(entry) for entry in described["scenarios"]],
        systems={path.stem: read_tags(path) for path in tables},
    )
