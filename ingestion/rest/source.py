"""One table of an HTTP interface as something to extract from: good rows, and those that must not land.

An interface gives no snapshot: rows move between pages while they are read. A row read twice counts as it was
read last (or as its cursor says); a row of ours that a complete reading lacks is looked for in a second
reading before it counts as deleted; one that is there and cannot be read is never deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import source_schema
from ingestion.change_log import ChangeLog, row_keys, vanished_rows
from ingestion.connectors.workbook_quarantine import QuarantinedRow
from ingestion.errors import ContractBreachError
from ingestion.files.judging import RefusedRecord, judge_records
from ingestion.files.quarantined import as_quarantined
from ingestion.files.records import Reading
from ingestion.rest.pages import RestPages

MAX_REFUSED = 10_000


@dataclass
class RestSource:
    """The table as it is read in one run.

    Attributes:
        pages: its records.
        log: what landed of it.
        refused: what must not land, by its content; filled while reading.
    """

    pages: RestPages
    log: ChangeLog
    refused: dict[str, QuarantinedRow] = field(default_factory=dict)

    def read_rows(self, *, since: datetime | int | None = None) -> pa.Table:
        """The good rows, each key once; of a complete reading with our rows that cannot be said to be gone.

        Raises:
            ContractBreachError: records come, and not one is as the contract says.
        """
        rows = self._once(since)
        if since is not None:
            cursor = rows[self.log.contract.cursor]
            return rows.filter(pc.greater_equal(cursor, pa.scalar(since, cursor.type)))
        live = self.log.live()
        missing = vanished_rows(live, row_keys(rows, self.log.contract.primary_key))
        if missing.num_rows:
            rows = self._last_of_each(pa.concat_tables([rows, self._once(None)]))
            missing = vanished_rows(live, row_keys(rows, self.log.contract.primary_key))
        held = self._held(missing).select(rows.column_names)
        return pa.concat_tables([rows, held.cast(rows.schema)])

    def read_keys(self) -> pa.Table:
        """The keys of every row."""
        return self.read_rows().select(list(self.log.contract.primary_key))

    def is_empty(self) -> bool:
        """Whether the interface has no record at all."""
        return next(self.pages.records(), None) is None

    def _once(self, since: datetime | int | None) -> pa.Table:
        contract = self.log.contract
        reading = Reading(records=self.pages.records(since), form="JSON")
        blocks, count = [], 0
        for block in judge_records(reading, contract):
            blocks.append(block.rows.drop_columns("_source_row"))
            count += len(block.refused)
            self._set_aside(block.refused, reading)
            if count > MAX_REFUSED:
                raise ContractBreachError(
                    contract.name, [f"over {MAX_REFUSED} records are wrong", *self._told()]
                )
        schema = pa.schema([one.with_nullable(True) for one in source_schema(contract)])
        rows = pa.concat_tables(blocks) if blocks else schema.empty_table()
        if count and not rows.num_rows and since is None:
            raise ContractBreachError(contract.name, [f"not one of {count} records fits", *self._told()])
        return self._last_of_each(rows).cast(source_schema(contract))

    def _told(self) -> list[str]:
        first = next(iter(self.refused.values()))
        return [fault.reason_en for fault in first.faults[:5]]

    def _set_aside(self, refused: tuple[RefusedRecord, ...], reading: Reading) -> None:
        for one in refused:
            row = as_quarantined(one, reading, self.log.contract)
            self.refused[repr(sorted(row.written.items()))] = row

    def _last_of_each(self, rows: pa.Table) -> pa.Table:
        contract = self.log.contract
        order = pl.DataFrame(
            {"key": pl.Series(pl.from_arrow(row_keys(rows, contract.primary_key)), dtype=pl.String)}
        )
        order = order.with_row_index("row")
        if contract.cursor:
            order = order.with_columns(pl.Series("cursor", pl.from_arrow(rows[contract.cursor]))).sort(
                "cursor", "row"
            )
        kept = order.group_by("key", maintain_order=True).last()["row"].sort()
        return rows.take(kept.to_arrow())

    def _held(self, missing: pa.Table) -> pa.Table:
        """Those missing rows that may hide in a record nobody can read."""
        keys = [row.key for row in self.refused.values()]
        if any(key is None or "|" in key or "\\" in key for key in keys):
            return missing
        return missing.filter(pc.is_in(missing["_row_key"], pa.array(keys, pa.string())))
