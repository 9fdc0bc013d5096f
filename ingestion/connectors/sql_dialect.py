"""What one kind of database says differently: quoting, types, cursor values, paging, its catalogue.

A dialect only makes and compares text and never connects, so that every statement that would be sent can be
tested without a server. Contracts write a column's type in SQL's own words (`numeric(12,3)`, `timestamptz`);
a dialect knows which types of its catalogue mean the same.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import pyarrow as pa

from contracts.arrow import arrow_type
from contracts.model import Column
from ingestion.connectors.conversion import EPOCH_MS, convert

_TYPE = re.compile(r"^\s*([a-z ]+?)\s*(?:\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\))?\s*$", re.IGNORECASE)
_SYNONYMS = {
    "character": "char",
    "character varying": "varchar",
    "int": "integer",
    "decimal": "numeric",
    "double": "double precision",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}


@dataclass(frozen=True)
class SourceType:
    """A type in SQL's own words with its arguments, as a contract or a catalogue states it."""

    name: str
    precision: int | None = None
    scale: int | None = None

    @classmethod
    def parse(cls, text: str) -> SourceType:
        """The type of a text such as `numeric(12, 3)`; a text of another shape is a name of its own."""
        found = _TYPE.match(text)
        if found is None:
            return cls(text)
        name, precision, scale = found.groups()
        lower = name.lower()
        return cls(
            _SYNONYMS.get(lower, lower),
            int(precision) if precision else None,
            int(scale) if scale else (0 if precision else None),
        )


class Dialect(ABC):
    """One kind of database.

    Attributes:
        name: for people.
        schemes: of the URLs that mean this database.
        extra: the optional dependency that brings its driver; None where it always comes along.
        equivalents: catalogue types that hold what a contract's type says, by the contract's type.
        snapshot: statements that make all later readings of the connection see one moment.
    """

    name = ""
    schemes: tuple[str, ...] = ()
    extra: str | None = None
    equivalents: ClassVar[Mapping[str, frozenset[str]]] = {}
    snapshot: tuple[str, ...] = ()
    has_ranges = False

    def quoted(self, name: str) -> str:
        """An identifier that is taken literally, whatever is in it."""
        return '"' + name.replace('"', '""') + '"'

    def table(self, source_name: str) -> str:
        """A table's name as statements use it."""
        return ".".join(self.quoted(part) for part in source_name.split("."))

    def selected(self, column: Column) -> str:
        """What to ask for one column, so that nothing of it is lost on the way."""
        return self.quoted(column.source_name)

    def received(self, values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
        """What came for `selected`, in the contract's type.

        Raises:
            ConversionError: a value or the whole type cannot be converted.
        """
        return convert(values, column)

    def limited(self, statement: str, rows: int) -> str:
        """The first rows of a statement."""
        return f"{statement} limit {rows}"

    def literal(self, column: Column, value: datetime | int) -> str:
        """A cursor value in the form the source column has, rounded down to what the column can hold."""
        if isinstance(value, int):
            return str(value)
        if column.source_format == EPOCH_MS:
            return str((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))
        if column.source_zone is not None:
            local = value.astimezone(ZoneInfo(column.source_zone)).replace(tzinfo=None)
            return self.local_literal(local)
        return self.instant_literal(value.astimezone(UTC))

    def local_literal(self, local: datetime) -> str:
        """An instant without a zone."""
        return f"timestamp '{local.isoformat(sep=' ')}'"

    def instant_literal(self, utc: datetime) -> str:
        """An instant of UTC for a column that knows its zone."""
        return f"timestamptz '{utc.isoformat(sep=' ')}'"

    @abstractmethod
    def catalogue(self, source_name: str) -> str:
        """A statement that answers name and type of each column of a table, in their order."""

    def is_same_type(self, column: Column, found: str) -> bool:
        """Whether a catalogue's type holds what the contract says; a contract without a type takes any."""
        if not column.source_type:
            return True
        declared, actual = SourceType.parse(column.source_type), SourceType.parse(found)
        if actual.name not in self.equivalents.get(declared.name, frozenset({declared.name})):
            return False
        if declared.name != "numeric" or declared.precision is None:
            return True
        return (declared.precision, declared.scale) == (actual.precision, actual.scale)

    @abstractmethod
    def is_lost_connection(self, error: BaseException, state: str) -> bool:
        """Whether the server could not be reached, so that trying again later helps."""

    def breach_of(self, error: BaseException, columns: Sequence[Column]) -> str | None:
        """What an error while reading says about the columns' values; None where it says something else."""
        return None


def by_information_schema(source_name: str, *, default_schema: str, type_text: str) -> str:
    """The catalogue statement of databases that have the standard's `information_schema`.

    Args:
        source_name: `schema.table`, or a table of the default schema.
        default_schema: an expression.
        type_text: an expression that writes a column's type.
    """
    *schema, table = source_name.split(".")
    owner = text_literal(schema[-1]) if schema else default_schema
    return (
        f"select column_name, {type_text} from information_schema.columns "  # noqa: S608 - quoted above
        f"where table_schema = {owner} and table_name = {text_literal(table)} order by ordinal_position"
    )


def text_literal(text: str) -> str:
    """A text as standard SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def is_exact_decimal(column: Column) -> bool:
    """Whether the column holds decimals of a fixed scale."""
    return bool(pa.types.is_decimal(arrow_type(column)))


def type_faults(dialect: Dialect, columns: Sequence[Column], found: Mapping[str, str]) -> list[str]:
    """One sentence for each declared column that the source lacks or holds in another type."""
    faults = []
    for column in columns:
        if column.source_name not in found:
            faults.append(f"{column.name}: the source has no column {column.source_name!r}")
        elif not dialect.is_same_type(column, found[column.source_name]):
            faults.append(
                f"{column.name} (source {column.source_name}): found type {found[column.source_name]}, "
                f"expected {column.source_type}"
            )
    return faults
