"""Raw alarms gain the states of OPC UA conditions; rows that are there have none of them."""

from __future__ import annotations

from deltalake import DeltaTable
from deltalake.schema import Field, PrimitiveType

from lake.layout import LakePaths

_ADDED = {
    "condition_name": "string",
    "branch_id": "string",
    "is_retained": "boolean",
    "is_enabled": "boolean",
    "is_confirmed": "boolean",
    "is_suppressed": "boolean",
    "is_out_of_service": "boolean",
    "is_latched": "boolean",
    "is_suppressed_or_shelved": "boolean",
    "shelving_state": "string",
    "limit_state": "string",
    "active_state": "string",
    "active_changed_at_utc": "timestamp",
    "quality_code": "long",
    "comment": "string",
    "client_user_id": "string",
    "told_by": "string",
}


def upgrade(lake: LakePaths) -> None:
    """Add the columns to every raw table of alarms that lacks them."""
    for name in lake.tables("raw"):
        if name.endswith("__alarms"):
            _add_columns(DeltaTable(lake.table("raw", name)))


def _add_columns(table: DeltaTable) -> None:
    stored = {field.name for field in table.schema().fields}
    missing = [
        Field(name, PrimitiveType(kind), nullable=True) for name, kind in _ADDED.items() if name not in stored
    ]
    if missing:
        table.alter.add_columns(missing)
