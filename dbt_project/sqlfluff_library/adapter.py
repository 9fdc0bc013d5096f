"""What `adapter` is to sqlfluff, which renders models without dbt: only the shape of the SQL matters."""

from __future__ import annotations

from collections.abc import Callable

_SHAPES = {
    "days_between": "select cast('2026-01-01' as date) as calendar_date",
    "type_instant": "timestamp",
    "is_number": "({0} is not null)",
}


def dispatch(name: str) -> Callable[..., str]:
    """A macro that renders to an expression over its first argument."""
    shape = _SHAPES.get(name, "coalesce({0})")
    return lambda *arguments: shape.format(*arguments)
