"""Reference tables shared with dbt: the CSV files here are dbt's seeds too, so that nothing is written twice.

Marks on every row say where it comes from: `verified` was read in the standard's text, `memory` was not and
is to be confirmed by the operator.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources


@cache
def read_reference(name: str) -> tuple[dict[str, str], ...]:
    """Rows of the reference table `name` (file name without `.csv`), as text.

    Raises:
        FileNotFoundError: there is no such table; the message lists those there are.
    """
    file = resources.files(__package__).joinpath(f"{name}.csv")
    if not file.is_file():
        there = sorted(
            p.name.removesuffix(".csv") for p in resources.files(__package__).iterdir() if ".csv" in p.name
        )
        msg = f"reading reference table {name!r}: not found; expected one of {', '.join(there)}"
        raise FileNotFoundError(msg)
    with file.open(encoding="utf-8") as text:
        return tuple(csv.DictReader(text))
