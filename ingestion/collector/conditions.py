"""The conditions that need attention, so that a refresh also tells which of them are over.

A refresh (Part 9 §5.5.7) tells every condition and branch that is retained, between two brackets. One that
was open and is not told has ended while nobody listened: it is ended by a row that says so. What is open
outlives the collector in `conditions.json`, and what was sealed after that was written is read again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from ingestion.collector.alarm_events import alarm_rows, key_of
from protocols.durable_files import write_durably
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.points import ALARMS
from protocols.segments import SegmentError, manifest_path, read_table, sequences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILE_NAME = "conditions.json"
FORMAT_VERSION = 1
GONE = "刷新时已不存在，结束时刻未知 / gone at a condition refresh, when it ended was not seen"
_KEPT_OF_THE_LAST = (
    "condition_id",
    "condition_name",
    "branch_id",
    "event_type",
    "source_name",
    "tag_id",
    "severity",
)
_log = logging.getLogger(__name__)


class OpenConditions:
    """The last row of each condition and branch that needs attention.

    Args:
        directory: the system's folder.
        stream: the system's stream of alarms.

    Attributes:
        sequence: the segment up to which they are known.
    """

    def __init__(self, directory: Path, stream: str) -> None:
        self._path = directory / FILE_NAME
        self.sequence = 0
        self._adopted = 0  # the peer's segment up to which its conditions were taken over
        self._open: dict[str, dict[str, Any]] = {}
        self._sealed: dict[str, dict[str, Any]] = {}  # the same as far as it is sealed
        self._told: set[str] | None = None  # during a refresh
        self._spared: set[str] = set()
        self._load(directory, stream)

    def __contains__(self, key: str) -> bool:
        """Whether a condition or branch is open."""
        return key in self._open

    @property
    def is_refreshing(self) -> bool:
        """Whether what comes now is between the brackets of a refresh."""
        return self._told is not None

    def take(self, row: dict[str, Any]) -> None:
        """A condition's new state."""
        _apply(self._open, row)

    def begin_refresh(self) -> None:
        """The opening bracket."""
        self._told = set()

    def tell(self, key: str) -> None:
        """An event of a condition, new or not; between brackets it says that the condition is there."""
        if self._told is not None:
            self._told.add(key)

    def spare(self, key: str) -> None:
        """Do not judge a condition by the next refresh: history may be ahead of what the server shows."""
        self._spared.add(key)

    def distrust_refresh(self) -> None:
        """Events were lost: between the brackets some may be missing, so nothing is judged by absence."""
        self._told = None

    def end_refresh(self, now_ticks: int) -> list[dict[str, Any]]:
        """The closing bracket: rows that end what was open and was not told."""
        told, spared = self._told, self._spared
        self._told, self._spared = None, set()
        if told is None:
            return []
        gone = [row for key, row in self._open.items() if key not in told and key not in spared]
        return [ended_by_absence(row, now_ticks) for row in gone]

    def adopt(self, peer: OpenConditions, marks: Mapping[str, int]) -> None:
        """Take over what the other collector of a pair left open, once for each time that it collected.

        Args:
            peer: its conditions, as they were copied.
            marks: by key, the last event that either has sealed; what is older than its mark is no more.

        Raises:
            OSError: the disk refused.
        """
        if peer.sequence <= self._adopted:
            return
        self._adopted = peer.sequence
        if peer._adopted >= self.sequence:
            self._sealed = {}  # it knew all of ours: what it has no more is over
        for key, row in peer._sealed.items():
            if key not in self._sealed or _ticks_of(row) > _ticks_of(self._sealed[key]):
                self._sealed[key] = row
        self._sealed = {key: row for key, row in self._sealed.items() if _ticks_of(row) >= marks.get(key, 0)}
        self._open = dict(self._sealed)
        self._write()

    def sealed(self, rows: Iterable[dict[str, Any]], sequence: int) -> None:
        """Write down what is open once these rows are sealed as a segment; without change nothing is written.

        Raises:
            OSError: the disk refused; the segments tell it at the next start.
        """
        changes = [_apply(self._sealed, row) for row in rows]
        self.sequence = sequence
        if any(changes):
            self._write()

    def _write(self) -> None:
        content = {
            "format_version": FORMAT_VERSION,
            "sequence": self.sequence,
            "adopted": self._adopted,
            "conditions": list(self._sealed.values()),
        }
        write_durably(self._path, json.dumps(content, ensure_ascii=False).encode())

    def _load(self, directory: Path, stream: str) -> None:
        self.sequence, self._adopted, rows = _read_file(self._path)
        for row in rows:
            _apply(self._sealed, row)
        for sequence in sequences(directory, stream):
            if sequence > self.sequence:
                self.sequence = sequence
                for row in _sealed_rows(directory, stream, sequence):
                    _apply(self._sealed, row)
        self._open = dict(self._sealed)


def _apply(conditions: dict[str, dict[str, Any]], row: dict[str, Any]) -> bool:
    """Take a row into what is open; whether that changed anything."""
    if row["condition_id"] is None:
        return False
    key = key_of(row)
    if needs_attention(row):
        conditions[key] = row
        return True
    return conditions.pop(key, None) is not None


def needs_attention(row: Mapping[str, Any]) -> bool:
    """Whether a condition is retained; of a server that does not say, whether anything is to be done."""
    if row["is_retained"] is not None:
        return bool(row["is_retained"])
    return row["is_active"] is True or row["is_acknowledged"] is False or row["is_confirmed"] is False


def ended_by_absence(last: Mapping[str, Any], now_ticks: int) -> dict[str, Any]:
    """The row that ends a condition which a refresh no longer tells. Nobody knows when it ended or who acted.

    Its id follows from the event before it, so that it is the same whenever it is made.
    """
    ticks = max(now_ticks, _ticks_of(last) + 1) - UNIX_EPOCH_TICKS
    name = f"absence {key_of(last)} {last['event_id']}"
    return {
        **dict.fromkeys(ALARMS.names),
        **{column: last[column] for column in _KEPT_OF_THE_LAST},
        "event_id": hashlib.blake2b(name.encode(), digest_size=16).hexdigest(),
        "message": GONE,
        "is_active": None if last["is_active"] is None else False,
        "is_retained": False,
        "event_at_utc": ticks // 10,
        "event_at_100ns": ticks % 10,
        "arrived_at_utc": (now_ticks - UNIX_EPOCH_TICKS) // 10,
        "told_by": "absence",
    }


def _ticks_of(row: Mapping[str, Any]) -> int:
    return int(UNIX_EPOCH_TICKS + 10 * row["event_at_utc"] + row["event_at_100ns"])


def _read_file(path: Path) -> tuple[int, int, list[dict[str, Any]]]:
    try:
        found = json.loads(path.read_bytes())
        if found["format_version"] != FORMAT_VERSION:
            msg = f"version {found['format_version']}, expected {FORMAT_VERSION}"
            raise ValueError(msg)  # noqa: TRY301 - read as damaged
        rows = [{**dict.fromkeys(ALARMS.names), **row} for row in found["conditions"]]
        return int(found["sequence"]), int(found.get("adopted", 0)), rows
    except FileNotFoundError:
        return 0, 0, []
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("%s: %s; open conditions are read from the sealed segments", path, error)
        return 0, 0, []


def _sealed_rows(directory: Path, stream: str, sequence: int) -> Iterable[dict[str, Any]]:
    try:
        return alarm_rows(read_table(manifest_path(directory, stream, sequence)))
    except SegmentError as error:
        _log.warning("%s %d: %s; open conditions are known without it", stream, sequence, error)
        return []
