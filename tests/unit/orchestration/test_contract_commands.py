"""`chemlink contract check` and `diff`: everything at once, with lines, versions and exit codes."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from contracts.arrow import raw_schema
from contracts.loading import load_contract
from ingestion.registry import PRODUCT_SYSTEMS
from lake import tables
from lake.layout import LakePaths
from orchestration.cli import app
from orchestration.cli.exits import ExitCode
from orchestration.new_site import NewSite, make_site


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contract", *arguments])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A new site with a warehouse of its own that the product does not know."""
    folder = tmp_path / "plant"
    make_site(folder, NewSite("site_a", "甲厂", "Plant A", "park", None, "某县", date(2026, 11, 16)))
    own = folder / "systems" / "wms_south"
    shutil.copytree(PRODUCT_SYSTEMS / "wms_main", own, ignore=shutil.ignore_patterns("released.json"))
    for path in own.iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("wms_main", "wms_south"), encoding="utf-8")
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_products_contracts_and_the_sites_own_are_checked_together(site: Path) -> None:
    alone, both = run("check"), run("check", "--site", str(site))
    assert (alone.exit_code, both.exit_code) == (0, 0), both.output
    lots = len(list(PRODUCT_SYSTEMS.glob("wms_main/*.odcs.yaml")))
    assert int(both.output.split()[0]) == int(alone.output.split()[0]) + lots


def test_faults_of_every_kind_and_file_are_named_at_once(site: Path) -> None:
    own = site / "systems" / "wms_south"
    (own / "system.yml").unlink()
    edit(own / "lots.odcs.yaml", "classification: 一般", "classification: secret")
    (own / "shipments.odcs.yaml").write_text("a: [", encoding="utf-8")
    edit(
        own / "stock_movements.odcs.yaml",
        "{property: codeType, value: unit}",
        "{property: codeType, value: x}",
    )
    found = run("check", "--site", str(site))
    assert found.exit_code == ExitCode.PROBLEMS
    for part in ("system.yml: cannot be read", "found 'secret'", "is not valid YAML", "unknown codeType 'x'"):
        assert part in found.output, part
    places = {line.strip().split(": ")[0] for line in found.output.splitlines() if "lots.odcs.yaml" in line}
    assert all(place.rpartition(":")[2].isdecimal() for place in places)


def test_one_file_or_one_system_may_be_checked_alone(site: Path) -> None:
    own = site / "systems" / "wms_south"
    edit(own / "lots.odcs.yaml", "domain:", "domaine:")
    assert run("check", str(own / "shipments.odcs.yaml")).output.startswith("1 contracts are sound")
    for place in (own / "lots.odcs.yaml", own, site / "systems"):
        found = run("check", str(place))
        assert found.exit_code == ExitCode.PROBLEMS, place
        assert "'domaine' was unexpected" in found.output


def test_a_reference_to_nowhere_is_a_fault_of_the_check(site: Path) -> None:
    path = site / "systems" / "wms_south" / "lots.odcs.yaml"
    edit(
        path, "{property: codeType, value: material}", "{property: references, value: site_register.tanks.id}"
    )
    found = run("check", "--site", str(site))
    assert "references 'site_register.tanks.id' leads nowhere" in found.output


def test_two_files_are_compared_with_lines_class_and_version(site: Path) -> None:
    old, new = (
        PRODUCT_SYSTEMS / "wms_main" / "lots.odcs.yaml",
        site / "systems" / "wms_south" / "lots.odcs.yaml",
    )
    edit(new, "businessName: Lots", "businessName: Lots of goods")
    found = run("diff", str(old), str(new))
    assert found.exit_code == ExitCode.PROBLEMS
    assert "make it 应为 1.0.1" in found.output
    assert f"{new}:" in found.output
    edit(new, "version: 1.0.0", "version: 1.0.1")
    assert run("diff", str(old), str(new)).exit_code == 0


def test_folders_are_compared_contract_by_contract(site: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(site / "systems" / "wms_south", before)
    own = site / "systems" / "wms_south"
    (own / "lots.odcs.yaml").unlink()
    edit(own / "shipments.odcs.yaml", "value: 5, unit: m", "value: 1, unit: m")
    found = run("diff", str(before), str(own), "--json")
    assert found.exit_code == ExitCode.PROBLEMS
    kinds = {item["contract_id"]: (item["class"], item["demanded"]) for item in json.loads(found.output)}
    assert kinds == {"wms_south.lots": ("breaking", ""), "wms_south.shipments": ("addition", "1.1.0")}


def test_the_lakes_table_is_compared_with_what_it_was_made_with(site: Path) -> None:
    path = site / "systems" / "wms_south" / "shipments.odcs.yaml"
    contract = load_contract(path)
    schema = raw_schema(contract)
    stored = pa.schema([field for field in schema if field.name != contract.columns[-1].name])
    table = LakePaths(site / "var").table("raw", contract.name)
    made_with = {"schema_version": "0.9.0"}
    empty = stored.empty_table()
    tables.append(table, empty, stored, app_id=contract.contract_id, version=1, commit_metadata=made_with)
    found = run("diff", "lake", "--site", str(site), "--json")
    (difference,) = json.loads(found.output)
    assert (difference["contract_id"], difference["version_before"]) == (contract.contract_id, "0.9.0")
    (change,) = difference["changes"]
    assert change["column"] == contract.columns[-1].name
    assert change["where"].startswith(f"{path}:")


@pytest.mark.parametrize("name", ["no-such-revision", "/no/such/file"])
def test_a_state_that_nobody_knows_is_explained(name: str) -> None:
    found = run("diff", name)
    assert "is no path" in str(found.exception)
