"""The coverage register claims only what exists, and forgets no clause."""

from __future__ import annotations

from pathlib import Path

from orchestration.asset_keys import existing_asset_keys
from orchestration.coverage import missing_names, read_register
from orchestration.settings import load_settings
from reference_plant.init import make_site
from reference_plant.options import PlantOptions

# The clauses of DB32/T 4765—2024 that ask for something; the standard is fixed, so the number is.
CLAUSES = 122


def test_every_named_asset_and_test_exists(tmp_path: Path) -> None:
    make_site(tmp_path / "site", PlantOptions())
    known = existing_asset_keys(load_settings(tmp_path / "site"))
    assert not missing_names(read_register(), known)


def test_a_name_that_does_not_exist_is_told() -> None:
    claimed = [entry for entry in read_register() if entry.status != "open"]
    told = missing_names(claimed[:1], asset_keys=())
    assert any(claimed[0].assets[0] in fault for fault in told)


def test_every_clause_has_its_entry() -> None:
    assert len(read_register()) == CLAUSES
