"""The one entry for pulled tables: who is refused, and that nobody works twice at once."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.context import ExtractContext, Outcome
from ingestion.errors import PermanentError
from ingestion.extract import extract_table
from ingestion.registry import SystemSpec, load_registry
from lake.errors import LeaseHeldError
from lake.layout import LakePaths
from lake.leases import hold_lease
from lake.migrations import run as migrations
from lake.state import open_state
from protocols.clock import ScaledClock

SITE = Path(__file__).parents[3] / "reference_plant" / "site"
CLOCK = ScaledClock(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 11, 17, tzinfo=UTC), speed=1.0)


@pytest.fixture
def context(tmp_path: Path) -> ExtractContext:
    for folder in ("systems", "registers", "mappings"):
        shutil.copytree(SITE / folder, tmp_path / folder)
    lake = LakePaths(tmp_path / "var")
    migrations.migrate(lake.state_url)
    return ExtractContext(lake, open_state(lake.state_url, CLOCK.now), str, CLOCK, tmp_path, run_id="test")


def system(context: ExtractContext, system_id: str) -> SystemSpec:
    (found,) = (spec for spec in load_registry(context.site_dir) if spec.system_id == system_id)
    return found


def test_what_comes_through_the_gateway_is_not_pulled(context: ExtractContext) -> None:
    with pytest.raises(PermanentError, match="chemlink land"):
        extract_table(system(context, "opcua_environment"), "points", context)


def test_every_register_of_the_reference_plant_keeps_its_contract(context: ExtractContext) -> None:
    registers = system(context, "site_register")
    for contract in registers.tables:
        report = extract_table(registers, contract.table, context)
        assert (report.outcome, report.warnings) == (Outcome.LANDED, ()), contract.name


def test_a_table_being_extracted_is_left_to_whoever_does_it(context: ExtractContext) -> None:
    registers = system(context, "site_register")
    with hold_lease(context.lake.leases, "extract.site_register.outlets"), pytest.raises(LeaseHeldError):
        extract_table(registers, "outlets", context)


def test_both_tables_of_the_laboratory_share_one_inbox_and_one_lease(context: ExtractContext) -> None:
    laboratory = system(context, "lab_manual")
    with hold_lease(context.lake.leases, "extract.lab_manual"), pytest.raises(LeaseHeldError):
        extract_table(laboratory, "quarantine", context)
    assert extract_table(laboratory, "quarantine", context).outcome is Outcome.EMPTY_WINDOW
