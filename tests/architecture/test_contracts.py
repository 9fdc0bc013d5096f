"""Conventions of systems and contracts: forgetting a piece fails a test that names the piece."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from contracts.arrow import source_schema
from contracts.coded_columns import render_coded_columns
from contracts.consistency import dangling_references
from contracts.dbt_sources import render_sources
from contracts.model import Contract, ExtractMode
from contracts.released import version_faults
from ingestion.registry import SystemKind, discover_systems, load_registry
from orchestration.forgotten import forgotten_pieces
from protocols.points import SCHEMAS

ROOT = Path(__file__).parents[2]
SITE = ROOT / "reference_plant" / "site"
SYSTEMS = discover_systems()
CONTRACTS = [contract for system in SYSTEMS for contract in system.tables]
COLUMNS = [(contract, column) for contract in CONTRACTS for column in contract.columns]


def contract_id(contract: Contract) -> str:
    return contract.contract_id


def test_there_are_contracts_for_every_kind_of_system() -> None:
    # What files, interfaces and events hold is every plant's own: tests/fakes/file_site.py makes one.
    own = {SystemKind.FILES, SystemKind.REST, SystemKind.WEBHOOK}
    assert {system.kind for system in SYSTEMS} == set(SystemKind) - own
    assert len(CONTRACTS) >= 20


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.system_id)
def test_every_system_folder_is_whole(system) -> None:
    assert system.label_zh
    assert system.label_en
    text = (system.folder / "quirks.md").read_text(encoding="utf-8")
    assert system.system_id in text.splitlines()[0]
    assert len(text.splitlines()) > 2, "quirks.md says nothing"
    known = {
        "system.yml",
        "quirks.md",
        "forms.yml",
        "released.json",
        *(f"{c.table}.odcs.yaml" for c in system.tables),
    }
    assert {path.name for path in system.folder.iterdir()} <= known, "files are named after their table"


@pytest.mark.parametrize("contract", CONTRACTS, ids=contract_id)
def test_every_table_has_owner_cadence_retention_and_clause(contract: Contract) -> None:
    assert contract.owner
    assert contract.cadence_s > 0
    assert contract.retention_days >= 180, "audit needs six months at least"
    assert contract.clauses, "name the clause of DB32/T 4765-2024 the data serve"


def test_no_piece_of_a_system_is_forgotten() -> None:
    forgotten = forgotten_pieces(SYSTEMS)
    assert not forgotten, "\n".join(forgotten)


def test_no_released_contract_changed_without_its_version() -> None:
    faults = version_faults(CONTRACTS)
    assert not faults, "\n".join(map(str, faults))


def test_every_reference_leads_to_a_column() -> None:
    assert dangling_references(CONTRACTS, CONTRACTS) == []


def test_cited_clauses_are_written_alike() -> None:
    for contract in CONTRACTS:
        for clause in contract.clauses:
            assert clause.startswith("DB32/T 4765-2024#"), f"{contract.contract_id}: {clause}"


@pytest.mark.parametrize("contract", [c for c in CONTRACTS if c.mode is ExtractMode.STREAM], ids=contract_id)
def test_stream_contracts_say_what_travels_on_the_wire(contract: Contract) -> None:
    wire, described = SCHEMAS[contract.table], source_schema(contract)
    assert described.names == wire.names
    for field in wire:
        assert described.field(field.name).type == field.type, field.name
        assert described.field(field.name).nullable == field.nullable, field.name


def test_the_committed_dbt_sources_are_those_of_the_contracts() -> None:
    committed = (ROOT / "dbt_project" / "models" / "staging" / "_sources.yml").read_text(encoding="utf-8")
    assert committed == render_sources(CONTRACTS), "run `chemlink contract manifest`"


def test_the_columns_of_codes_that_dbt_looks_at_are_those_of_the_contracts() -> None:
    committed = (ROOT / "dbt_project" / "macros" / "coded_columns.sql").read_text(encoding="utf-8")
    assert committed == render_coded_columns(CONTRACTS), "run `chemlink contract manifest`"
    for contract, column in COLUMNS:
        assert (f'["{column.name}", "{column.code_type}"]' in committed) or not column.code_type, (
            f"{contract.contract_id}.{column.name} has a code type and is not looked at"
        )


def test_the_reference_plant_names_a_secret_for_each_database() -> None:
    for system in load_registry(SITE):
        assert (system.kind is SystemKind.SQL) == (system.secret is not None), system.system_id


def mappings() -> list[dict[str, str]]:
    with (SITE / "mappings" / "code_mappings.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_code_mappings_speak_of_systems_and_code_types_that_exist() -> None:
    types = {column.code_type for _, column in COLUMNS if column.code_type}
    for row in mappings():
        assert row["source_system"] in {system.system_id for system in SYSTEMS}, row
        assert row["code_type"] in types, row


def test_code_mappings_cover_the_reference_plants_materials_and_leave_one_unmapped() -> None:
    from reference_plant.business.catalogue import MATERIALS, UNMAPPED_MATERIAL

    found = {
        (row["source_system"], row["source_code"]) for row in mappings() if row["code_type"] == "material"
    }
    expected = {
        pair
        for material in MATERIALS
        for pair in (
            ("erp_main", material.matnr),
            ("mes_main", material.definition_id),
            ("wms_main", material.sku),
            ("lims_main", material.matnr.lstrip("0")),
            ("qms_main", material.matnr.lstrip("0")),
        )
    }
    assert found == expected
    assert UNMAPPED_MATERIAL not in {row["source_code"] for row in mappings()}
