"""Whether two tables hold the same rows, so that what did not change is not written again."""

from __future__ import annotations

import duckdb
import pyarrow as pa


def same_rows(new: pa.Table, stored: pa.Table) -> bool:
    """Whether two tables hold the same rows, in any order, as often."""
    if new.num_rows != stored.num_rows:
        return False
    stored = stored.select(new.column_names)
    with duckdb.connect() as connection:
        connection.register("new_rows", new)
        connection.register("stored_rows", stored)
        differing = connection.execute("select 1 from (from new_rows except all from stored_rows) limit 1")
        return differing.fetchone() is None
