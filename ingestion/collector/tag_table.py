"""The tag table of one system: which nodes are read, and what they are called. Owned in the control zone."""

from __future__ import annotations

import csv
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
_NODE_ID = re.compile(r"(?:nsu=(?P<uri>[^;]+);)?(?P<rest>(?:i=\d+|[sgb]=.+))", re.DOTALL)


class TagTableError(ValueError):
    """A tag table cannot be used; the message names the file, the row and the column."""


@dataclass(frozen=True)
class Tag:
    """One row of a tag table."""

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
    if set(header) != set(COLUMNS):
        missing, unknown = set(COLUMNS) - set(header), set(header) - set(COLUMNS)
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
