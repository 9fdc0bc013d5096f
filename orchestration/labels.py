"""How an asset says who it is: description in both languages, owner, kinds, columns.

One place, so that every asset says it alike. Nothing here reads anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from contracts.arrow import arrow_type
from contracts.model import Column, Contract
from ingestion.registry import SystemKind, SystemSpec

SYSTEM_KINDS: Mapping[SystemKind, frozenset[str]] = {
    SystemKind.OPCUA: frozenset({"opcua", "deltalake"}),
    SystemKind.MQTT: frozenset({"mqtt", "deltalake"}),
    SystemKind.HJ212: frozenset({"hj212", "deltalake"}),
    SystemKind.SQL: frozenset({"postgres", "deltalake"}),
    SystemKind.WORKBOOK: frozenset({"excel", "deltalake"}),
    SystemKind.REGISTER: frozenset({"csv", "deltalake"}),
    SystemKind.FILES: frozenset({"file", "deltalake"}),
    SystemKind.REST: frozenset({"rest", "deltalake"}),
    SystemKind.WEBHOOK: frozenset({"webhook", "deltalake"}),
}


def bilingual(zh: str, en: str) -> str:
    """A description in Chinese and English, each its own paragraph."""
    return f"{zh}\n\n{en}"


def team(owner: str) -> str:
    """A contract's owner as Dagster wants it."""
    return owner if "@" in owner or owner.startswith("team:") else f"team:{owner}"


def table_description(contract: Contract) -> str:
    """What the raw table is, one row of it, and the clauses it serves."""
    clauses = f"\n\n{', '.join(contract.clauses)}" if contract.clauses else ""
    zh = f"{contract.label_zh}（原始层，按合同 {contract.contract_id} 第 {contract.version} 版）"
    en = f"{contract.label_en}: {contract.description} One row: {contract.grain}."
    return bilingual(zh, en) + clauses


def table_metadata(contract: Contract) -> dict[str, Any]:
    """The raw table's columns and rules, for the catalogue in the UI."""
    columns = [dg.TableColumn(c.name, str(arrow_type(c)), _column_text(c)) for c in contract.columns]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": contract.name,
        "contract_version": contract.version,
        "primary_key": ", ".join(contract.primary_key),
        "retention_days": contract.retention_days,
    }


def system_tags(system: SystemSpec) -> dict[str, str]:
    """Tags to filter assets by."""
    return {"chemlink/system": system.system_id, "chemlink/area": system.area}


def _column_text(column: Column) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.label_zh} / {column.label_en}{unit} · {column.category} {column.grade}"
