"""Rules that need a table and its columns together: names once, a key, a cursor that can be one."""

from __future__ import annotations

from collections import Counter

from contracts.documents import Place
from contracts.fields import FaultList
from contracts.model import Column, Contract, ExtractMode

TABLE_PLACE: Place = ("schema", 0)
_CURSOR_MODES = {ExtractMode.CURSOR, ExtractMode.CURSOR_SWEEP}
_CURSOR_TYPES = {"timestamp", "integer"}
_WHOLE_PCT = 100


def check_whole(contract: Contract, given_id: str | None, problems: FaultList) -> None:
    """Rules that need the table and its columns together."""
    if given_id != contract.contract_id:
        problems.add(("id",), f"expected {contract.contract_id!r} (dataProduct.table), found {given_id!r}")
    if not contract.columns:
        problems.add(TABLE_PLACE, "the table has no columns")
    _check_names(contract, problems)
    _check_key(contract, problems)
    _check_cursor(contract, problems)
    _check_operation(contract, problems)
    if not 0 <= contract.least_share <= 1:
        problems.add(TABLE_PLACE, f"leastShare: expected a share from 0 to 1, found {contract.least_share}")
    tolerance = contract.mass_balance_tolerance_pct
    if tolerance is not None and not 0 < tolerance < _WHOLE_PCT:
        problems.add(
            TABLE_PLACE, f"massBalanceTolerancePct: expected a share between 0 and 100 %, found {tolerance}"
        )


def _check_names(contract: Contract, problems: FaultList) -> None:
    place = (*TABLE_PLACE, "properties")
    names = Counter(column.name for column in contract.columns)
    for index, column in enumerate(contract.columns):
        if names[column.name] > 1:
            problems.add((*place, index), f"column {column.name!r} is declared {names[column.name]} times")
        if column.name.startswith("_"):
            problems.add(
                (*place, index), f"column {column.name!r}: a leading _ is kept for bookkeeping columns"
            )
        if column.unit_column is not None and column.unit_column not in names:
            problems.add(
                (*place, index), f"{column.name}: unitColumn {column.unit_column!r} is no column here"
            )


def _check_key(contract: Contract, problems: FaultList) -> None:
    keyed = [
        (index, column) for index, column in enumerate(contract.columns) if column.key_position is not None
    ]
    positions = sorted(column.key_position or 0 for _, column in keyed)
    if positions != list(range(1, len(keyed) + 1)) or not keyed:
        problems.add(
            TABLE_PLACE,
            f"primaryKeyPosition of the key columns: expected 1, 2, …, found {positions}; a key is required",
        )
    for index, column in keyed:
        if not column.required:
            place = (*TABLE_PLACE, "properties", index)
            problems.add(place, f"key column {column.name!r} must be required: true")


def _check_cursor(contract: Contract, problems: FaultList) -> None:
    if (contract.mode in _CURSOR_MODES) != (contract.cursor is not None):
        problems.add(
            TABLE_PLACE, f"extractMode {contract.mode} and cursorColumn {contract.cursor!r} do not agree"
        )
        return
    if contract.cursor is None:
        return
    cursor: Column | None = next((c for c in contract.columns if c.name == contract.cursor), None)
    if cursor is None or cursor.logical_type not in _CURSOR_TYPES or not cursor.required:
        problems.add(
            TABLE_PLACE,
            f"cursorColumn {contract.cursor!r} must be a required column of type timestamp or integer",
        )
    if contract.overlap <= 0:
        problems.add(
            TABLE_PLACE,
            "cursorOverlap must be above 0: without it a row committed late behind the cursor is never read",
        )


def _check_operation(contract: Contract, problems: FaultList) -> None:
    """A source's own change log says in one column what happened, and which of its values is a deletion."""
    is_log = contract.mode is ExtractMode.CHANGE_LOG
    if is_log != (contract.operation is not None) or is_log != bool(contract.delete_codes):
        problems.add(
            TABLE_PLACE,
            f"extractMode {contract.mode}, operationColumn {contract.operation!r} and deleteCodes "
            f"{list(contract.delete_codes)} do not agree; change_log needs both, no other mode takes them",
        )
    elif is_log and contract.operation not in [column.name for column in contract.columns if column.required]:
        problems.add(
            TABLE_PLACE, f"operationColumn {contract.operation!r} must be a required column of the table"
        )
