"""The append-only change log of one business table: what it holds, what a reading changes, and the append.

Every state of an extract lies in the table itself (the last sequence is the Delta application transaction,
the watermark is the greatest cursor), so an extract that is killed anywhere leaves nothing to repair: either
its one commit is there or it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import raw_schema, source_schema
from contracts.model import Contract
from lake import tables
from lake.layout import LakePaths
from lake.streaming import append_batches
from lake.tables import AppendReport

UPSERT = "upsert"
DELETE = "delete"
_KEY = "_row_key"
_OP = "_op"
_SEQUENCE = "_extract_sequence"
_PLACE = "_source_row"  # orders the rows of one extract


@dataclass(frozen=True)
class Provenance:
    """Where the rows of one append come from."""

    sequence: int
    extracted_at_utc: datetime
    run_id: str
    watermark: str | None = None
    source_file: str | None = None


@dataclass(frozen=True)
class ChangeLog:
    """Reading and appending to one raw table."""

    contract: Contract
    lake: LakePaths

    @property
    def exists(self) -> bool:
        """Whether anything was ever landed."""
        return tables.exists(self._path)

    @property
    def is_empty(self) -> bool:
        """Whether there is no row to compare with."""
        return not self.exists or tables.count(self._path) == 0

    @property
    def last_sequence(self) -> int:
        """The sequence of the last committed extract; 0 before the first."""
        return tables.transaction_version(self._path, self.contract.contract_id) or 0

    def latest(self, *, since: Any = None, columns: Sequence[str] | None = None) -> pa.Table:
        """The last row of every key, deleted ones included, with `_op`, `_row_key` and `_extract_sequence`.

        Args:
            since: only row versions whose cursor is at least this.
            columns: contract columns to read; all by default.
        """
        wanted = [*(columns if columns is not None else source_schema(self.contract).names)]
        found = self._read([*wanted, _OP, _KEY, _SEQUENCE, _PLACE], since)
        order = pl.DataFrame(
            {
                "key": _text(found, _KEY),
                "sequence": pl.Series(found[_SEQUENCE].to_numpy()),
                "place": pl.Series(pl.from_arrow(found[_PLACE]), dtype=pl.Int64),
            }
        )
        in_order = order.with_row_index("row").sort("sequence", "place", nulls_last=False)
        rows = in_order.group_by("key", maintain_order=True).last()["row"].sort()
        return found.take(rows.to_arrow()).drop_columns(_PLACE)

    def versions(self, *, since: Any = None) -> pa.Table:
        """Every row that has landed, in the contract's columns.

        Args:
            since: only those whose cursor is at least this.
        """
        return self._read(source_schema(self.contract).names, since)

    def no_rows(self) -> pa.Table:
        """An empty table of what `latest` answers."""
        schema = raw_schema(self.contract)
        return pa.schema(
            [*source_schema(self.contract), *map(schema.field, (_OP, _KEY, _SEQUENCE))]
        ).empty_table()

    def live(self, *, columns: Sequence[str] | None = None) -> pa.Table:
        """The present state: the last row of every key that is not deleted."""
        latest = self.latest(columns=columns)
        return latest.filter(pc.equal(latest[_OP], UPSERT))

    def watermark(self, now: datetime) -> Any:
        """The greatest cursor read so far, or None before the first row.

        A cursor in the future (a clock gone wrong in the source) is left out: it would hide all between.
        """
        assert self.contract.cursor is not None
        cursor = self._read([self.contract.cursor], None)[self.contract.cursor]
        if pa.types.is_timestamp(cursor.type):
            cursor = cursor.filter(pc.less_equal(cursor, pa.scalar(now, cursor.type)))
        return pc.max(cursor).as_py()

    def watermark_with(self, rows: pa.Table, before: Any, now: datetime) -> Any:
        """The watermark once these rows have landed too.

        Args:
            rows: about to land.
            before: the watermark so far.
            now: cursors after it do not count.
        """
        landed = rows[self.contract.cursor]
        if pa.types.is_timestamp(landed.type):
            landed = landed.filter(pc.less_equal(landed, pa.scalar(now, landed.type)))
        newest = pc.max(landed).as_py()
        return max((value for value in (before, newest) if value is not None), default=None)

    def window_start(self, watermark: Any) -> Any:
        """The watermark less the contract's overlap, so that rows committed late are read too."""
        overlap = self.contract.overlap
        return watermark - (timedelta(seconds=overlap) if isinstance(watermark, datetime) else overlap)

    def append(self, upserts: pa.Table, deletes: pa.Table, provenance: Provenance) -> AppendReport:
        """Land rows in one commit that carries the sequence and the watermark.

        Args:
            upserts: contract columns; `_source_row` too where rows have one.
            deletes: the last known rows of the keys that are gone.
            provenance: where they come from.
        """
        stamped = [self.stamped(upserts, UPSERT, provenance), self.stamped(deletes, DELETE, provenance)]
        return tables.append(
            self._path,
            pa.concat_tables(stamped),
            raw_schema(self.contract),
            app_id=self.contract.contract_id,
            version=provenance.sequence,
            partition_by=self.contract.partition_by,
            commit_metadata=self._commit_metadata(provenance),
        )

    def append_batches(self, stamped: Iterable[pa.RecordBatch], provenance: Provenance) -> AppendReport:
        """Land rows as they come, in one commit; what raises on the way leaves nothing behind.

        Args:
            stamped: rows as `stamped` made them.
            provenance: the one they were stamped with.
        """
        return append_batches(
            self._path,
            stamped,
            raw_schema(self.contract),
            app_id=self.contract.contract_id,
            version=provenance.sequence,
            partition_by=self.contract.partition_by,
            commit_metadata=self._commit_metadata(provenance),
        )

    def _commit_metadata(self, provenance: Provenance) -> dict[str, str]:
        metadata = {"run_id": provenance.run_id, "schema_version": self.contract.version}
        if provenance.watermark is not None:
            metadata["watermark"] = provenance.watermark
        return metadata

    def has_file(self, source_file: str) -> bool:
        """Whether rows of this file have landed."""
        if not self.exists:
            return False
        found = tables.read(
            self._path, columns=["_source_file"], filters=[("_source_file", "==", source_file)]
        )
        return bool(found.num_rows)

    @property
    def _path(self) -> Any:
        return self.lake.table("raw", self.contract.name)

    def _read(self, columns: Sequence[str], since: Any) -> pa.Table:
        """The named columns; a column the stored table does not have yet reads as null."""
        schema = raw_schema(self.contract)
        wanted = pa.schema([schema.field(name) for name in columns])
        if not self.exists:
            return wanted.empty_table()
        filters = [(self.contract.cursor or "", ">=", since)] if since is not None else None
        stored = tables.read(self._path, filters=pc.scalar(False)).column_names
        found = tables.read(self._path, columns=[name for name in columns if name in stored], filters=filters)
        for field in wanted:
            if field.name not in stored:
                found = found.append_column(field, pa.nulls(found.num_rows, field.type))
        return found.select(list(columns))

    def stamped(self, rows: pa.Table, operation: str, provenance: Provenance) -> pa.Table:
        """Rows as they are stored: with operation, origin and row key."""
        schema = raw_schema(self.contract)
        count = rows.num_rows
        values: dict[str, Any] = {
            _OP: operation,
            "_extracted_at_utc": provenance.extracted_at_utc,
            _SEQUENCE: provenance.sequence,
            "_source_file": provenance.source_file,
            "_schema_version": self.contract.version,
        }
        columns: dict[str, Any] = {name: rows[name] for name in source_schema(self.contract).names}
        columns |= {
            name: pa.repeat(pa.scalar(v, schema.field(name).type), count) for name, v in values.items()
        }
        own_row = "_source_row" in rows.column_names
        columns["_source_row"] = rows["_source_row"] if own_row else pa.nulls(count, pa.int64())
        columns[_KEY] = row_keys(rows, self.contract.primary_key)
        return pa.table({field.name: columns[field.name] for field in schema}).cast(schema)


def row_keys(rows: pa.Table, primary_key: Sequence[str]) -> pa.ChunkedArray:
    """The key of each row as one string: its columns joined by `|`, with bars and backslashes escaped."""
    parts = [_escaped(pc.cast(rows[name], pa.string())) for name in primary_key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")


def _escaped(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Backslashes first; most keys have neither, and looking is cheaper than replacing."""
    for mark in ("\\", "|"):
        if pc.any(pc.match_substring(text, mark)).as_py():
            text = pc.replace_substring(text, mark, "\\" + mark)
    return text


def changed_rows(incoming: pa.Table, latest: pa.Table, contract: Contract) -> pa.Table:
    """The rows of `incoming` whose key is new, was deleted, or last had other values."""
    names = [column.name for column in contract.columns]
    primary_key = contract.primary_key
    new = pl.DataFrame(
        {
            "key": pl.Series(pl.from_arrow(row_keys(incoming, primary_key))),
            "hash": row_hashes(incoming, names),
        }
    )
    old = pl.DataFrame(
        {"key": _text(latest, _KEY), "old_hash": row_hashes(latest, names), "op": _text(latest, _OP)}
    )
    compared = new.with_row_index("row").join(old, on="key", how="left")
    different = (
        pl.col("old_hash").is_null() | (pl.col("hash") != pl.col("old_hash")) | (pl.col("op") == DELETE)
    )
    return incoming.take(compared.filter(different)["row"].sort().to_arrow())


def vanished_rows(live: pa.Table, keys: pa.ChunkedArray) -> pa.Table:
    """The rows of `live` whose key is not among `keys`."""
    return live.filter(pc.invert(pc.is_in(live[_KEY], keys.combine_chunks())))


def row_hashes(table: pa.Table, names: Sequence[str]) -> pl.Series:
    """A hash of each row's values in these columns; equal rows have equal ones, within one process."""
    frame = pl.from_arrow(table.select(list(names)))
    assert isinstance(frame, pl.DataFrame)
    return frame.hash_rows(seed=0)


def _text(table: pa.Table, name: str) -> pl.Series:
    return pl.Series(name, pl.from_arrow(table[name]), dtype=pl.String)
