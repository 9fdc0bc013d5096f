"""One property of the standard → one `Column`, with every fault of it noted."""

from __future__ import annotations

from typing import Any, get_args

from open_data_contract_standard.model import SchemaProperty

from contracts.documents import Place
from contracts.fields import (
    CATEGORY_ENGLISH,
    CATEGORY_LABELS,
    COLUMN_PROPERTIES,
    GRADES,
    FaultList,
    chinese_label,
    code_label_zh,
    custom_properties,
)
from contracts.model import Code, Column, LogicalType
from contracts.naming import name_faults, vocabulary_faults
from contracts.placeholders import is_placeholder

_TYPES = get_args(LogicalType)
_NUMERIC = {"integer", "number"}


def read_column(found: SchemaProperty, table_category: str, place: Place, problems: FaultList) -> Column:
    """The column that `found` describes; what is wrong with it is noted in `problems`."""
    properties = custom_properties(found.customProperties, COLUMN_PROPERTIES, place, problems)
    options = found.logicalTypeOptions or {}
    column = Column(
        name=found.name or "",
        logical_type=_logical_type(found, place, problems),
        label_zh=chinese_label(found, place, problems),
        label_en=problems.required(
            found.businessName, (*place, "businessName"), f"{found.name}: English label"
        ),
        description=found.description or "",
        grade=_grade(found, place, problems),
        category=properties.get("category", table_category),
        source_name=found.physicalName or found.name or "",
        source_type=found.physicalType,
        required=bool(found.required),
        key_position=found.primaryKeyPosition if found.primaryKey else None,
        partition_position=found.partitionKeyPosition if found.partitioned else None,
        unit=properties.get("unit"),
        unit_column=properties.get("unitColumn"),
        code_type=properties.get("codeType"),
        codes=_codes(found, place, problems),
        minimum=_bound(options, "minimum"),
        maximum=_bound(options, "maximum"),
        pattern=options.get("pattern"),
        source_format=options.get("format"),
        source_zone=options.get("defaultTimezone"),
        is_personal=properties.get("personal", False),
        references=properties.get("references"),
        is_derived=properties.get("derived", False),
    )
    _check_column(column, found, table_category, place, problems)
    return column


def _logical_type(found: SchemaProperty, place: Place, problems: FaultList) -> Any:
    if found.logicalType not in _TYPES:
        problems.add(
            place, f"{found.name}: logicalType: expected one of {list(_TYPES)}, found {found.logicalType!r}"
        )
        return "string"
    return found.logicalType


def _grade(found: SchemaProperty, place: Place, problems: FaultList) -> str:
    if found.classification not in GRADES and not is_placeholder(found.classification):
        problems.add(
            (*place, "classification"),
            f"{found.name}: classification: expected one of {list(GRADES)} (7.2.2 a), "
            f"found {found.classification!r}",
        )
    return found.classification or ""


def _codes(found: SchemaProperty, place: Place, problems: FaultList) -> tuple[Code, ...]:
    codes = []
    for index, code in enumerate(found.enum or []):
        here = (*place, "enum", index)
        label_zh = code_label_zh(code, here, problems)
        if not label_zh or not code.label:
            problems.add(
                here, f"{found.name}: code {code.value!r} needs label (English) and customProperty labelZh"
            )
        codes.append(Code(code.value, label_zh, code.label or ""))  # type: ignore[arg-type]
    return tuple(codes)


def _bound(options: dict[str, Any], name: str) -> float | None:
    value = options.get(name)
    return float(value) if isinstance(value, int | float) else None


def _check_column(
    column: Column, found: SchemaProperty, table_category: str, place: Place, problems: FaultList
) -> None:
    # The category of the table is told once, not again at each column that takes it over.
    is_own = column.category != table_category and not is_placeholder(column.category)
    if is_own and column.category not in CATEGORY_ENGLISH:
        problems.add(
            place, f"{column.name}: category: expected one of {CATEGORY_LABELS}, found {column.category!r}"
        )
    if column.logical_type in _NUMERIC and (column.unit is None) == (column.unit_column is None):
        problems.add(
            place,
            f"{column.name}: a number needs either customProperty unit ('1' for a count) or unitColumn",
        )
    if column.logical_type not in _NUMERIC and (column.unit or column.unit_column):
        problems.add(place, f"{column.name}: only numbers have a unit, this is a {column.logical_type}")
    for message in (*name_faults(column), *vocabulary_faults(column)):
        problems.add(place, message)
    if found.primaryKey and found.primaryKeyPosition is None:
        problems.add(place, f"{column.name}: a key column needs primaryKeyPosition")
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        problems.add(place, f"{column.name}: minimum {column.minimum} is above maximum {column.maximum}")
