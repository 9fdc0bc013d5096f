"""Queries with a parameter that a catalogue offers beside its views.

Each is a file with one `create macro schema.name(…) as table …`; its first line names the views it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import duckdb

_NEEDS = "-- needs "


@dataclass(frozen=True)
class TableMacro:
    """One of them.

    Attributes:
        statement: makes it.
        needs: the views it reads, as `schema.name`.
    """

    statement: str
    needs: frozenset[str]


def load_macros(folder: Path) -> tuple[TableMacro, ...]:
    """Those of a folder, by name.

    Raises:
        LakeError: a file does not begin by naming what it needs.
    """
    return tuple(_load(path) for path in sorted(folder.glob("*.sql")))


def create_macros(
    connection: duckdb.DuckDBPyConnection, macros: Sequence[TableMacro], views: Collection[str]
) -> None:
    """Make those of which every view is there."""
    for macro in macros:
        if macro.needs <= set(views):
            connection.execute(macro.statement)


def _load(path: Path) -> TableMacro:
    first, _, statement = path.read_text(encoding="utf-8").partition("\n")
    if not first.startswith(_NEEDS):
        msg = f"{path}: found {first!r}, expected a first line `{_NEEDS}schema.view, …`"
        raise LakeError(msg)
    return TableMacro(statement, frozenset(name.strip() for name in first.removeprefix(_NEEDS).split(",")))
