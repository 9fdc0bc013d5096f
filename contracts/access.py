"""Who may see which column: decided by its category and grade alone, by the roles of `lists/access.yml`.

A site may lay its own `access.yml` over the product's. What a column of a mart inherits from its sources is
worked out elsewhere; here it is a set of classes, and the strictest of them decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from contracts.documents import read_document
from contracts.errors import ContractError
from contracts.model import Column
from contracts.vocabulary import LISTS, category_scheme, grade_scheme

ACCESS_FILE = "access.yml"


class Treatment(IntEnum):
    """What a reader is given of a column; the higher, the stricter."""

    SHOW = 0
    MASK = 1
    HIDE = 2

    @property
    def label(self) -> str:
        """In both languages."""
        return ("显示 shown", "遮蔽 masked", "不可见 hidden")[self]


@dataclass(frozen=True, order=True)
class DataClass:
    """What 7.2.2 a asks of a column: its category and its grade, and whether it is about a person."""

    category: str
    grade: str
    is_personal: bool = False


class Role(BaseModel):
    """One kind of reader.

    Attributes:
        role_id: names the reader's catalogue, `readers/<role_id>.duckdb`.
        label_zh: in Chinese.
        label_en: in English.
        sees: by category, the highest grade that is shown; a category that is missing is hidden.
        personal: what becomes of personal data that the grade would show.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    role_id: str
    label_zh: str
    label_en: str
    sees: dict[str, str]
    personal: Literal["show", "mask", "hide"]

    @field_validator("sees")
    @classmethod
    def _values_exist(cls, value: dict[str, str]) -> dict[str, str]:
        categories, grades = category_scheme().values, grade_scheme().values
        for category, grade in value.items():
            if category not in categories or grade not in grades:
                msg = f"found {category}: {grade}, expected {list(categories)} with {list(grades)}"
                raise ValueError(msg)
        return value

    def treatment(self, classes: Iterable[DataClass]) -> Treatment:
        """What this role gets of a column of these classes; a column of none comes from no source."""
        return max(map(self._of_one, classes), default=Treatment.SHOW)

    def _of_one(self, found: DataClass) -> Treatment:
        if found.category not in self.sees:
            return Treatment.HIDE
        grades = list(grade_scheme().values)
        above = grades.index(found.grade) - grades.index(self.sees[found.category])
        by_grade = Treatment(min(max(above, Treatment.SHOW), Treatment.HIDE))
        return max(by_grade, Treatment[self.personal.upper()]) if found.is_personal else by_grade


class _AccessFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1]
    roles: tuple[Role, ...]


def class_of(column: Column) -> DataClass:
    """The class that a contract gives its column."""
    return DataClass(column.category, column.grade, column.is_personal)


def load_roles(site_dir: Path | None) -> tuple[Role, ...]:
    """The site's roles, else the product's.

    Raises:
        ContractError: the file is faulty; every fault with its line.
    """
    own = site_dir / ACCESS_FILE if site_dir is not None else None
    path = own if own is not None and own.is_file() else LISTS / ACCESS_FILE
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _load(path: Path, _mtime_ns: int) -> tuple[Role, ...]:
    document, faults = read_document(path)
    if document is None or faults:
        raise ContractError(faults)
    try:
        return _AccessFile.model_validate(document.content).roles
    except ValidationError as error:
        found = [document.fault(tuple(item["loc"]), item["msg"]) for item in error.errors()]
        raise ContractError(found) from error
