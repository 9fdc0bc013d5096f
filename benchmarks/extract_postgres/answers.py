"""Whether two tables hold the same rows, column by column, whatever types their writers chose."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lake import tables

# Our name of a column and the source's.
COLUMNS = {
    "material_code": "material_code",
    "quantity_kg": "quantity",
    "temperature_c": "temperature_c",
    "status_code": "status_code",
    "is_released": "is_released",
    "posted_date": "posted_on",
    "updated_at_utc": "updated_at",
}


def differing_columns(ours: Path, theirs: Path) -> list[str]:
    """The columns that differ once both tables are in the order of their key, one in memory at a time."""
    our_order, their_order = _order(ours), _order(theirs)
    found = []
    for name, source_name in {"movement_id": "movement_id", **COLUMNS}.items():
        one = tables.read(ours, columns=[name])[name].take(our_order)
        other = _as(tables.read(theirs, columns=[source_name])[source_name], one.type).take(their_order)
        if not one.equals(other):
            found.append(name)
    return found


def cursor_in_commit(ours: Path) -> bool:
    """Whether the newest commit's watermark is the greatest cursor of the table."""
    newest = pc.max(tables.read(ours, columns=["updated_at_utc"])["updated_at_utc"]).as_py()
    return bool(tables.commit_metadata(ours).get("watermark") == newest.isoformat())


def _order(path: Path) -> pa.Array:
    return pc.sort_indices(tables.read(path, columns=["movement_id"])["movement_id"])


def _as(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if isinstance(values.type, pa.BaseExtensionType):
        values = pa.chunked_array([chunk.storage for chunk in values.chunks])
    return values.cast(kind)
