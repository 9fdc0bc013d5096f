"""Our additions to the standard: the custom properties, their values, and how a fault in one is noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from open_data_contract_standard.model import CustomProperty, EnumValue, SchemaObject, SchemaProperty

from contracts.documents import Document, Place
from contracts.errors import Fault
from contracts.vocabulary import category_scheme, grade_scheme

GRADES = grade_scheme().values
CATEGORY_ENGLISH = category_scheme().values
CATEGORY_LABELS = ", ".join(f"{name} ({english})" for name, english in CATEGORY_ENGLISH.items())
PERIOD_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

TABLE_PROPERTIES: dict[str, type] = {
    "extractMode": str,
    "cursorColumn": str,
    "cursorOverlap": int,
    "operationColumn": str,
    "deleteCodes": list,
    "leastShare": float,
    "massBalanceTolerancePct": float,
}
COLUMN_PROPERTIES: dict[str, type] = {
    "unit": str,
    "unitColumn": str,
    "codeType": str,
    "category": str,
    "personal": bool,
    "derived": bool,
    "references": str,
}


@dataclass
class FaultList:
    """Faults of one document as they are found."""

    document: Document
    faults: list[Fault] = field(default_factory=list)

    def add(self, place: Place, message: str) -> None:
        """Note a fault at `place`."""
        self.faults.append(self.document.fault(place, message))

    def required(self, value: str | None, place: Place, what: str) -> str:
        """`value`, or a fault saying that `what` is missing."""
        if not value:
            self.add(place, f"{place[-1]}: {what} is missing")
        return value or ""


def chinese_label(element: SchemaObject | SchemaProperty, place: Place, problems: FaultList) -> str:
    """The synonym of locale zh-CN; its absence is a fault."""
    for synonym in element.synonyms or []:
        if synonym.locale == "zh-CN" and synonym.synonym:
            return synonym.synonym
    problems.add(place, f"{element.name}: no Chinese label; add synonyms: [{{synonym: …, locale: zh-CN}}]")
    return ""


def code_label_zh(code: EnumValue, place: Place, problems: FaultList) -> str:
    """The custom property labelZh of a code; its absence is a fault."""
    return str(custom_properties(code.customProperties, {"labelZh": str}, place, problems).get("labelZh", ""))


def custom_properties(
    found: list[CustomProperty] | None, known: dict[str, type], place: Place, problems: FaultList
) -> dict[str, Any]:
    """Custom properties by name; an unknown name, a repeated name or a value of another type is a fault."""
    values: dict[str, Any] = {}
    for index, item in enumerate(found or []):
        here = (*place, "customProperties", index)
        name = item.property or ""
        if name not in known:
            problems.add(here, f"unknown customProperty {name!r}; known here: {sorted(known)}")
        elif name in values:
            problems.add(here, f"customProperty {name!r} is written twice")
        elif not isinstance(item.value, known[name]):
            expected = known[name].__name__
            problems.add(here, f"customProperty {name}: expected {expected}, found {item.value!r}")
        else:
            values[name] = item.value
    return values
