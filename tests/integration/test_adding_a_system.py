"""Adding a system is a folder, adding a table is a file: the rest appears; what is forgotten is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import yaml
from openpyxl import load_workbook

from contracts.dbt_sources import render_sources
from contracts.dictionary import render_dictionary
from contracts.template import CONTRACT_SHEET, render_template
from exports.endpoints import load_endpoints
from ingestion.errors import RegistryError
from ingestion.registry import PRODUCT_SYSTEMS, SystemSpec, discover_systems, load_registry
from orchestration.assembly import build_definitions
from orchestration.checks.contracts import SCHEMA_CHECK, VALUES_CHECK
from orchestration.dbt_manifest import build_manifest
from orchestration.dictionary_site import write_site
from orchestration.forgotten import forgotten_pieces
from orchestration.location import MANIFEST, Location
from orchestration.new_site import NewSite, make_site
from orchestration.phases import due_extracts
from orchestration.settings import load_settings

NEW_SYSTEM, NEW_TABLE = "raw_wms_south__lots", "raw_wms_main__pallets"
Edit = Callable[[Path], None]


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, Path]:
    """A product whose warehouse has one more table, and a site with one more warehouse of its own."""
    product, site = tmp_path / "product", tmp_path / "plant"
    shutil.copytree(PRODUCT_SYSTEMS, product)
    make_site(site, NewSite("site_a", "甲厂", "Plant A", "park", None, "某县", date(2026, 11, 16)))
    text = (product / "wms_main" / "lots.odcs.yaml").read_text(encoding="utf-8")
    pallets = text.replace("wms_main.lots", "wms_main.pallets").replace("- name: lots", "- name: pallets")
    (product / "wms_main" / "pallets.odcs.yaml").write_text(pallets, encoding="utf-8")
    own = site / "systems" / "wms_south"
    own.mkdir()
    for name in ("system.yml", "lots.odcs.yaml", "quirks.md"):
        text = (PRODUCT_SYSTEMS / "wms_main" / name).read_text(encoding="utf-8")
        (own / name).write_text(text.replace("wms_main", "wms_south"), encoding="utf-8")
    for system in ("wms_main", "wms_south"):
        reached = f"schema_version: 1\nsystem_id: {system}\nsecret: {system}_url\n"
        (site / "systems" / f"{system}.yml").write_text(reached, encoding="utf-8")
    return product, site


@pytest.fixture
def systems(tree: tuple[Path, Path]) -> tuple[SystemSpec, ...]:
    product, site = tree
    return load_registry(site, product_systems=product)


@pytest.fixture
def location(tree: tuple[Path, Path], systems: tuple[SystemSpec, ...]) -> Location:
    if not MANIFEST.is_file():
        build_manifest()
    settings = load_settings(tree[1])
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return Location(settings, systems, load_endpoints(tree[1] / "endpoints"), manifest)


@pytest.mark.parametrize("table", [NEW_SYSTEM, NEW_TABLE])
def test_asset_checks_and_schedule_appear(
    table: str, location: Location, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("orchestration.assets.absent.discover_systems", lambda: ())
    graph = build_definitions(location).resolve_asset_graph()
    key = dg.AssetKey(["raw", table])
    node = graph.get(key)
    assert node.owners == ["team:warehouse"]
    assert node.group_name == table.removeprefix("raw_").split("__")[0]
    assert node.freshness_policy is not None
    checks = {check.name for check in graph.get_check_keys_for_assets({key})}
    assert {SCHEMA_CHECK, VALUES_CHECK} <= checks
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        workshop: Any = SimpleNamespace(settings=location.settings, location=location, instance=instance)
        assert key in due_extracts(workshop), "the tick that reads what is due reads it too"


@pytest.mark.parametrize("table", [NEW_SYSTEM, NEW_TABLE])
def test_source_template_and_dictionary_pages_appear(
    table: str, tree: tuple[Path, Path], systems: tuple[SystemSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    contracts = {contract.name: contract for system in systems for contract in system.tables}
    sources = yaml.safe_load(render_sources(contracts.values()))["sources"]
    assert table in {found["name"] for source in sources for found in source["tables"]}
    book = load_workbook(BytesIO(render_template(contracts[table])))
    assert book[CONTRACT_SHEET]["B1"].value == contracts[table].contract_id
    for language in ("zh", "en"):
        assert f'## <a id="{table}"></a>{table}' in render_dictionary(contracts.values(), language)
    monkeypatch.setattr("orchestration.dictionary_site.PRODUCT_SYSTEMS", tree[0])
    empty: dict[str, Any] = {"nodes": {}, "sources": {}}
    write_site(tree[1] / "dictionary", empty, {}, tree[1])
    for language in ("zh", "en"):
        page = (tree[1] / "dictionary" / language / f"{table}.html").read_text(encoding="utf-8")
        assert 'id="lot_id"' in page
        assert f"{table}.html" in (tree[1] / "dictionary" / language / "index.html").read_text(
            encoding="utf-8"
        )


def replaced(name: str, old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


FORGOTTEN: dict[str, tuple[Edit, str]] = {
    "system file": (lambda folder: (folder / "system.yml").unlink(), "wms_south/system.yml: cannot be read"),
    "contract": (lambda folder: (folder / "lots.odcs.yaml").unlink(), "a system without a contract"),
    "system's owner": (replaced("system.yml", "owner:", "# owner:"), "owner: Field required"),
    "system's label": (replaced("system.yml", "label_zh:", "# label_zh:"), "label_zh: Field required"),
    "owner": (replaced("lots.odcs.yaml", "team:", "# team:"), "the owner is missing"),
    "label": (
        replaced("lots.odcs.yaml", "synonyms: [{synonym: 批次号", "# [{synonym: 批次号"),
        "no Chinese label",
    ),
    "grade": (
        replaced("lots.odcs.yaml", "        classification:", "        # grade:"),
        "classification: expected",
    ),
    "category": (replaced("lots.odcs.yaml", "domain:", "# domain:"), "category of 7.2.2 a"),
    "cadence": (replaced("lots.odcs.yaml", "property: frequency", "property: latency"), "no frequency"),
    "grain": (
        replaced("lots.odcs.yaml", "dataGranularityDescription:", "# grain:"),
        "what one row is is missing",
    ),
    "key": (replaced("lots.odcs.yaml", "primaryKey: true", "primaryKey: false"), "a key is required"),
    "way of reading": (
        replaced("lots.odcs.yaml", "extractMode", "extractWay"),
        "extractMode: expected one of",
    ),
}


@pytest.mark.parametrize("piece", FORGOTTEN)
def test_a_forgotten_piece_of_the_folder_is_named(piece: str, tree: tuple[Path, Path]) -> None:
    product, site = tree
    edit, said = FORGOTTEN[piece]
    edit(site / "systems" / "wms_south")
    with pytest.raises(RegistryError) as caught:
        load_registry(site, product_systems=product)
    assert said in str(caught.value)
    assert "wms_south" in str(caught.value)


def test_a_site_that_does_not_say_how_to_reach_its_system_does_not_have_it(tree: tuple[Path, Path]) -> None:
    product, site = tree
    (site / "systems" / "wms_south.yml").write_text(
        "schema_version: 1\nsystem_id: wms_south\n", encoding="utf-8"
    )
    with pytest.raises(RegistryError, match="needs the name of the secret"):
        load_registry(site, product_systems=product)


def test_what_the_product_forgets_beyond_the_contract_is_named(tree: tuple[Path, Path]) -> None:
    product, _ = tree
    (product / "wms_main" / "quirks.md").unlink()
    told = forgotten_pieces(discover_systems(product))
    assert [line.split(":")[0].rpartition("/")[2] for line in told] == [
        "quirks.md",
        "stg_wms_main__pallets.sql",
        "stg_wms_main__pallets.yml",
    ]
    assert "raw_wms_main__pallets has no staging model" in told[1]
