"""What names a partition, and the refusal of rows that lie outside it.

Bare delta-rs takes any predicate, an empty one too, and would then replace the whole table.
"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import PartitionError


def partition_predicate(column: str, value: date | str) -> str:
    """The SQL predicate of one partition.

    Raises:
        PartitionError: the value is empty, not ASCII or holds a quote.
    """
    text = value.isoformat() if isinstance(value, date) else value
    if not text or not text.isascii() or "'" in text:
        msg = (
            f"partition {column}={value!r}: expected a date, or ASCII text that is not empty and has no quote"
        )
        raise PartitionError(msg)
    return f"{column} = '{text}'"


def refuse_rows_outside(rows: pa.Table, column: str, value: date | str, *, what: str) -> None:
    """Every row has this value in the partition column.

    Raises:
        PartitionError: some row has not, or there is no such column.
    """
    if column not in rows.column_names:
        msg = f"replacing a partition of {what}: found no column {column!r} among {rows.column_names}"
        raise PartitionError(msg)
    wanted = pa.scalar(value, rows.schema.field(column).type)
    inside = pc.fill_null(pc.equal(rows.column(column), wanted), False)
    outside = rows.filter(pc.invert(inside))
    if outside.num_rows:
        found = sorted({str(other) for other in outside.column(column).to_pylist()})[:5]
        msg = (
            f"replacing {column}={value} of {what}: {outside.num_rows} of {rows.num_rows} rows are not in it "
            f"(found {', '.join(found)}); nothing was written"
        )
        raise PartitionError(msg)
