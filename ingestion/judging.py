"""Judging the rows of a table that passes by in batches and is never held as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.checks import Rule, Violation, check_rows
from contracts.model import Contract
from ingestion.errors import ContractBreachError


class PassingTable:
    """What a contract says about a table, asked of each batch as it passes.

    Attributes:
        rows: how many have passed.
        earliest: the smallest cursor; None where there is no cursor or no row.
        latest: the greatest.
    """

    def __init__(self, contract: Contract) -> None:
        self.rows = 0
        self.earliest: Any = None
        self.latest: Any = None
        self._contract = contract
        self._odd: dict[tuple[Rule, str], Violation] = {}
        self._keys: list[pl.Series] = []

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What lands anyway and is told, one for each rule and column."""
        return tuple(self._odd.values())

    @property
    def has_repeated_keys(self) -> bool:
        """Whether two rows seem to have one key: certain when it says no, else to be looked at."""
        return bool(self._keys) and pl.concat(self._keys).n_unique() < self.rows

    def look(self, batch: pa.RecordBatch, keys: pa.Array) -> None:
        """Judge one batch.

        Args:
            batch: the contract's columns.
            keys: the row key of each row.

        Raises:
            ContractBreachError: a row that must not land.
        """
        found = check_rows(pa.table(batch), self._contract)
        blocking = [str(violation) for violation in found if violation.is_blocking]
        if blocking:
            raise ContractBreachError(self._contract.name, blocking)
        for violation in found:
            self._remember(violation)
        self._keys.append(self._fingerprints(batch, keys))
        self._measure(batch)
        self.rows += batch.num_rows

    def _fingerprints(self, batch: pa.RecordBatch, keys: pa.Array) -> pl.Series:
        """Eight bytes a key: the key itself where it is one whole number."""
        names = self._contract.primary_key
        if len(names) == 1 and pa.types.is_integer(batch.column(names[0]).type):
            return pl.Series("key", pl.from_arrow(batch.column(names[0]))).cast(pl.Int64)
        return pl.Series("key", pl.from_arrow(keys)).hash(seed=0)

    def _measure(self, batch: pa.RecordBatch) -> None:
        if self._contract.cursor is None or batch.num_rows == 0:
            return
        found = pc.min_max(batch.column(self._contract.cursor)).as_py()
        self.earliest = found["min"] if self.earliest is None else min(self.earliest, found["min"])
        self.latest = found["max"] if self.latest is None else max(self.latest, found["max"])

    def _remember(self, violation: Violation) -> None:
        name = (violation.rule, violation.column)
        rows = tuple(self.rows + row for row in violation.rows)
        before = self._odd.get(name)
        if before is None:
            self._odd[name] = replace(violation, rows=rows)
        else:
            self._odd[name] = replace(before, rows=before.rows + rows)
