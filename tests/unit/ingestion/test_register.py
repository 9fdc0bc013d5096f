"""Registers of the site: complete tables in CSV, checked by contract, differences landed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.loading import load_contract
from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.connectors.register import extract_register
from ingestion.context import ExtractContext, Outcome
from ingestion.errors import ContractBreachError, PermanentError, ShrunkenSourceError
from ingestion.registry import PRODUCT_SYSTEMS
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from tests.fakes.still_clock import StillClock

SITE = Path(__file__).parents[3] / "reference_plant" / "site"


@pytest.fixture
def context(tmp_path: Path) -> ExtractContext:
    shutil.copytree(SITE / "mappings", tmp_path / "mappings")
    lake = LakePaths(tmp_path / "var")
    migrations.migrate(lake.state_url)
    clock = StillClock(datetime(2026, 11, 17, tzinfo=UTC))
    return ExtractContext(lake, open_state(lake.state_url, clock.now), str, clock, tmp_path, run_id="test")


@pytest.fixture
def mappings() -> Contract:
    return load_contract(PRODUCT_SYSTEMS / "site_register" / "code_mappings.odcs.yaml")


def test_a_register_lands_once_and_then_only_its_changes(context: ExtractContext, mappings: Contract) -> None:
    path = context.site_dir / "mappings" / "code_mappings.csv"
    first = extract_register(mappings, context)
    assert first.outcome is Outcome.LANDED
    assert extract_register(mappings, context).outcome is Outcome.UNCHANGED
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("2020-01-01,", "2020-01-01,2026-01-01")
    path.write_text(
        "\n".join([*lines[:-1], "mes_main,unit,KILO,kg,2020-01-01,"]) + "\n", encoding="utf-8-sig"
    )
    changed = extract_register(mappings, context)
    assert (changed.rows_upserted, changed.rows_deleted) == (2, 1)
    live = ChangeLog(mappings, context.lake).live()
    assert live.num_rows == first.rows_upserted
    assert "KILO" in live["source_code"].to_pylist()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("standard_code", "standard", "heading 'standard_code' is missing"),
        ("2020-01-01", "soon", "soon"),
        (
            "erp_main,material,000000000000100001",
            ",material,000000000000100001",
            "source_system: found no value",
        ),
        ("erp_main,unit,KG,kg,2020-01-01,", "erp_main,unit,KG,kg", "has 4 cells"),
        ("000000000000100002", "000000000000100001", "each key once"),
    ],
)
def test_a_register_that_breaks_its_contract_lands_nothing(
    old: str, new: str, message: str, context: ExtractContext, mappings: Contract
) -> None:
    path = context.site_dir / "mappings" / "code_mappings.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContractBreachError) as caught:
        extract_register(mappings, context)
    assert message in str(caught.value)
    assert not ChangeLog(mappings, context.lake).exists


def test_a_missing_or_cut_register_deletes_nothing(context: ExtractContext, mappings: Contract) -> None:
    path = context.site_dir / "mappings" / "code_mappings.csv"
    landed = extract_register(mappings, context).rows_upserted
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[: len(lines) // 2]) + "\n", encoding="utf-8")
    with pytest.raises(ShrunkenSourceError):
        extract_register(mappings, context)
    path.unlink()
    with pytest.raises(PermanentError, match=r"code_mappings\.csv"):
        extract_register(mappings, context)
    assert ChangeLog(mappings, context.lake).live().num_rows == landed
