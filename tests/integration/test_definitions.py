"""The code location on the reference site: it loads fast, and every asset says who it is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dbt_manifest import build_manifest
from orchestration.location import MANIFEST, load_location
from orchestration.settings import load_settings
from reference_plant.init import PlantOptions, make_site

SNAPSHOT = Path(__file__).parent / "snapshots" / "asset_keys.json"
LOAD = "import sys, orchestration.definitions as d; print('great_expectations' in sys.modules, bool(d.defs))"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "plant"
    make_site(folder, PlantOptions())
    if not MANIFEST.is_file():
        build_manifest()
    return folder


@pytest.fixture(scope="module")
def definitions(site) -> dg.Definitions:
    from orchestration.assembly import build_definitions

    settings = load_settings(site)
    settings.enter()
    return build_definitions(load_location(settings))


@pytest.fixture(scope="module")
def nodes(definitions) -> dict[str, object]:
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def test_the_definitions_are_loadable(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_the_code_location_loads_without_great_expectations(site):
    environment = load_settings(site).child_environment()
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "True"], ran.stderr
    # A guard against a network call or a parse on load, not a benchmark: an idle machine takes 3 s.
    assert time.monotonic() - began < 30


def test_asset_keys_change_only_on_purpose(nodes):
    """A renamed asset loses its history; to accept a change, write the new list to the snapshot."""
    assert sorted(nodes) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_asset_has_owner_group_kind_and_both_languages(nodes):
    for name, node in nodes.items():
        description = node.description or ""
        assert node.owners, f"{name} has no owner"
        assert node.group_name not in (None, "default"), f"{name} has no group"
        assert node.kinds, f"{name} has no kind"
        assert any("\u4e00" <= letter <= "\u9fff" for letter in description), (
            f"{name} has no Chinese description"
        )
        assert any(letter.isascii() and letter.isalpha() for letter in description), (
            f"{name} has no English one"
        )


def test_the_graph_runs_from_device_to_receipt(nodes):
    def ancestors(name: str) -> set[str]:
        found: set[str] = set()
        frontier = {name}
        while frontier:
            parents = {key.to_user_string() for child in frontier for key in nodes[child].parent_keys}
            frontier = parents - found
            found |= frontier
        return found

    for report in ("province_hj212/province_hj212_hour", "park_https/park_outlet_hourly"):
        behind = ancestors(f"export/{report}")
        assert "device/opcua_environment" in behind
        assert "gateway/opcua_environment__points" in behind
        assert "source/site_register" in behind
    assert "device/opcua_environment" in ancestors("export/province_hj212/province_hj212_realtime")


def test_every_raw_table_of_the_site_has_a_blocking_schema_check(definitions, nodes, site):
    graph = definitions.resolve_asset_graph()
    blocking = {
        key.asset_key.to_user_string()
        for key in graph.asset_check_keys
        if key.name == "contract_schema" and graph.get(key).blocking
    }
    systems = load_location(load_settings(site)).systems
    tables = {f"raw/{contract.name}" for system in systems for contract in system.tables}
    assert blocking == tables
    assert {name for name in nodes if name.startswith("raw/")} > tables, "other tables are there to be read"


def test_every_scheduled_report_has_a_gate_and_every_export_a_check_on_its_receipts(definitions, site):
    location = load_location(load_settings(site))
    names = {
        (key.asset_key.to_user_string(), key.name)
        for key in definitions.resolve_asset_graph().asset_check_keys
    }
    for report, endpoint in location.deliveries():
        assert (f"export/{endpoint.endpoint_id}/{report.report_id}", "receipts_on_time") in names
        if report.mode == "scheduled":
            assert (f"regulatory/{report.source_table}", f"gate_{report.report_id}") in names


def test_daily_tables_and_exports_are_partitioned_by_plant_day(nodes):
    for name in ("raw/raw_opcua_environment__points", "regulatory/reg_province__hj212_hour"):
        assert nodes[name].is_partitioned, name
    for name, node in nodes.items():
        if name.startswith("export/"):
            assert node.partitions_def.timezone == "Asia/Shanghai", name


def test_single_writer_parts_have_a_pool(definitions):
    pools = {
        assets.op.pool
        for assets in definitions.resolve_asset_graph().assets_defs
        if assets.is_executable and assets.keys
    }
    assert "duckdb" in pools
    assert "outbox_province_hj212" in pools
    assert "delta_raw_erp_main__customers" in pools


def test_a_production_clock_gets_schedules_by_regulation(site, tmp_path):
    from orchestration.assembly import build_definitions

    (site / "clock.json").rename(tmp_path / "clock.json")
    try:
        found = build_definitions(load_location(load_settings(site)))
        schedules = {schedule.name: schedule.cron_schedule for schedule in found.schedules or []}
    finally:
        (tmp_path / "clock.json").rename(site / "clock.json")
    assert schedules == {
        "due_ten_minute": "6-59/10 * * * *",
        "due_hour": "11 * * * *",
        "due_day": "21 0 * * *",
    }
