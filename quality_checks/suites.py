"""The rules of each gate, as data: nothing here runs anything or imports Great Expectations.

A report's exposure names its gate; a manual table's gate is made from its contract. Rules that need more than
one row, or a range by factor, read helper columns (leading `_`) that `frames.py` adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.model import Column, Contract

DATA_FLAGS = ("N", "F", "M", "S", "D", "C", "T", "B")  # HJ 212-2017 table 8


@dataclass(frozen=True)
class Rule:
    """One expectation: its Great Expectations class, its arguments, and how to say it to a person."""

    expectation: str
    arguments: Mapping[str, Any]
    text_zh: str
    text_en: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads, for the verdict."""
        found = [self.arguments.get(name) for name in ("column", "column_A", "column_B")]
        return tuple(name for name in (*found, *self.arguments.get("column_list", ())) if name)


@dataclass(frozen=True)
class Suite:
    """A gate: its name, the columns that name a row in an example, and its rules."""

    name: str
    label_zh: str
    label_en: str
    row_key: tuple[str, ...]
    rules: tuple[Rule, ...] = field(default=())


def not_null(column: str) -> Rule:
    """Every row has a value."""
    return Rule(
        "ExpectColumnValuesToNotBeNull",
        {"column": column},
        f"{column} 不得为空",
        f"{column} must have a value",
    )


def unique(columns: tuple[str, ...]) -> Rule:
    """No two rows share the key."""
    listed = ", ".join(columns)
    texts = (f"({listed}) 不得重复", f"({listed}) must be unique")
    if len(columns) == 1:
        return Rule("ExpectColumnValuesToBeUnique", {"column": columns[0]}, *texts)
    return Rule("ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)}, *texts)


def in_set(column: str, values: tuple[Any, ...]) -> Rule:
    """Every value is one of those listed."""
    listed = "/".join(map(str, values))
    arguments = {"column": column, "value_set": list(values)}
    return Rule(
        "ExpectColumnValuesToBeInSet",
        arguments,
        f"{column} 只能是 {listed}",
        f"{column} must be one of {listed}",
    )


def matches(column: str, pattern: str, meaning_zh: str, meaning_en: str) -> Rule:
    """Every value has the given form."""
    arguments = {"column": column, "regex": pattern}
    return Rule(
        "ExpectColumnValuesToMatchRegex",
        arguments,
        f"{column} 应为{meaning_zh}",
        f"{column} must be {meaning_en}",
    )


def between(column: str, low: float | None, high: float | None) -> Rule:
    """Every number lies within the bounds; either may be open."""
    arguments = {"column": column, "min_value": low, "max_value": high}
    text = f"{'-∞' if low is None else low} … {'∞' if high is None else high}"
    return Rule(
        "ExpectColumnValuesToBeBetween",
        arguments,
        f"{column} 应在 {text}",
        f"{column} must lie within {text}",
    )


def not_below(upper: str, lower: str, text_zh: str, text_en: str) -> Rule:
    """Column `upper` is at least column `lower` wherever both have a value."""
    arguments = {
        "column_A": upper,
        "column_B": lower,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    return Rule("ExpectColumnPairValuesAToBeGreaterThanB", arguments, text_zh, text_en)


def holds(column: str, text_zh: str, text_en: str) -> Rule:
    """A helper column of truth values is true in every row."""
    return Rule("ExpectColumnValuesToBeInSet", {"column": column, "value_set": [True]}, text_zh, text_en)


_PLAUSIBLE = (
    not_below(
        "avg_value", "_range_low", "均值低于该因子的合理下限", "average below the factor's plausible range"
    ),
    not_below(
        "_range_high", "avg_value", "均值高于该因子的合理上限", "average above the factor's plausible range"
    ),
)
_COMPLETE = holds(
    "_is_complete", "该排口本时段缺少应报因子", "a factor that this outlet reports is missing from the period"
)
_CONVERTED = holds(
    "_has_converted",
    "有效的折算因子缺少折算值",
    "a valid value that must be converted to reference oxygen is not",
)
_HJ212_KEY = ("outlet_id", "factor_code", "period_start_utc")
_HJ212_RULES = (
    *(
        not_null(name)
        for name in ("outlet_id", "mn", "st_code", "factor_code", "period_start_utc", "plant_date")
    ),
    *(not_null(name) for name in ("unit", "data_flag", "is_valid")),
    unique(_HJ212_KEY),
    matches(
        "mn", r"^[0-9A-F]{24}$", "24 位 0–9、A–F（HJ 212 表 3）", "24 characters 0–9, A–F (HJ 212 table 3)"
    ),
    in_set("st_code", ("31", "32")),
    in_set("data_flag", DATA_FLAGS),
    holds("_valid_has_value", "有效时段缺少均值", "a valid period has no average"),
    *_PLAUSIBLE,
    not_below("avg_value", "min_value", "均值低于最小值", "average below the minimum"),
    not_below("max_value", "avg_value", "均值高于最大值", "average above the maximum"),
    _CONVERTED,
    _COMPLETE,
)
_PARK_KEY = ("outlet_id", "factor_code", "period_start_utc")
_PARK_RULES = (
    *(not_null(name) for name in ("outlet_id", "outlet_name_zh", "factor_code", "factor_name_zh")),
    *(not_null(name) for name in ("period_start_utc", "plant_date", "unit", "data_flag")),
    unique(_PARK_KEY),
    in_set("data_flag", DATA_FLAGS),
    between("emission_kg", 0, None),
    *_PLAUSIBLE,
    holds(
        "_limit_is_named",
        "有限值而缺少标准名称或编号",
        "a limit is given without its standard's name or number",
    ),
    holds("_exceedance_agrees", "超标判定与限值不符", "is_exceeded contradicts the value and its limit"),
    _COMPLETE,
)

REPORT_SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("hj212_periods", "HJ 212 时段数据", "HJ 212 period values", _HJ212_KEY, _HJ212_RULES),
        Suite("park_outlet_hourly", "园区小时报告", "park hourly report", _PARK_KEY, _PARK_RULES),
    )
}


def manual_suite(contract: Contract) -> Suite:
    """The gate on a manual table, made from its contract: key, required columns, codes, ranges, forms."""
    rules = [not_null(column.name) for column in contract.columns if column.required]
    rules.append(unique(contract.primary_key))
    for column in contract.columns:
        rules += _column_rules(column)
    return Suite(
        f"manual_{contract.name}", contract.label_zh, contract.label_en, contract.primary_key, tuple(rules)
    )


def _column_rules(column: Column) -> list[Rule]:
    rules = []
    if column.codes:
        rules.append(in_set(column.name, tuple(code.value for code in column.codes)))
    if column.minimum is not None or column.maximum is not None:
        rules.append(between(column.name, column.minimum, column.maximum))
    if column.pattern is not None:
        rules.append(
            matches(column.name, column.pattern, f"符合 {column.pattern}", f"of the form {column.pattern}")
        )
    return rules
