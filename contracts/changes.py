"""What changed between two versions of a contract, how much it matters, and which version it demands.

A change is judged by who relies on the table: readers of stored rows and those who deliver or fill them in.
The classes are ordered; the worst one decides the next version (Semantic Versioning 2.0.0, items 6 to 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from contracts.documents import Place
from contracts.model import Contract


class ChangeClass(IntEnum):
    """How much a change matters; a higher one includes the lower."""

    NONE = 0
    DOCUMENTATION = 1  # words, and how the source is read: stored rows and their meaning stay
    ADDITION = 2  # something new that nobody has to know
    WIDENING = 3  # everything that was allowed still is, and more
    BREAKING = 4  # what was true of the table no longer is

    @property
    def label(self) -> str:
        """In both languages."""
        return _LABELS[self]

    @property
    def bump(self) -> str:
        """The part of the version that must grow: `patch`, `minor`, `major` or nothing."""
        return ("", "patch", "minor", "minor", "major")[self]


_LABELS = {
    ChangeClass.NONE: "无变化 none",
    ChangeClass.DOCUMENTATION: "仅说明 documentation",
    ChangeClass.ADDITION: "兼容新增 compatible addition",
    ChangeClass.WIDENING: "兼容放宽 widening",
    ChangeClass.BREAKING: "不兼容 breaking",
}


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes:
        kind: how much it matters.
        column: the column, or None where the table as a whole changed.
        aspect: what of it changed.
        before: as it was; empty where there was nothing.
        after: as it is; empty where there is nothing.
        is_in_old: whether only the old contract has the place (something was removed).
    """

    kind: ChangeClass
    column: str | None
    aspect: str
    before: str
    after: str
    is_in_old: bool = False

    def __str__(self) -> str:
        what = f"{self.column}.{self.aspect}" if self.column else self.aspect
        return f"{self.kind.label}: {what}: {self.before or '无 nothing'} → {self.after or '无 nothing'}"


def worst(changes: Iterable[Change]) -> ChangeClass:
    """The class of the whole: that of its gravest change."""
    return max((change.kind for change in changes), default=ChangeClass.NONE)


def demanded_version(released: str, kind: ChangeClass) -> str:
    """The least version that a change of this class demands after `released`."""
    major, minor, patch = version_parts(released)
    if kind.bump == "major":
        return f"{major + 1}.0.0"
    if kind.bump == "minor":
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}" if kind.bump else released


def version_parts(version: str) -> tuple[int, int, int]:
    """Major, minor and patch.

    Raises:
        ValueError: the text is no such version; the message says what one looks like.
    """
    parts = version.split("-")[0].split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        msg = f"version {version!r}: expected three numbers, as 1.4.0"
        raise ValueError(msg)
    major, minor, patch = map(int, parts)
    return major, minor, patch


def place_of(change: Change, contract: Contract) -> Place:
    """Where the change stands in the contract's file."""
    names = [column.name for column in contract.columns]
    if change.column in names:
        return ("schema", 0, "properties", names.index(change.column))
    return (change.aspect,) if change.aspect in {"version", "domain", "team"} else ("schema", 0)


def moved(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    """Names that both have, where their order differs."""
    ours = [name for name in old if name in new]
    theirs = [name for name in new if name in old]
    return (a for a, b in zip(ours, theirs, strict=True) if a != b)
