"""The coverage register: which clause of DB32/T 4765—2024 is done, by which assets, shown by which tests.

`docs/coverage.yml` claims; here the claims are read, and held against the assets and tests that exist.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

REPOSITORY = Path(__file__).parents[1]
REGISTER = REPOSITORY / "docs" / "coverage.yml"


class CoverageError(ValueError):
    """The register cannot be read, or claims what does not exist."""


class Bilingual(BaseModel):
    """One text in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Entry(BaseModel):
    """One clause: what of it works, and what shows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: str
    title: Bilingual
    status: Literal["done", "partial", "open"]
    assets: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    note: Bilingual | None = None

    @model_validator(mode="after")
    def _claims_are_shown(self) -> Self:
        if self.status != "open" and not (self.assets and self.tests):
            msg = f"clause {self.clause} is {self.status}: name an asset and a test, or call it open"
            raise ValueError(msg)
        return self


def read_register(path: Path = REGISTER) -> list[Entry]:
    """The entries of the register, in its order.

    Raises:
        CoverageError: the file is missing or an entry is wrong; each fault is named.
    """
    if not path.is_file():
        msg = f"{path}: the coverage register is missing"
        raise CoverageError(msg)
    try:
        entries = TypeAdapter(list[Entry]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        msg = f"{path}: {faults}"
        raise CoverageError(msg) from error
    clauses = [entry.clause for entry in entries]
    repeated = sorted({clause for clause in clauses if clauses.count(clause) > 1})
    if repeated:
        msg = f"{path}: clauses stand twice: {', '.join(repeated)}; merge their entries"
        raise CoverageError(msg)
    return entries


def missing_names(entries: Collection[Entry], asset_keys: Collection[str]) -> list[str]:
    """One sentence for each named asset or test that does not exist.

    Args:
        entries: the register.
        asset_keys: the assets there are, as `layer/table`.
    """
    faults = []
    for entry in entries:
        faults += [
            f"clause {entry.clause}: no asset {name!r}" for name in entry.assets if name not in asset_keys
        ]
        faults += [f"clause {entry.clause}: no test {name!r}" for name in entry.tests if not has_test(name)]
    return faults


def has_test(name: str, root: Path = REPOSITORY) -> bool:
    """Whether `path/to/test_file.py::test_name` (or the file alone) is there."""
    file, _, function = name.partition("::")
    path = root / file
    return path.is_file() and (not function or function in _functions(path))


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
