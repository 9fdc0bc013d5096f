"""The tag table of one system: which nodes are read, and what they are called. Owned in the control zone."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = (
    "tag_id", "node_id", "label_zh", "label_en", "unit", "range_low", "range_high", "data_type",
    "sampling_ms", "queue_size", "area", "equipment_id", "has_history",
)  # fmt: skip
# The names of an enumeration's values, for people: `0=run; 1=maintain`. The collector sends the number.
STATES_COLUMN = "states"
# A table may leave these out, or leave them empty for most tags.
OPTIONAL_COLUMNS = ("deadband", "publishing_ms", "aggregate", STATES_COLUMN)
_AGGREGATE = re.compile(r"(?P<name>[A-Z][A-Za-z]+) (?P<seconds>\d+(?:\.\d+)?)s")
_NODE_ID = re.compile(r"(?:nsu=(?P<uri>[^;]+);)?(?P<rest>(?:i=\d+|[sgb]=.+))", re.DOTALL)


class TagTableError(ValueError):
    """A tag table cannot be used; the message names the file, the row and the column."""


@dataclass(frozen=True)
class Deadband:
    """How much a value must change to be sent: in its unit, or in percent of the server's EURange."""

    value: float
    is_percent: bool


@dataclass(frozen=True)
class Aggregate:
    """A function of the server's over intervals of history (OPC UA Part 13), read in place of raw values."""

    name: str
    interval_s: float


@dataclass(frozen=True)
class Tag:
    """One row of a tag table.

    Attributes:
        deadband: none means that every new instant is sent.
        publishing_ms: the publishing interval of the tag's group; none is the collector's own.
        aggregate: none means raw values.
    """

    tag_id: str
    node_id: str
    label_zh: str
    label_en: str
    unit: str | None
    range_low: float | None
    range_high: float | None
    data_type: str
    sampling_ms: int
    queue_size: int
    area: str
    equipment_id: str | None
    has_history: bool
    deadband: Deadband | None = None
    publishing_ms: float | None = None
    aggregate: Aggregate | None = None

    def resolve(self, namespaces: Sequence[str]) -> str | None:
        """The node id with the namespace's index on this server, None when it has no such namespace."""
        match = _NODE_ID.fullmatch(self.node_id)
        if match is None:  # load_tags has checked it
            return None
        uri, rest = match["uri"], match["rest"]
        if uri is None:
            return rest
        return f"ns={list(namespaces).index(uri)};{rest}" if uri in namespaces else None


def load_tags(path: Path) -> tuple[Tag, ...]:
    """The tags of a CSV file, in its order.

    Raises:
        TagTableError: the file is missing or empty, a column is missing or unknown, or a row cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = tuple(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"reading tag table {path}: {error}"
        raise TagTableError(msg) from error
    missing, unknown = set(COLUMNS) - set(header), set(header) - set(COLUMNS) - set(OPTIONAL_COLUMNS)
    if missing or unknown:
        msg = (
            f"reading tag table {path}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}"
        )
        raise TagTableError(msg)
    tags = tuple(_tag(path, number, row) for number, row in enumerate(rows, start=2))
    _require_unique(path, tags)
    return tags


def _tag(path: Path, number: int, row: dict[str, str]) -> Tag:
    try:
        tag = Tag(
            tag_id=_required(row, "tag_id"),
            node_id=_required(row, "node_id"),
            label_zh=_required(row, "label_zh"),
            label_en=_required(row, "label_en"),
            unit=row["unit"] or None,
            range_low=float(row["range_low"]) if row["range_low"] else None,
            range_high=float(row["range_high"]) if row["range_high"] else None,
            data_type=_required(row, "data_type"),
            sampling_ms=int(row["sampling_ms"]),
            queue_size=int(row["queue_size"]),
            area=_required(row, "area"),
            equipment_id=row["equipment_id"] or None,
            has_history=_boolean(row["has_history"]),
            deadband=_deadband(row.get("deadband")),
            publishing_ms=_publishing_ms(row.get("publishing_ms")),
            aggregate=_aggregate(row.get("aggregate")),
        )
    except (ValueError, TypeError) as error:
        msg = f"reading tag table {path}, line {number} ({row.get('tag_id')}): {error}"
        raise TagTableError(msg) from error
    if not _NODE_ID.fullmatch(tag.node_id):
        msg = (
            f"reading tag table {path}, line {number} ({tag.tag_id}): node_id {tag.node_id!r}; expected "
            "nsu=<namespace uri>;s=<name> (an ns=<index> may mean another namespace after a server's restart)"
        )
        raise TagTableError(msg)
    return tag


def _deadband(text: str | None) -> Deadband | None:
    if not text:
        return None
    is_percent = text.endswith("%")
    value = float(text.removesuffix("%"))
    if not 0 < value < (100 if is_percent else math.inf):
        msg = f"deadband is {text!r}, expected a number above 0 in the tag's unit, or a percentage as in 2%"
        raise ValueError(msg)
    return Deadband(value, is_percent)


def _publishing_ms(text: str | None) -> float | None:
    if not text:
        return None
    value = float(text)
    if not 10 <= value < math.inf:
        msg = f"publishing_ms is {text!r}, expected 10 or more"
        raise ValueError(msg)
    return value


def _aggregate(text: str | None) -> Aggregate | None:
    if not text:
        return None
    match = _AGGREGATE.fullmatch(text)
    if match is None or not float(match["seconds"]):
        msg = f"aggregate is {text!r}, expected a function and an interval as in 'Average 60s'"
        raise ValueError(msg)
    return Aggregate(match["name"], float(match["seconds"]))


def _required(row: dict[str, str], column: str) -> str:
    if not row[column]:
        msg = f"{column} is empty"
        raise ValueError(msg)
    return row[column]


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        msg = f"has_history is {text!r}, expected true or false"
        raise ValueError(msg)
    return text == "true"


def _require_unique(path: Path, tags: tuple[Tag, ...]) -> None:
    seen: set[str] = set()
    for tag in tags:
        if tag.tag_id in seen:
            msg = (
                f"reading tag table {path}: tag {tag.tag_id} stands twice; its points could not be told apart"
            )
            raise TagTableError(msg)
        seen.add(tag.tag_id)
    if not tags:
        msg = f"reading tag table {path}: it has no rows; take the server out of collector.yml instead"
        raise TagTableError(msg)
