"""Which rows of the site's code mappings may not land: each is set aside with its line and its reason.

A mapping that is wrong gives every row with its code a wrong meaning, or two at once, so it is refused by
itself while the rest lands. What the same row said before, when it was right, stands until it is corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from contracts.vocabulary import code_types, units
from transforms.reference import read_reference

_FOREVER = date.max
_KEY = ("source_system", "code_type", "source_code", "valid_from_date")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RefusedMapping:
    """One mapping that may not land.

    Attributes:
        row: as read, with its line as `_source_row`.
        reason_zh: what was found, what was expected and what to do, in Chinese.
        reason_en: the same in English.
    """

    row: Row
    reason_zh: str
    reason_en: str

    @property
    def subject(self) -> str:
        """The mapping's key, which names it however often the file is read."""
        return "|".join(str(self.row[name]) for name in _KEY)

    @property
    def line(self) -> int:
        """The line of the file, from 1."""
        return int(self.row["_source_row"])


def key_of(row: Row) -> tuple[Any, ...]:
    """The key of a mapping."""
    return tuple(row[name] for name in _KEY)


def judge_mappings(rows: Sequence[Row], standing: Iterable[Row]) -> tuple[list[Row], list[RefusedMapping]]:
    """The mappings that may land, and those that may not.

    Rows whose key is incomplete are let pass: the contract stops the whole file for them.

    Args:
        rows: of the file, each with its line as `_source_row`.
        standing: the mappings that landed before; one of them stands in for a row that is refused by itself.
    """
    refused = [found for row in rows if (found := _refused_alone(row)) is not None]
    wrong = {key_of(found.row) for found in refused}
    before = [{**row, "_source_row": 0} for row in standing if key_of(row) in wrong]
    kept = [row for row in rows if key_of(row) not in wrong] + before
    overlapping = [*_overlapping(kept)]
    late = {key_of(found.row) for found in overlapping}
    return [row for row in kept if key_of(row) not in late], refused + overlapping


def _refused_alone(row: Row) -> RefusedMapping | None:
    if any(row[name] is None for name in _KEY):
        return None
    begins, ends, code_type, code = (
        row[name] for name in ("valid_from_date", "valid_to_date", "code_type", "standard_code")
    )
    if code_type not in code_types():
        known = ", ".join(code_types())
        return RefusedMapping(
            row,
            f"编码类型 {code_type} 不存在，应为 {known} 之一；请改正 code_type",
            f"found code type {code_type!r}, expected one of {known}; correct code_type",
        )
    if ends is not None and ends <= begins:
        return RefusedMapping(
            row,
            f"失效日期 {ends} 不晚于生效日期 {begins}；失效日期不含当日，应更晚或留空",
            f"found valid_to {ends} not after valid_from {begins}, expected a later day (excluded) or none",
        )
    known_codes = _standard_codes(code_type)
    if known_codes is not None and code not in known_codes[0]:
        _, zh, en = known_codes
        return RefusedMapping(
            row,
            f"统一编码 {code} 不存在，应为{zh}中的一个；请改正 standard_code",
            f"found standard code {code!r}, expected one of {en}; correct standard_code",
        )
    return None


def _standard_codes(code_type: str) -> tuple[frozenset[str], str, str] | None:
    """The standard codes of a type and where they are listed; none where the plant chooses them freely."""
    if code_type == "unit":
        return frozenset(units()), "单位表 contracts/lists/units.csv ", "contracts/lists/units.csv"
    if code_type == "pollutant":
        codes = frozenset(row["factor_code"] for row in read_reference("hj212_factors"))
        return codes, " HJ 212 因子表", "the HJ 212 factor codes"
    return None


def _overlapping(rows: Iterable[Row]) -> Iterable[RefusedMapping]:
    """Of two mappings of one code whose validity overlaps, the one that begins later."""
    whole = [row for row in rows if all(row[name] is not None for name in _KEY)]
    for _, group in groupby(sorted(whole, key=key_of), key=lambda row: key_of(row)[:-1]):
        last: Row | None = None
        for row in group:
            # The same first day twice is a key twice, for which the contract stops the whole file.
            if last is not None and last["valid_from_date"] < row["valid_from_date"] < _end(last):
                yield _overlap(row, last)
            else:
                last = row


def _end(row: Row) -> date:
    return row["valid_to_date"] or _FOREVER


def _overlap(row: Row, other: Row) -> RefusedMapping:
    begins, line = row["valid_from_date"], other["_source_row"]
    place_zh = f"第 {line} 行" if line else "此前已入库的映射"
    place_en = f"line {line}" if line else "the mapping that landed before"
    until_zh, until_en = other["valid_to_date"] or "长期", other["valid_to_date"] or "further notice"
    return RefusedMapping(
        row,
        f"与{place_zh}（{other['standard_code']}，{other['valid_from_date']} 至 {until_zh}）有效期重叠；"
        f"请将其失效日期改为 {begins}",
        f"overlaps {place_en} ({other['standard_code']!r}, from {other['valid_from_date']} to {until_en}), "
        f"expected one meaning a day; end that one with valid_to {begins}",
    )
