"""Questions to the catalogue, for the command line."""

from __future__ import annotations

from typing import Any

from lake.catalog import query
from lake.layout import LakePaths


def run_query(lake: LakePaths, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of the answer.

    Raises:
        LakeError: there is no catalogue, or DuckDB refuses the query.
    """
    answer = query(lake.catalog, sql)
    columns = [column.to_pylist() for column in answer.columns]
    return answer.column_names, list(zip(*columns, strict=True)) if columns else []
