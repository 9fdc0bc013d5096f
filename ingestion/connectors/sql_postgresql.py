"""PostgreSQL: read through ADBC, in one snapshot that several connections can share.

A decimal travels as a whole number of its smallest unit: PostgreSQL multiplies faster than the driver can
write NUMERIC as text and we could read it again (half of the reading client's time on a table with one).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from contracts.arrow import arrow_type
from contracts.model import Column
from ingestion.connectors.sql_dialect import Dialect, is_exact_decimal, text_literal

_DIGITS_OF_INT64 = 18
_NO_WHOLE_NUMBER = ("cannot convert NaN to bigint", "cannot convert infinity to bigint")
_CONNECTION_LOST = ("08", "57P")  # SQLSTATE classes: connection exception, operator intervention


class PostgreSQL(Dialect):
    """PostgreSQL 12 and newer."""

    name = "PostgreSQL"
    schemes = ("postgresql", "postgres")
    snapshot = ("set transaction isolation level repeatable read read only",)
    has_ranges = True

    def selected(self, column: Column) -> str:
        """A decimal that fits 64 bits as a whole number of its last digit."""
        name = self.quoted(column.source_name)
        return f"({name} * {10 ** _scale(column)})::bigint" if _travels_scaled(column) else name

    def received(self, values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
        """The whole number back as the decimal it is, without arithmetic."""
        if not _travels_scaled(column):
            return super().received(values, column)
        kind = arrow_type(column)
        chunks = [
            pa.Array.from_buffers(kind, len(whole), whole.buffers(), whole.null_count, whole.offset)
            for whole in (pc.cast(chunk, pa.decimal128(19, 0)) for chunk in values.chunks)
        ]
        return pa.chunked_array(chunks, type=kind)

    def catalogue(self, source_name: str) -> str:
        """The types as PostgreSQL writes them; only decimals need their digits."""
        type_text = "format_type(a.atttypid, case when a.atttypid = 1700 then a.atttypmod end)"
        return (
            f"select a.attname, {type_text} from pg_attribute a "  # noqa: S608 - quoted
            f"where a.attrelid = {text_literal(self.table(source_name))}::regclass "
            "and a.attnum > 0 and not a.attisdropped order by a.attnum"
        )

    def breach_of(self, error: BaseException, columns: Sequence[Column]) -> str | None:
        """NaN and infinity are decimals to PostgreSQL and to nobody else."""
        if not any(word in str(error) for word in _NO_WHOLE_NUMBER):
            return None
        names = ", ".join(f"{c.name} (source {c.source_name})" for c in columns if _travels_scaled(c))
        return f"one of the decimals {names} holds NaN or infinity, expected a number"

    def ranges(self, pages: int, count: int) -> tuple[str, ...]:
        """Conditions that part a table of so many pages by where its rows lie; no index is needed."""
        bounds = [pages * part // count for part in range(1, count)]
        starts = ["", *(f"ctid >= '({page},0)'" for page in bounds)]
        ends = [*(f"ctid < '({page},0)'" for page in bounds), ""]
        return tuple(" and ".join(filter(None, both)) or "true" for both in zip(starts, ends, strict=True))

    def is_lost_connection(self, error: BaseException, state: str) -> bool:
        """No answer at all, or one of the states that say the connection is gone."""
        from adbc_driver_manager import OperationalError

        return isinstance(error, OperationalError) and (not state or state.startswith(_CONNECTION_LOST))


def _travels_scaled(column: Column) -> bool:
    """Whether the column's decimals fit 64 bits as whole numbers of their last digit."""
    declared = column.source_type or ""
    return (
        is_exact_decimal(column)
        and declared.lower().startswith(("numeric", "decimal"))
        and arrow_type(column).precision <= _DIGITS_OF_INT64
    )


def _scale(column: Column) -> int:
    return int(arrow_type(column).scale)
