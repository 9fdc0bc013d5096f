"""An Arrow table against its contract: every violation, with the rows that break it.

A violation is blocking where the table cannot be used as the contract says (columns, types, keys); a value
out of its list or range lands and is told. Rows of a change log may repeat a key in different extracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import arrow_type, bookkeeping
from contracts.model import Column, Contract, ExtractMode

_EXAMPLES = 3
_SEQUENCE = "_extract_sequence"


class Rule(StrEnum):
    """What a table must keep to."""

    MISSING_COLUMN = "missing_column"
    EXTRA_COLUMN = "extra_column"
    TYPE = "type"
    NULL = "null"
    DUPLICATE_KEY = "duplicate_key"
    CODE = "code"
    RANGE = "range"
    PATTERN = "pattern"


_LANDS_ANYWAY = {Rule.EXTRA_COLUMN, Rule.CODE, Rule.RANGE, Rule.PATTERN}


@dataclass(frozen=True)
class Violation:
    """One rule broken by one column; `rows` are the indices of the rows that break it."""

    rule: Rule
    column: str
    found: str
    expected_zh: str
    expected_en: str
    rows: tuple[int, ...] = ()

    @property
    def is_blocking(self) -> bool:
        """Whether the table cannot be used as the contract says."""
        return self.rule not in _LANDS_ANYWAY

    def __str__(self) -> str:
        where = f" in {len(self.rows)} row(s)" if self.rows else ""
        return f"{self.column}: found {self.found}{where}, expected {self.expected_en}"


def check(table: pa.Table, contract: Contract) -> tuple[Violation, ...]:
    """Every violation of `contract` by `table`, which has our column names, with or without bookkeeping."""
    violations = [*check_rows(table, contract)]
    wrong = {violation.column for violation in violations if violation.rule is not Rule.EXTRA_COLUMN}
    if not wrong & set(contract.primary_key) and contract.mode is not ExtractMode.STREAM:
        violations += _key_violations(table, contract)
    return tuple(violations)


def check_rows(table: pa.Table, contract: Contract) -> tuple[Violation, ...]:
    """The violations that a part of a table shows by itself: all but keys that come twice."""
    violations = [*_column_violations(table, contract)]
    wrong = {violation.column for violation in violations if violation.rule is not Rule.EXTRA_COLUMN}
    sound = [column for column in contract.columns if column.name not in wrong]
    for column in sound:
        violations += _value_violations(table.column(column.name), column)
    return tuple(violations)


def _column_violations(table: pa.Table, contract: Contract) -> Iterator[Violation]:
    declared = {column.name: column for column in contract.columns}
    ours = {field.name for field in bookkeeping(contract)}
    for name in table.column_names:
        if name not in declared and name not in ours:
            text = f"type {table.schema.field(name).type}"
            yield Violation(Rule.EXTRA_COLUMN, name, text, "合同中没有该列", "no such column in the contract")
    for name, column in declared.items():
        expected = arrow_type(column)
        if name not in table.column_names:
            yield Violation(
                Rule.MISSING_COLUMN, name, "no column", f"类型为 {expected} 的列", f"type {expected}"
            )
        elif table.schema.field(name).type != expected:
            found = f"type {table.schema.field(name).type}"
            yield Violation(Rule.TYPE, name, found, f"类型 {expected}", f"type {expected}")


def _value_violations(values: pa.ChunkedArray, column: Column) -> Iterator[Violation]:
    if column.required:
        yield from _violation(Rule.NULL, column, values, pc.is_null(values), "必填", "a value")
    rules: list[tuple[Rule, Callable[[], pa.ChunkedArray], str, str]] = []
    if column.codes:
        listed = ", ".join(f"{code.value!s} {code.label_zh}" for code in column.codes)
        listed_en = ", ".join(f"{code.value!s} ({code.label_en})" for code in column.codes)
        allowed = pa.array([code.value for code in column.codes], type=values.type)
        rules.append((Rule.CODE, lambda: pc.invert(pc.is_in(values, allowed)), f"代码：{listed}", listed_en))
    if column.minimum is not None or column.maximum is not None:
        rules.append((Rule.RANGE, lambda: _outside(values, column), *_range_words(column)))
    if column.pattern is not None:
        pattern = column.pattern
        rules.append(
            (
                Rule.PATTERN,
                lambda: pc.invert(pc.match_substring_regex(values, pattern)),
                f"格式 {pattern}",
                f"text that matches {pattern}",
            )
        )
    for rule, broken, expected_zh, expected_en in rules:
        mask = pc.and_(pc.is_valid(values), pc.fill_null(broken(), fill_value=False))
        yield from _violation(rule, column, values, mask, expected_zh, expected_en)


def _outside(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    numbers = pc.cast(values, pa.float64())
    low = pc.less(numbers, column.minimum if column.minimum is not None else float("-inf"))
    high = pc.greater(numbers, column.maximum if column.maximum is not None else float("inf"))
    return pc.or_(pc.or_(low, high), pc.is_nan(numbers))


def _range_words(column: Column) -> tuple[str, str]:
    unit = f" {column.unit}" if column.unit and column.unit != "1" else ""
    if column.maximum is None:
        return f"不小于 {column.minimum:g}{unit}", f"at least {column.minimum:g}{unit}"
    if column.minimum is None:
        return f"不大于 {column.maximum:g}{unit}", f"at most {column.maximum:g}{unit}"
    words = f"{column.minimum:g} … {column.maximum:g}{unit}"
    return f"范围 {words}", words


def _key_violations(table: pa.Table, contract: Contract) -> Iterator[Violation]:
    names = [*contract.primary_key, *([_SEQUENCE] if _SEQUENCE in table.column_names else [])]
    if table.select(names).group_by(names).aggregate([]).num_rows == table.num_rows:
        return
    keys = table.select(names).append_column("__row", pa.array(range(table.num_rows), pa.int64()))
    groups = keys.group_by(names).aggregate([("__row", "count"), ("__row", "min")])
    repeated = groups.filter(pc.greater(groups.column("__row_count"), 1)).drop_columns("__row_count")
    if repeated.num_rows == 0:
        return
    joined = keys.join(repeated, names, join_type="inner")
    later = joined.filter(pc.not_equal(joined.column("__row"), joined.column("__row_min")))
    rows = tuple(sorted(later.column("__row").to_pylist()))
    label = ", ".join(contract.primary_key)
    example = [
        str(value)
        for value in repeated.select(list(contract.primary_key)).slice(0, 1).to_pylist()[0].values()
    ]
    yield Violation(Rule.DUPLICATE_KEY, label, " / ".join(example), "主键不重复", "each key once", rows)


def _violation(
    rule: Rule,
    column: Column,
    values: pa.ChunkedArray,
    mask: pa.ChunkedArray,
    expected_zh: str,
    expected_en: str,
) -> Iterator[Violation]:
    rows = tuple(pc.indices_nonzero(mask).to_pylist())
    if rows:
        examples = values.take(rows[:_EXAMPLES]).to_pylist()
        found = "no value" if rule is Rule.NULL else ", ".join(repr(value) for value in examples)
        yield Violation(rule, column.name, found, expected_zh, expected_en, rows)
