"""Two versions of one contract → every change, each with its class. The rules, a line a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from contracts.arrow import arrow_type
from contracts.changes import Change, ChangeClass, moved
from contracts.fields import GRADES
from contracts.model import Column, Contract

_DOCUMENTATION, _ADDITION = ChangeClass.DOCUMENTATION, ChangeClass.ADDITION
_WIDENING, _BREAKING = ChangeClass.WIDENING, ChangeClass.BREAKING
_GRADE_ORDER = {name: position for position, name in enumerate(GRADES)}
_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}

# What only tells, or says how the source is read: stored rows stay what they are.
_TABLE_WORDS = (
    "label_zh", "label_en", "description", "grain", "owner", "source_name", "overlap", "cursor", "operation",
    "delete_codes", "least_share", "mass_balance_tolerance_pct",
)  # fmt: skip
_COLUMN_WORDS = ("label_zh", "label_en", "description", "source_name", "source_type")


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every change from `old` to `new`, the gravest first; the version itself is none."""
    found = [*_table_changes(old, new), *_column_set_changes(old, new)]
    before = {column.name: column for column in old.columns}
    for column in new.columns:
        if column.name in before:
            found += _column_changes(before[column.name], column)
    return tuple(sorted(found, key=lambda change: -change.kind))


def compare_schemas(stored: pa.Schema, declared: pa.Schema) -> tuple[Change, ...]:
    """Every change from the schema a table has to the schema it should have, the gravest first."""
    found = []
    for field in stored:
        if field.name not in declared.names:
            found.append(Change(_BREAKING, field.name, "column", str(field.type), "", is_in_old=True))
    for field in declared:
        if field.name not in stored.names:
            what = f"{field.type}{'' if field.nullable else ', required'}"
            found.append(Change(_ADDITION if field.nullable else _BREAKING, field.name, "column", "", what))
            continue
        before = stored.field(field.name)
        kind = _WIDENING if widens(before.type, field.type) else _BREAKING
        found += _if_changed(kind, field.name, "type", before.type, field.type)
        kind = _WIDENING if field.nullable else _BREAKING
        found += _if_changed(kind, field.name, "required", not before.nullable, not field.nullable)
    return tuple(sorted(found, key=lambda change: -change.kind))


def widens(old: pa.DataType, new: pa.DataType) -> bool:
    """Whether every value of the old type is exactly a value of the new one."""
    if pa.types.is_integer(old):
        return _holds_integers(old, new)
    if pa.types.is_floating(old):
        return bool(pa.types.is_floating(new) and new.bit_width >= old.bit_width)
    if pa.types.is_decimal(old) and pa.types.is_decimal(new):
        whole = new.precision - new.scale >= old.precision - old.scale
        return bool(new.scale >= old.scale and whole)
    return bool(old == new)


def _holds_integers(old: pa.DataType, new: pa.DataType) -> bool:
    if pa.types.is_integer(new):
        return bool(new.bit_width >= old.bit_width)
    if pa.types.is_decimal(new):
        return bool(new.precision - new.scale >= _INTEGER_DIGITS[old.bit_width])
    # A double holds integers of 53 bits exactly, a float of 24.
    exact = {32: 16, 64: 32}.get(new.bit_width, 0) if pa.types.is_floating(new) else 0
    return bool(old.bit_width <= exact)


def _table_changes(old: Contract, new: Contract) -> Iterator[Change]:
    for name in _TABLE_WORDS:
        yield from _if_changed(_DOCUMENTATION, None, name, getattr(old, name), getattr(new, name))
    yield from _if_changed(_DOCUMENTATION, None, "clauses", ", ".join(old.clauses), ", ".join(new.clauses))
    yield from _if_changed(_BREAKING, None, "domain", old.category, new.category)
    yield from _if_changed(_BREAKING, None, "primaryKey", old.primary_key, new.primary_key)
    yield from _if_changed(_BREAKING, None, "partition", old.partition_by, new.partition_by)
    streams = "stream" in {old.mode.value, new.mode.value}
    yield from _if_changed(_BREAKING if streams else _WIDENING, None, "extractMode", old.mode, new.mode)
    # A promise kept better is news to nobody; one kept worse breaks who relied on it.
    kind = _ADDITION if new.cadence_s <= old.cadence_s else _BREAKING
    yield from _if_changed(kind, None, "frequency", f"{old.cadence_s} s", f"{new.cadence_s} s")
    kind = _ADDITION if new.retention_days >= old.retention_days else _BREAKING
    yield from _if_changed(kind, None, "retention", f"{old.retention_days} d", f"{new.retention_days} d")


def _column_set_changes(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = {c.name for c in old.columns}, {c.name for c in new.columns}
    for column in old.columns:
        if column.name not in after:
            yield Change(_BREAKING, column.name, "column", str(arrow_type(column)), "", is_in_old=True)
    for column in new.columns:
        if column.name not in before:
            what = f"{arrow_type(column)}{', required' if column.required else ''}"
            yield Change(_BREAKING if column.required else _ADDITION, column.name, "column", "", what)
    order = moved(tuple(c.name for c in old.columns), tuple(c.name for c in new.columns))
    for name in list(order)[:1]:
        yield Change(_DOCUMENTATION, name, "position", "another", "this one")


def _column_changes(old: Column, new: Column) -> Iterator[Change]:
    name = new.name
    for word in _COLUMN_WORDS:
        yield from _if_changed(_DOCUMENTATION, name, word, getattr(old, word), getattr(new, word))
    before, after = arrow_type(old), arrow_type(new)
    yield from _if_changed(_WIDENING if widens(before, after) else _BREAKING, name, "type", before, after)
    kind = _BREAKING if new.required else _WIDENING
    yield from _if_changed(kind, name, "required", old.required, new.required)
    for rule in ("unit", "unit_column", "source_zone"):
        yield from _if_changed(_BREAKING, name, rule, getattr(old, rule), getattr(new, rule))
    yield from _class_changes(old, new)
    yield from _value_changes(old, new)
    for rule in ("code_type", "references", "is_derived"):
        yield from _if_changed(_WIDENING, name, rule, getattr(old, rule), getattr(new, rule))


def _class_changes(old: Column, new: Column) -> Iterator[Change]:
    """Category, grade and personal data decide who sees the column: to see less breaks a reader."""
    raised = _GRADE_ORDER.get(new.grade, 0) > _GRADE_ORDER.get(old.grade, 0)
    kind = _BREAKING if raised else _WIDENING
    yield from _if_changed(kind, new.name, "classification", old.grade, new.grade)
    yield from _if_changed(_BREAKING, new.name, "category", old.category, new.category)
    kind = _BREAKING if new.is_personal else _WIDENING
    yield from _if_changed(kind, new.name, "personal", old.is_personal, new.is_personal)


def _value_changes(old: Column, new: Column) -> Iterator[Change]:
    """Code list, range and pattern: to allow more is a widening, to allow less breaks who delivers."""
    before, after = {c.value: c for c in old.codes}, {c.value: c for c in new.codes}
    if bool(before) != bool(after):
        kind = _BREAKING if after else _WIDENING
        yield Change(kind, new.name, "enum", _listed(list(before)), _listed(list(after)))
    else:
        for value in (value for value in before if value not in after):
            yield Change(_BREAKING, new.name, "enum", str(value), "")
        for value in (value for value in after if value not in before):
            yield Change(_WIDENING, new.name, "enum", "", str(value))
        for value in (value for value in before if value in after and before[value] != after[value]):
            was, now = (f"{code.label_zh} {code.label_en}" for code in (before[value], after[value]))
            yield Change(_DOCUMENTATION, new.name, f"enum {value!s}", was, now)
    low, high = float("-inf"), float("inf")
    kind = _WIDENING if _or(new.minimum, low) <= _or(old.minimum, low) else _BREAKING
    yield from _if_changed(kind, new.name, "minimum", old.minimum, new.minimum)
    kind = _WIDENING if _or(new.maximum, high) >= _or(old.maximum, high) else _BREAKING
    yield from _if_changed(kind, new.name, "maximum", old.maximum, new.maximum)
    kind = _WIDENING if new.pattern is None else _BREAKING
    yield from _if_changed(kind, new.name, "pattern", old.pattern, new.pattern)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))


def _if_changed(kind: ChangeClass, column: str | None, aspect: str, old: Any, new: Any) -> Iterator[Change]:
    if old != new:
        yield Change(kind, column, aspect, _said(old), _said(new))


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return _listed(list(value))
    return "" if value is None else str(value)
