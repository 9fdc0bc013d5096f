"""Tag tables of a site: what the control zone says each tag is. One CSV file per system."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from reference_plant.plant.noise import stream_key

TICKS_PER_MS = 10_000


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
    area: str
    equipment_id: str | None
    has_history: bool

    @property
    def period_ticks(self) -> int:
        """The sampling period in 100 ns."""
        return self.sampling_ms * TICKS_PER_MS

    @property
    def offset_ticks(self) -> int:
        """Where in its second the tag is sampled, in 100 ns; its last digit is never 0.

        Real servers stamp where their scan stands, and a precision that is never used is never tested.
        """
        scan = stream_key("scan", self.tag_id)
        return (scan % 999_999) * 10 + 1 + (scan >> 32) % 9


def read_tags(path: Path) -> list[Tag]:
    """The tags of one table, in its order.

    Raises:
        ValueError: a row cannot be read; the message names file, row and what it holds.
    """
    tags = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                tags.append(_tag(row))
            except (KeyError, ValueError) as error:
                msg = (
                    f"{path} line {line}: expected the columns tag_id … has_history with numbers where due, "
                    f"found {row!r}; correct the row"
                )
                raise ValueError(msg) from error
    return tags


def namespace_uri(tags: list[Tag]) -> str:
    """The one OPC UA namespace that the node ids of a table name.

    Raises:
        ValueError: they name none, or several.
    """
    found = {
        tag.node_id.partition(";")[0].removeprefix("nsu=") for tag in tags if tag.node_id.startswith("nsu=")
    }
    if len(found) != 1:
        msg = f"reading a tag table: its node ids name {sorted(found)}; expected nsu=<one uri>;s=<tag_id>"
        raise ValueError(msg)
    return found.pop()


def _tag(row: dict[str, str]) -> Tag:
    return Tag(
        tag_id=row["tag_id"],
        node_id=row["node_id"],
        label_zh=row["label_zh"],
        label_en=row["label_en"],
        unit=row["unit"] or None,
        range_low=float(row["range_low"]) if row["range_low"] else None,
        range_high=float(row["range_high"]) if row["range_high"] else None,
        data_type=row["data_type"],
        sampling_ms=int(row["sampling_ms"]),
        area=row["area"],
        equipment_id=row["equipment_id"] or None,
        has_history={"true": True, "false": False}[row["has_history"]],
    )
