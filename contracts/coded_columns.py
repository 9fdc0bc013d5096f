"""Contract set → the dbt macro that lists every column of source codes, with what stands beside it.

The committed copy is `dbt_project/macros/coded_columns.sql`; a test refuses drift. The list of unmapped codes
is made from it, so that a column is looked at as soon as its contract gives it a code type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from contracts.model import Column, Contract, ExtractMode

_HEADING = (
    "{#- Generated from the contracts by `chemlink contract manifest`; a test refuses drift."
    " Do not edit. -#}\n"
)
_CURRENCY = "currency_code"


def render_coded_columns(contracts: Iterable[Contract]) -> str:
    """The text of `coded_columns.sql` for these contracts."""
    ordered = sorted(contracts, key=lambda contract: (contract.system_id, contract.table))
    entries = [_entry(contract) for contract in ordered if any(c.code_type for c in contract.columns)]
    listed = ",\n".join(f"        {_jinja(entry)}" for entry in entries)
    body = f"{{% macro coded_columns() %}}\n    {{{{ return([\n{listed}\n    ]) }}}}\n{{% endmacro %}}\n"
    return _HEADING + body


def _entry(contract: Contract) -> dict[str, Any]:
    quantity, amount = _quantity(contract), _amount(contract)
    return {
        "system_id": contract.system_id,
        "table": contract.table,
        "is_stream": contract.mode is ExtractMode.STREAM,
        "codes": [[column.name, column.code_type] for column in contract.columns if column.code_type],
        "quantity": quantity.name if quantity else None,
        "unit": quantity.unit_column if quantity else None,
        "amount": amount.name if amount else None,
        "currency": amount.unit_column if amount else None,
    }


def _quantity(contract: Contract) -> Column | None:
    """The first quantity whose unit is a source code of the same row."""
    units = {column.name for column in contract.columns if column.code_type == "unit"}
    return next((column for column in contract.columns if column.unit_column in units), None)


def _amount(contract: Contract) -> Column | None:
    """The first sum of money of the row; a price is none."""
    return next(
        (
            column
            for column in contract.columns
            if (column.unit == "CNY" or column.unit_column == _CURRENCY) and "price" not in column.name
        ),
        None,
    )


def _jinja(entry: dict[str, Any]) -> str:
    text = json.dumps(entry, ensure_ascii=False)
    return text.replace(": true", ": True").replace(": false", ": False").replace(": null", ": none")
