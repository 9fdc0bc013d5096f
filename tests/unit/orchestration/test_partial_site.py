"""A real plant has not every system of the product: its asset graph and its tick do without the others."""

from __future__ import annotations

from datetime import date

import dagster as dg
from typer.testing import CliRunner

from ingestion.landing_rows import create_stream_tables
from orchestration.assembly import build_definitions
from orchestration.cli import app
from orchestration.dbt_manifest import build_manifest
from orchestration.location import MANIFEST, load_location
from orchestration.new_site import NewSite, make_site
from orchestration.phases import Workshop, model_keys, streams_of_the_product
from orchestration.services import state_store
from orchestration.settings import load_settings


def test_a_site_with_its_registers_alone_has_models_to_build_and_leaves_out_the_rest(tmp_path):
    if not MANIFEST.is_file():
        build_manifest()
    make_site(tmp_path / "site", NewSite("plant", "厂", "Plant", "park", None, "县", date(2026, 11, 16)))
    settings = load_settings(tmp_path / "site")
    settings.var.mkdir(exist_ok=True)
    location = load_location(settings)
    with dg.DagsterInstance.ephemeral() as instance, state_store(settings) as state:
        found = model_keys(Workshop(location, build_definitions(location), instance, state))
    assert dg.AssetKey(["marts", "dim_date"]) in found
    assert dg.AssetKey(["marts", "fct_sales_order_lines"]) not in found


def test_a_site_without_one_control_system_still_builds_its_regulatory_tables(tmp_path):
    make_site(tmp_path / "site", NewSite("plant", "厂", "Plant", "park", None, "县", date(2026, 11, 16)))
    settings = load_settings(tmp_path / "site")
    for table in ("outlets", "outlet_points", "outlet_limits", "code_mappings"):
        CliRunner().invoke(app, ["extract", f"raw_site_register__{table}", "--site", str(tmp_path / "site")])
    create_stream_tables(settings.lake, streams_of_the_product())
    location = load_location(settings)
    with dg.DagsterInstance.ephemeral() as instance, state_store(settings) as state:
        found = model_keys(Workshop(location, build_definitions(location), instance, state))
    assert dg.AssetKey(["regulatory", "reg_province__hj212_hour"]) in found
