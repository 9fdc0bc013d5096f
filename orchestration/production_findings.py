"""Findings about how batches were made: masses that went in and did not come out."""

from __future__ import annotations

from typing import Any

from lake import tables
from lake.findings import Finding
from lake.state import StateStore
from orchestration.location import Location

MASS_BALANCE = "open_mass_balance"


def open_mass_balances(location: Location, _state: StateStore) -> list[Finding]:
    """Ended batches that miss more, or made more, than the contract's tolerance allows."""
    path = location.settings.lake.table("marts", "fct_batch_mass_balance")
    if not tables.exists(path):
        return []
    return [_finding(row) for row in tables.read(path).to_pylist() if row["balance_code"] == "open"]


def _finding(row: dict[str, Any]) -> Finding:
    figures = (
        f"{row['input_kg']:.1f} kg → {row['product_kg']:.1f} kg + {row['waste_kg']:.1f} kg, "
        f"{row['missing_pct']:+.2f} % ({row['tolerance_pct']:g} %)"
    )
    return Finding(
        kind=MASS_BALANCE,
        subject=row["batch_id"],
        severity="warning",
        cause_zh=f"批次 {row['batch_id']} 物料衡算未闭合：投入 → 产品 + 废物，缺口占投入（允差）：{figures}",
        cause_en=f"the mass balance of batch {row['batch_id']} is open; charged → product + waste, "
        f"missing of what was charged (tolerance): {figures}",
        remedy_zh="核对该批次在 MES 中的投料与产出记录（单位、重复、漏记），更正后自动关闭；"
        "允差写在合同 mes_main.batch_outputs 的 massBalanceTolerancePct",
        remedy_en="compare what the MES has as charged and made with the scales (unit, twice, forgotten) and "
        "correct it there; the finding then closes by itself. The tolerance is massBalanceTolerancePct of "
        "the contract mes_main.batch_outputs",
    )
