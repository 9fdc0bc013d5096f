"""A batch whose masses do not close and a lot in its own ancestor are told; every other is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lake.findings import Finding
from lake.layout import LakePaths
from orchestration.production_findings import lot_cycles, open_mass_balances


def balance(name: str, code: str) -> dict[str, object]:
    return {
        "batch_id": name,
        "input_kg": 1000.0,
        "product_kg": 880.0,
        "waste_kg": 20.0,
        "missing_pct": 10.0,
        "tolerance_pct": 9.0,
        "balance_code": code,
    }


def look(tmp_path: Path, find: Callable[..., list[Finding]] = open_mass_balances) -> list[Finding]:
    location = SimpleNamespace(settings=SimpleNamespace(lake=LakePaths(tmp_path)))
    return find(cast("Any", location), cast("Any", None))


def test_only_open_balances_are_findings_and_name_their_figures(tmp_path: Path) -> None:
    codes = ["closed", "open", "running", "not_comparable"]
    rows = [balance(f"B{number}", code) for number, code in enumerate(codes)]
    write_deltalake(
        str(LakePaths(tmp_path).table("marts", "fct_batch_mass_balance")), pa.Table.from_pylist(rows)
    )
    (found,) = look(tmp_path)
    assert found.subject == "B1"
    assert "+10.00 % (9 %)" in found.cause_en
    assert "1000.0 kg → 880.0 kg + 20.0 kg" in found.cause_zh


@pytest.mark.parametrize(("kind", "system"), [("batch", "MES"), ("transfer", "WMS")])
def test_each_document_of_a_cycle_is_a_finding_of_the_system_to_correct(
    tmp_path: Path, kind: str, system: str
) -> None:
    row = {"parent_lot_id": "BL1", "child_lot_id": "P1", "edge_type_code": kind, "reference_id": "D-9"}
    write_deltalake(str(LakePaths(tmp_path).table("ops", "ops_lot_cycles")), pa.Table.from_pylist([row]))
    (found,) = look(tmp_path, lot_cycles)
    assert found.subject == "D-9/BL1/P1"
    for cause in (found.cause_zh, found.cause_en):
        assert "D-9" in cause
    for remedy in (found.remedy_zh, found.remedy_en):
        assert system in remedy


@pytest.mark.parametrize("find", [open_mass_balances, lot_cycles])
def test_a_lake_without_the_table_has_no_finding(tmp_path: Path, find: Callable[..., list[Finding]]) -> None:
    assert look(tmp_path, find) == []
