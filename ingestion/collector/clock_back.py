"""Closing the hole of a tag whose server's clock went back: the mark says nothing there, the segments do.

While a server's clock stands behind where it was, new points are dated before the tag's mark. As long as they
come in order they are taken as they come; what was missed meanwhile is in the server's history among points
that are sealed already. What is sealed of that window is read back, and only the rest is admitted.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.collector.history import HistoryRange
from protocols.opcua_time import UNIX_EPOCH_TICKS, from_ticks, to_ticks
from protocols.segments import manifest_path, read_manifest, read_table, sequences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from asyncua import ua

    from ingestion.collector.collection_parts import CollectionParts
    from ingestion.collector.history import HistoryError, HistoryReader
    from ingestion.collector.intake import Intake
    from ingestion.collector.points import Page


class SealedInstants:
    """Which instants of which tags stand in a stream's sealed segments.

    Args:
        directory: the system's folder.
        stream: its stream of points.
    """

    def __init__(self, directory: Path, stream: str) -> None:
        self._directory, self._stream = directory, stream
        self._ranges: dict[int, tuple[str, str]] = {}

    def read(self, tag_ids: Sequence[str], start: int, end: int) -> dict[str, set[int]]:
        """The instants sealed of each tag from `start` to `end`, ticks; reads every manifest once."""
        first, last = _text(start), _text(end)
        found: dict[str, set[int]] = {tag_id: set() for tag_id in tag_ids}
        wanted = pa.array(tag_ids, pa.string())
        for number in sequences(self._directory, self._stream):
            begins, ends = self._range(number)
            if begins <= last and ends >= first:
                self._add(number, wanted, found)
        return found

    def horizon(self) -> int:
        """The instant before which segments may have been deleted after their retention; 0: none were."""
        numbers = sequences(self._directory, self._stream)
        if not numbers or numbers[0] == 1:
            return 0
        earliest = min(begins for begins, _ in map(self._range, numbers) if begins)
        return to_ticks(datetime.fromisoformat(earliest))

    def _range(self, number: int) -> tuple[str, str]:
        if number not in self._ranges:
            manifest = read_manifest(manifest_path(self._directory, self._stream, number))
            self._ranges[number] = (manifest.first_source_at_utc or "", manifest.last_source_at_utc or "")
        return self._ranges[number]

    def _add(self, number: int, wanted: pa.Array, found: dict[str, set[int]]) -> None:
        table = read_table(manifest_path(self._directory, self._stream, number))
        table = table.filter(pc.is_in(table["tag_id"].cast(pa.string()), value_set=wanted))
        microseconds = table["source_at_utc"].cast(pa.int64()).to_numpy()
        ticks = UNIX_EPOCH_TICKS + 10 * microseconds + table["source_at_100ns"].to_numpy()
        for tag_id, instant in zip(table["tag_id"].to_pylist(), ticks.tolist(), strict=True):
            found[tag_id].add(instant)


async def fill_behind(
    tags: Sequence[int],
    reader: HistoryReader,
    node_ids: Mapping[int, ua.NodeId],
    parts: CollectionParts,
    intake: Intake,
) -> dict[int, HistoryError | None]:
    """Admit what history has before the first held points of tags and is not sealed, then release them.

    Returns:
        By tag, why its history could not be read; such a tag stays held.
    """
    if not tags:
        return {}
    windows = {tag: intake.window_behind(tag) for tag in tags}
    generations = {tag: intake.generation(tag) for tag in tags}
    start, end = min(window[0] for window in windows.values()), max(window[1] for window in windows.values())
    reached = max((last for tag in tags if (last := intake.last_held(tag)) is not None), default=end)
    await parts.sealing.seal()  # what is admitted stands in segments now, and nothing more is while held
    known = await asyncio.to_thread(parts.sealed.read, [parts.tag_ids[tag] for tag in tags], start, reached)
    horizon = await asyncio.to_thread(parts.sealed.horizon)
    ranges = [HistoryRange(node_ids[tag], max(windows[tag][0], horizon)) for tag in tags]
    async for position, page in reader.read_many(ranges, end):
        tag = tags[position]
        _admit(tag, page, windows[tag][1], parts, known[parts.tag_ids[tag]])
        await parts.sealing.wait_for_room()
    errors = {tag: read.error for tag, read in zip(tags, ranges, strict=True)}
    for tag, error in errors.items():
        if error is None and intake.generation(tag) == generations[tag]:
            intake.release_behind(tag, known[parts.tag_ids[tag]], horizon)
    return errors


async def release_unread(tags: Sequence[int], parts: CollectionParts, intake: Intake) -> None:
    """Admit held points of tags without history that are before their mark, and let live ones through."""
    firsts = [first for tag in tags if (first := intake.first_held(tag)) is not None]
    known: dict[str, set[int]] = {parts.tag_ids[tag]: set() for tag in tags}
    horizon = 0
    if firsts:
        await parts.sealing.seal()
        ids = [parts.tag_ids[tag] for tag in tags]
        known = await asyncio.to_thread(parts.sealed.read, ids, min(firsts), max(firsts))
        horizon = await asyncio.to_thread(parts.sealed.horizon)
    for tag in tags:
        if intake.is_held(tag):
            intake.release_unread(tag, known[parts.tag_ids[tag]], horizon)


def _admit(tag: int, page: Page, before: int, parts: CollectionParts, known: set[int]) -> None:
    arrived_us = (parts.now_ticks() - UNIX_EPOCH_TICKS) // 10
    known.update(parts.buffer.admit_unknown(tag, page, known, before, arrived_us))


def _text(ticks: int) -> str:
    """As manifests write instants, so that texts compare as instants do."""
    return from_ticks(ticks).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
