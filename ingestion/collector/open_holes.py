"""Holes in tags' history on the disk: what is missing, since when, and how far it was filled.

A hole is kept here before live values go past it, and until the row that closes it is sealed. Whatever is
killed in between, a hole is known to somebody: either the tag's mark still lies before it, so that history is
read again from there, or it stands here and is tried again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ingestion.collector.marks import MarksError
from protocols.durable_files import write_durably
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import SegmentError, manifest_path, read_table, sequences

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FORMAT_VERSION = 1
HOLES_NAME = "holes.json"
HISTORY_FAILED = "history_failed"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptHole:
    """What a tag is missing; instants in ticks.

    Attributes:
        start: of its gap row; known.
        after: reading goes on behind it; known.
        end: the first instant known after it.
    """

    tag_id: str
    start: int
    after: int
    end: int


class HoleStore:
    """The file of one system's open holes.

    Args:
        directory: the system's folder.
        gaps_stream: its stream of gap rows, from which a folder without the file is carried forward.
    """

    def __init__(self, directory: Path, gaps_stream: str) -> None:
        self._directory, self._gaps_stream = directory, gaps_stream
        self._path = directory / HOLES_NAME

    def load(self) -> list[KeptHole]:
        """The open holes; those of the sealed gap rows where an older version, or damage, left no file.

        Raises:
            MarksError: a newer version wrote the file.
        """
        try:
            return self._read()
        except FileNotFoundError:
            return self._of_rows()
        except (ValueError, KeyError, TypeError) as error:
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            _log.warning(
                "%s is damaged (%r): kept as %s, made anew of the gap rows", self._path, error, aside
            )
            return self._of_rows()

    def write(self, holes: Iterable[KeptHole]) -> None:
        """Replace the file, durably.

        Raises:
            OSError: the disk refuses; the former file stays.
        """
        content = {"format_version": FORMAT_VERSION, "holes": [asdict(hole) for hole in holes]}
        write_durably(self._path, json.dumps(content, ensure_ascii=False).encode())

    def _read(self) -> list[KeptHole]:
        found = json.loads(self._path.read_bytes())
        version = found["format_version"]
        if version != FORMAT_VERSION:
            msg = f"reading open holes {self._path}: version {version}, this version reads {FORMAT_VERSION}"
            raise MarksError(msg)
        return [
            KeptHole(str(one["tag_id"]), int(one["start"]), int(one["after"]), int(one["end"]))
            for one in found["holes"]
        ]

    def _of_rows(self) -> list[KeptHole]:
        """The last row of a tag and start holds."""
        last: dict[tuple[str, int], tuple[bool, int]] = {}
        for number in sequences(self._directory, self._gaps_stream):
            try:
                table = read_table(manifest_path(self._directory, self._gaps_stream, number))
            except SegmentError as error:
                _log.warning("looking for open holes: %s", error)
                continue
            told = [table[name].to_pylist() for name in ("tag_id", "reason", "is_open")]
            instants = [_ticks(table[name]) for name in ("from_at_utc", "until_at_utc")]
            for tag_id, reason, is_open, start, end in zip(*told, *instants, strict=True):
                if tag_id is not None and reason == HISTORY_FAILED:
                    last[tag_id, start] = (is_open, end)
        return [
            KeptHole(tag_id, start, start, end)
            for (tag_id, start), (is_open, end) in last.items()
            if is_open and end > start
        ]


def _ticks(column: pa.ChunkedArray) -> list[int]:
    return [UNIX_EPOCH_TICKS + 10 * instant for instant in column.cast(pa.int64()).to_pylist()]
