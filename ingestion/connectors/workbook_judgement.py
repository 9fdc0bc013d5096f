"""Rows of one workbook against the contract, against each other, and against what has landed before.

A row lands, is known already, or is quarantined with its reasons; nothing is dropped in silence. A result
that was reported before is superseded only with a reason and an author.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.arrow import source_schema
from contracts.checks import Rule, check
from contracts.model import Contract
from ingestion.change_log import row_keys
from ingestion.connectors.workbook_cells import CellFault
from ingestion.connectors.workbook_forms import SheetRow
from ingestion.connectors.workbook_rows import SUBMITTED_BY, JudgedRow, Reading, interpret
from ingestion.files.cells import shown

# What may differ between two reports of the same result without making it another result.
CORRECTION = ("correction_reason", "correction_author")
_NOT_THE_RESULT = {"result_text", SUBMITTED_BY, *CORRECTION}
_MOST_TOLD = 3
ALREADY_LANDED = CellFault(
    "此前已入库，内容相同，未重复入库", "landed before with the same content; not landed again"
)
REPEATED = CellFault(
    "与本文件前面的行相同，未重复入库", "the same as an earlier row of this file; not landed again"
)


@dataclass(frozen=True)
class Judgement:
    """What becomes of the rows of one workbook."""

    accepted: tuple[JudgedRow, ...]
    known: tuple[JudgedRow, ...]
    refused: tuple[JudgedRow, ...]


def judge(rows: Sequence[SheetRow], landed: pa.Table, reading: Reading) -> Judgement:
    """Sort the rows of a workbook.

    Args:
        rows: as written.
        landed: the present state of the table.
        reading: contract, words, registers and the time.
    """
    judged = [interpret(row, reading) for row in rows]
    _apply_contract(judged, reading.contract)
    _compare_within(judged, reading.contract)
    _compare_with_landed(judged, landed, reading.contract)
    return Judgement(
        accepted=tuple(row for row in judged if not row.faults and row.note is None),
        known=tuple(row for row in judged if not row.faults and row.note is not None),
        refused=tuple(row for row in judged if row.faults),
    )


def record_key(row: JudgedRow, contract: Contract) -> str | None:
    """The key of the record that a row would have been, or None where a part of it cannot be read."""
    parts = [row.values.get(name) for name in contract.primary_key]
    return "|".join(str(part) for part in parts) if all(parts) else None


def as_table(rows: Sequence[JudgedRow], contract: Contract) -> pa.Table:
    """The rows' values in the contract's schema, nulls allowed, so that checks can tell them."""
    fields = [field.with_nullable(True) for field in source_schema(contract)]
    return pa.table(
        {field.name: pa.array([row.values.get(field.name) for row in rows], field.type) for field in fields},
        schema=pa.schema(fields),
    )


def _apply_contract(judged: list[JudgedRow], contract: Contract) -> None:
    """Rules of the contract that need no other row; keys are compared with more care afterwards."""
    for violation in check(as_table(judged, contract), contract):
        # Emptiness is told where the cell is read, and a fault there leaves derived columns empty too.
        if violation.rule in {Rule.NULL, Rule.DUPLICATE_KEY}:
            continue
        column = contract.column(violation.column)
        for index in violation.rows:
            value = shown(str(judged[index].values[column.name]))
            judged[index].refuse(
                f"{column.label_zh}“{value}”不符合要求，应为{violation.expected_zh}",
                f"{column.label_en} {value!r} is not right; expected {violation.expected_en}",
                column.name,
            )


def _compare_within(judged: list[JudgedRow], contract: Contract) -> None:
    """The same key twice in one file: the same content is said once, different content is refused on both."""
    sound = [row for row in judged if not row.faults]
    groups: dict[str, list[JudgedRow]] = defaultdict(list)
    for key, row in zip(_keys(sound, contract), sound, strict=True):
        groups[key].append(row)
    for group in groups.values():
        if all(_same(group[0].values, row.values) for row in group):
            for row in group[1:]:
                row.note = REPEATED
            continue
        numbers = "、".join(str(row.row.row_number) for row in group)
        for row in group:
            row.refuse(
                f"同一主键在本文件第 {numbers} 行给出不同内容，无法判断取哪一个",
                f"rows {numbers} of this file give the same key different content; keep one",
            )


def _compare_with_landed(judged: list[JudgedRow], landed: pa.Table, contract: Contract) -> None:
    before = dict(zip(landed["_row_key"].to_pylist(), landed.to_pylist(), strict=True))
    sound = [row for row in judged if not row.faults and row.note is None]
    for key, row in zip(_keys(sound, contract), sound, strict=True):
        earlier = before.get(key)
        reason, author = (row.values.get(name) for name in CORRECTION)
        if bool(reason) != bool(author):
            row.refuse(
                "更正须同时填写更正原因和更正人",
                "a correction needs both its reason and its author",
                CORRECTION[bool(reason)],
            )
        elif earlier is None:
            continue
        elif _same(earlier, row.values):
            row.note = ALREADY_LANDED
        elif not reason:
            zh, en = _differences(earlier, row.values, contract)
            row.refuse(
                f"该记录已入库（{zh}），再次报送须填写更正原因和更正人",
                f"this record landed before ({en}); to report it again, "
                "give the reason and the author of the correction",
                CORRECTION[0],
            )


def _differences(earlier: dict[str, Any], now: dict[str, Any], contract: Contract) -> tuple[str, str]:
    """What landed and what is said now, for the first columns that differ."""
    names = [n for n in earlier if n in now and n not in _NOT_THE_RESULT and earlier[n] != now[n]]
    columns = [contract.column(name) for name in names[:_MOST_TOLD]]
    told = [(c, shown(str(earlier[c.name])), shown(str(now[c.name]))) for c in columns]
    zh = "；".join(f"{c.label_zh} {old} → {new}" for c, old, new in told)
    return zh, "; ".join(f"{c.label_en} {old} → {new}" for c, old, new in told)


def _keys(rows: Sequence[JudgedRow], contract: Contract) -> list[str]:
    return [str(key) for key in row_keys(as_table(rows, contract), contract.primary_key).to_pylist()]


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    names = (set(one) | set(other)) - _NOT_THE_RESULT
    names = {name for name in names if not name.startswith("_")}
    return all(one.get(name) == other.get(name) for name in names)
