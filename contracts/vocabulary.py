"""What a contract may name: units, code types, categories and grades, each from its one list in `lists/`.

The schemes behind category and grade are stated in `classification.yml` alone, with how sure we are of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

LISTS = Path(__file__).parent / "lists"


@dataclass(frozen=True)
class Unit:
    """One unit: what it measures, and the ending it gives a column's name."""

    unit_id: str
    suffix: str
    dimension: str
    label_zh: str
    label_en: str


@dataclass(frozen=True)
class Scheme:
    """One classification scheme and the document it comes from.

    Attributes:
        mark: `verified`, or `memory` where the document is still to be compared.
        values: what it distinguishes, with our English; grades lowest first.
    """

    label_zh: str
    label_en: str
    document: str
    title_zh: str
    title_en: str
    mark: str
    values: dict[str, str]


@lru_cache(maxsize=1)
def units() -> dict[str, Unit]:
    """Every unit a contract may name, by id."""
    with (LISTS / "units.csv").open(encoding="utf-8", newline="") as file:
        return {row["unit_id"]: Unit(**row) for row in csv.DictReader(file)}


@lru_cache(maxsize=1)
def code_types() -> dict[str, str]:
    """Every code type that source codes may be mapped by, with its label in both languages."""
    with (LISTS / "code_types.csv").open(encoding="utf-8", newline="") as file:
        return {row["code_type"]: f"{row['label_zh']} {row['label_en']}" for row in csv.DictReader(file)}


def category_scheme() -> Scheme:
    """The scheme of 分类."""
    return _scheme("category")


def grade_scheme() -> Scheme:
    """The scheme of 分级; its values are ordered, lowest first."""
    return _scheme("grade")


@lru_cache(maxsize=2)
def _scheme(name: str) -> Scheme:
    found = yaml.safe_load((LISTS / "classification.yml").read_text(encoding="utf-8"))[name]
    values = {item["value"]: item["label_en"] for item in found.pop("values")}
    return Scheme(**found, values=values)
