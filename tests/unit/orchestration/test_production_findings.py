"""A batch whose masses do not close is told with its figures; every other batch is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
from deltalake import write_deltalake

from lake.layout import LakePaths
from orchestration.production_findings import open_mass_balances


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


def look(tmp_path: Path) -> list[Any]:
    location = SimpleNamespace(settings=SimpleNamespace(lake=LakePaths(tmp_path)))
    return open_mass_balances(cast("Any", location), cast("Any", None))


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


def test_a_lake_without_the_mart_has_no_finding(tmp_path: Path) -> None:
    assert look(tmp_path) == []
