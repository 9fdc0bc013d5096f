"""Findings about how batches were made: masses that do not come out, lots that went into themselves."""

from __future__ import annotations

from typing import Any

from lake import tables
from lake.findings import Finding
from lake.state import StateStore
from orchestration.location import Location

MASS_BALANCE = "open_mass_balance"
LOT_CYCLE = "lot_cycle"


def open_mass_balances(location: Location, _state: StateStore) -> list[Finding]:
    """Ended batches that miss more, or made more, than the contract's tolerance allows."""
    path = location.settings.lake.table("marts", "fct_batch_mass_balance")
    if not tables.exists(path):
        return []
    return [_open_balance(row) for row in tables.read(path).to_pylist() if row["balance_code"] == "open"]


def lot_cycles(location: Location, _state: StateStore) -> list[Finding]:
    """Batches and transfers by which a lot went into its own ancestor."""
    path = location.settings.lake.table("ops", "ops_lot_cycles")
    if not tables.exists(path):
        return []
    return [_cycle(row) for row in tables.read(path).to_pylist()]


def _cycle(row: dict[str, Any]) -> Finding:
    parent, child, document = row["parent_lot_id"], row["child_lot_id"], row["reference_id"]
    kind_zh, system = {"batch": ("批次", "MES"), "transfer": ("转移", "WMS")}[row["edge_type_code"]]
    return Finding(
        kind=LOT_CYCLE,
        subject=f"{document}/{parent}/{child}",
        severity="error",
        cause_zh=f"批号循环：{kind_zh} {document} 使批号 {parent} 进入 {child}，"
        f"而 {child} 又是 {parent} 的来源",
        cause_en=f"lots go round: by {row['edge_type_code']} {document} lot {parent} went into {child}, and "
        f"{child} is itself in {parent}",
        remedy_zh=f"在 {system} 中核对该凭证及同一循环的其他凭证（批号记错、方向颠倒、未冲销），"
        "更正后自动关闭；在此之前，追溯其中任一批号都会得到循环中的全部批号",
        remedy_en=f"look in the {system} at this document and the others of the cycle (wrong lot, reversed, "
        "not cancelled) and correct the wrong one; the findings then close by themselves. Until then tracing "
        "one of these lots finds all of them",
    )


def _open_balance(row: dict[str, Any]) -> Finding:
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
