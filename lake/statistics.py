"""What the statistics of a table's files tell without a row being read."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lake.table_creation import is_table

INSTANT_STEP = timedelta(milliseconds=1)
"""How exactly the Delta protocol keeps instants in statistics: cut to the millisecond below."""


def newest(path: Path, column: str) -> datetime | None:
    """The greatest instant in a column, up to `INSTANT_STEP` too early; None where there is no row."""
    if not is_table(path):
        return None
    files = pa.table(DeltaTable(path).get_add_actions(flatten=True))
    name = f"max.{column}"
    if name not in files.column_names:
        return None
    found: datetime | None = pc.max(files.column(name)).as_py()
    return found
