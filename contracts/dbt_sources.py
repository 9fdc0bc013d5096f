"""Contract set → the YAML text of dbt's sources, one source a system.

`meta.dagster.asset_key` ties each dbt source to the asset that lands it; `external_location` lets dbt-duckdb
read the Delta table in place. The committed copy is `dbt_project/models/staging/_sources.yml`; a test refuses
drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import yaml

from contracts.arrow import bookkeeping
from contracts.model import Column, Contract

EXTERNAL_LOCATION = "delta_scan('{{ env_var(\"CHEMLINK_LAKE\") }}/raw/{name}')"
_HEADING = (
    "# Generated from the contracts by `chemlink contract manifest`; a test refuses drift. Do not edit.\n"
)


def render_sources(contracts: Iterable[Contract]) -> str:
    """The text of `_sources.yml` for these contracts."""
    ordered = sorted(contracts, key=lambda contract: (contract.system_id, contract.table))
    sources = [
        _source(system_id, list(group)) for system_id, group in groupby(ordered, key=lambda c: c.system_id)
    ]
    body = yaml.safe_dump(
        {"version": 2, "sources": sources},
        allow_unicode=True,
        sort_keys=False,
        width=110,
        default_flow_style=False,
    )
    return _HEADING + body


def _source(system_id: str, contracts: list[Contract]) -> dict[str, Any]:
    return {
        "name": system_id,
        "schema": "raw",
        "config": {"meta": {"external_location": EXTERNAL_LOCATION}},
        "tables": [_table(contract) for contract in contracts],
    }


def _table(contract: Contract) -> dict[str, Any]:
    meta = {
        "dagster": {"asset_key": ["raw", contract.name], "group": contract.system_id},
        "label_zh": contract.label_zh,
        "owner": contract.owner,
        "category": contract.category,
        "primary_key": list(contract.primary_key),
        "retention_days": contract.retention_days,
        "clauses": list(contract.clauses),
    }
    if contract.mass_balance_tolerance_pct is not None:
        meta["mass_balance_tolerance_pct"] = contract.mass_balance_tolerance_pct
    labels = f"{contract.label_en} / {contract.label_zh}"
    return {
        "name": contract.name,
        "description": f"{labels}. {contract.description} One row: {contract.grain}.",
        "config": {"meta": meta},
        "columns": [
            *map(_column, contract.columns),
            *({"name": field.name} for field in bookkeeping(contract)),
        ],
    }


def _column(column: Column) -> dict[str, Any]:
    meta: dict[str, Any] = {"label_zh": column.label_zh, "grade": column.grade, "category": column.category}
    optional = {
        "unit": column.unit,
        "unit_column": column.unit_column,
        "code_type": column.code_type,
        "personal": column.is_personal or None,
    }
    meta |= {key: value for key, value in optional.items() if value is not None}
    return {
        "name": column.name,
        "description": column.label_en + (f". {column.description}" if column.description else ""),
        "config": {"meta": meta},
    }
