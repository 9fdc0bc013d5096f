"""The tags of a source: those of its table, and those it sent that no table names, as the `.tags` stream."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingestion.collector.tag_table import TagTableError
from protocols.points import TAGS
from protocols.segments import manifest_path, read_table, sequences

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.collector.sealing import Sealer
    from protocols.clock import Clock

COLUMNS = (
    "tag_id", "address", "label_zh", "label_en", "unit", "range_low", "range_high", "data_type", "area",
    "equipment_id",
)  # fmt: skip
_CONTENT = [name for name in TAGS.names if name != "observed_at_utc"]
Row = dict[str, Any]


def load_source_tags(path: Path) -> dict[str, Row]:
    """The rows of a source's tag table, by address.

    Raises:
        TagTableError: the file is missing, its columns are others, or a row cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if set(reader.fieldnames or ()) != set(COLUMNS):
                msg = f"reading tag table {path}: columns {reader.fieldnames}, expected {list(COLUMNS)}"
                raise TagTableError(msg)
            found: dict[str, Row] = {}
            for number, row in enumerate(reader, start=2):
                _add(path, number, row, found)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"reading tag table {path}: {error}"
        raise TagTableError(msg) from error
    return found


def _add(path: Path, number: int, row: dict[str, str], found: dict[str, Row]) -> None:
    where = f"reading tag table {path}, line {number} ({row.get('tag_id')})"
    empty = [name for name in ("tag_id", "address", "label_zh", "label_en", "area") if not row[name]]
    if empty:
        msg = f"{where}: {', '.join(empty)} empty"
        raise TagTableError(msg)
    if row["address"] in found or row["tag_id"] in {known["tag_id"] for known in found.values()}:
        msg = f"{where}: the tag or its address {row['address']} stands twice"
        raise TagTableError(msg)
    try:
        limits = {name: float(row[name]) if row[name] else None for name in ("range_low", "range_high")}
    except ValueError as error:
        msg = f"{where}: {error}"
        raise TagTableError(msg) from error
    found[row["address"]] = tag_row(
        row["tag_id"],
        row["address"],
        label_zh=row["label_zh"],
        label_en=row["label_en"],
        unit=row["unit"] or None,
        data_type=row["data_type"] or "Double",
        area=row["area"],
        equipment_id=row["equipment_id"] or None,
        **limits,
    )


def tag_row(tag_id: str, address: str, **more: Any) -> Row:
    """A row of the tag stream; what is not said is empty."""
    row: Row = dict.fromkeys(_CONTENT)
    row |= {"tag_id": tag_id, "node_id": address, "label_zh": tag_id, "label_en": tag_id}
    row |= {"data_type": "Double", "sampling_ms": 0, "area": "unassigned", "has_history": False}
    return row | more


class TagRegister:
    """What tags a source has, sealed as a whole when it changes.

    Args:
        table: rows of the plant's tag table, by address.
        sealer: seals the stream.
        clock: plant time.
        directory: the system's folder, where the last sealed table may still lie.
        limit: tags that no table names are taken up to so many; beyond, a hostile sender is likelier.
    """

    def __init__(
        self, table: dict[str, Row], sealer: Sealer, clock: Clock, directory: Path, limit: int
    ) -> None:
        self._table, self._sealer, self._clock, self._limit = table, sealer, clock, limit
        last = _last_rows(directory, sealer.stream("tags"))
        self._sealed = [row for _, row in sorted(last.items())]
        self._rows = {tag_id: dict(row) for tag_id, row in last.items()}
        for row in table.values():
            heard = last.get(row["tag_id"], row)["unit_on_server"]
            self._rows[row["tag_id"]] = {**row, "unit_on_server": heard}
        self._is_changed = True

    def __len__(self) -> int:
        return len(self._rows)

    def tag_of(self, address: str, tag_id: str, **said: Any) -> str | None:
        """The tag at an address: the table's, else the one proposed, which is then listed.

        Args:
            address: where the source has it; the tag table names tags by it.
            tag_id: what it is called when the table does not say.
            said: what the source says of it: unit_on_server, data_type, labels, range, area, equipment_id.

        Returns:
            None when there are too many tags already.
        """
        known = self._table.get(address)
        if known is not None:
            tag_id = known["tag_id"]
            said = {"unit_on_server": said.get("unit_on_server")}
        said = {name: value for name, value in said.items() if value is not None}
        row = self._rows.get(tag_id)
        if row is None:
            if len(self._rows) >= self._limit:
                return None
            row = self._rows[tag_id] = tag_row(tag_id, address)
            self._is_changed = True
        if any(row[name] != value for name, value in said.items()):
            row |= said
            self._is_changed = True
        return tag_id

    async def seal_changes(self) -> bool:
        """Seal the whole table if anything in it is new.

        Raises:
            OSError: the disk refused; it is tried again with the next change or call.
        """
        if not self._is_changed or not self._rows:
            return False
        now = self._clock.now()
        rows = [{**row, "observed_at_utc": now} for _, row in sorted(self._rows.items())]
        content = [{name: row[name] for name in _CONTENT} for row in rows]
        if content != self._sealed:
            self._is_changed = False
            try:
                await self._sealer.seal("tags", pa.Table.from_pylist(rows, schema=TAGS), {})
            except OSError:
                self._is_changed = True
                raise
            self._sealed = content
            return True
        self._is_changed = False
        return False


def _last_rows(directory: Path, stream: str) -> dict[str, Row]:
    sealed = sequences(directory, stream)
    if not sealed:
        return {}
    table = read_table(manifest_path(directory, stream, sealed[-1]))
    return {row["tag_id"]: row for row in table.select(_CONTENT).to_pylist()}
