"""The good rows of one file against each other and against the lake: what lands, and what contradicts.

Not supported: files of a source's own change log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog, changed_rows, row_hashes, row_keys
from ingestion.connectors.workbook_cells import CellFault
from ingestion.files.judging import RefusedRecord
from ingestion.files.records import Record

MODES = (ExtractMode.MANUAL, ExtractMode.CURSOR, ExtractMode.SNAPSHOT_DIFF)


@dataclass(frozen=True)
class Settled:
    """Rows of a file, each key once, and the records whose key contradicts."""

    rows: pa.Table
    refused: tuple[RefusedRecord, ...]
    repeated: int


def settle(rows: pa.Table, contract: Contract) -> Settled:
    """Each key once: the same row again is one row; of different ones the latest where a cursor tells.

    Args:
        rows: contract columns and `_source_row`.
        contract: key, and cursor where it has one.
    """
    if not rows.num_rows:
        return Settled(rows, (), 0)
    names = [column.name for column in contract.columns]
    frame = pl.DataFrame(
        {
            "key": pl.Series(pl.from_arrow(row_keys(rows, contract.primary_key))),
            "hash": row_hashes(rows, names),
            "place": pl.Series(pl.from_arrow(rows["_source_row"])),
        }
    ).with_row_index("row")
    if contract.cursor is not None:
        newest = frame.with_columns(pl.Series("cursor", pl.from_arrow(rows[contract.cursor])))
        newest = newest.filter(pl.col("cursor") == pl.col("cursor").max().over("key"))
        frame = newest.drop("cursor")
    distinct = frame.group_by("key", "hash", maintain_order=True).first()
    count = pl.len().over("key")
    clear = distinct.filter(count == 1)["row"].sort()
    contrary = frame.filter(pl.col("hash").n_unique().over("key") > 1).sort("row")
    refused = [
        RefusedRecord(_record(rows, row, contract), (_contradiction(places),))
        for row, places in contrary.select("row", pl.col("place").implode().over("key")).iter_rows()
    ]
    return Settled(rows.take(clear.to_arrow()), tuple(refused), rows.num_rows - len(clear) - len(refused))


def new_rows(rows: pa.Table, log: ChangeLog) -> pa.Table:
    """The rows that the lake does not hold like that, and not more recent ones where a cursor tells."""
    contract = log.contract
    latest = log.latest()
    changed = changed_rows(rows, latest, contract)
    if contract.cursor is None or not latest.num_rows or not changed.num_rows:
        return changed
    present = pl.DataFrame(
        {
            "key": pl.Series(pl.from_arrow(latest["_row_key"])),
            "old": pl.Series(pl.from_arrow(latest[contract.cursor])),
        }
    )
    compared = (
        pl.DataFrame(
            {
                "key": pl.Series(pl.from_arrow(row_keys(changed, contract.primary_key))),
                "cursor": pl.Series(pl.from_arrow(changed[contract.cursor])),
            }
        )
        .with_row_index("row")
        .join(present, on="key", how="left", maintain_order="left")
    )
    late = pl.col("old").is_null() | (pl.col("cursor") >= pl.col("old"))
    return changed.take(compared.filter(late)["row"].sort().to_arrow())


def _record(rows: pa.Table, row: int, contract: Contract) -> Record:
    """The record that a row came from, as it was understood: its text is gone by now."""
    (found,) = rows.slice(row, 1).to_pylist()
    cells = tuple(found[column.name] for column in contract.columns)
    written = {column.source_name: cell for column, cell in zip(contract.columns, cells, strict=True)}
    return Record(found["_source_row"], cells, written)


def _contradiction(places: Sequence[int]) -> CellFault:
    zh, en = "、".join(map(str, places[:10])), ", ".join(map(str, places[:10]))
    return CellFault(
        f"同一主键在第 {zh} 行给出不同内容，无法判断取哪一个",
        f"rows {en} of this file give the same key different content; keep one",
    )
