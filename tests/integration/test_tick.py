"""One tick on a site whose databases are down and whose collector never ran: what can be done is done."""

from __future__ import annotations

import fcntl
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import insert

from lake import tables
from lake.catalog import query
from lake.findings import open_findings
from lake.state import migrate, utc_text
from lake.state_tables import gaps
from orchestration import phases
from orchestration.dbt_manifest import build_manifest
from orchestration.delivery import overdue
from orchestration.doctor import examine
from orchestration.location import MANIFEST
from orchestration.services import state_store
from orchestration.settings import Settings, load_settings
from orchestration.tick import TickReport, run_tick
from reference_plant.init import PlantOptions, make_site


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("site") / "plant"
    make_site(folder, PlantOptions())
    (folder / "endpoints" / "park_https.yml").write_text(
        "schema_version: 1\nendpoint_id: park_https\nstatus: inactive\n", encoding="utf-8"
    )
    if not MANIFEST.is_file():
        build_manifest()
    settings = load_settings(folder)
    migrate(settings.state_url, settings.lake)
    with state_store(settings) as state, state.begin() as connection:
        at = utc_text(settings.clock.now())
        connection.execute(
            insert(gaps).values(stream="opcua_environment.points", sequence=7, detected_at_utc=at)
        )
    return settings


@pytest.fixture(scope="module")
def report(settings) -> TickReport:
    return run_tick(settings)


def phase(report: TickReport, name: str):
    return next(phase for phase in report.phases if phase.phase == name)


def test_sources_that_are_down_fail_alone_and_say_so(report):
    failures = phase(report, "extract").failures
    assert failures
    databases = tuple(f"raw__raw_{name}" for name in ("erp", "mes", "wms", "lims", "qms"))
    assert all(text.startswith(databases) for text in failures), failures
    assert all("Failed to connect" in text for text in failures)
    assert not report.succeeded


def test_everything_else_of_the_tick_still_ran(report):
    assert phase(report, "extract").materialized >= 4  # the site's own registers
    assert phase(report, "models").failures == []
    assert phase(report, "models").materialized > 10
    assert phase(report, "operations").failures == []


def test_models_behind_tables_that_are_not_there_are_left_out(settings, report):
    built = settings.lake.tables("marts")
    assert "dim_outlet" in built
    assert "fct_sales_order_lines" not in built  # the ERP is down and nothing of it ever landed
    assert "fct_monitoring_hour" in built  # a control system that never sent stands as an empty table


def test_the_catalogue_answers_from_what_was_published(settings, report):
    answer = query(settings.lake.catalog, "select count(*) as n from marts.dim_outlet")
    assert answer.column("n").to_pylist() == [4]


def test_a_missing_mandatory_endpoint_and_a_gap_are_findings_in_both_languages(settings, report):
    with state_store(settings) as state, state.read() as connection:
        found = {row["kind"]: dict(row) for row in open_findings(connection)}
    assert found["missing_endpoint"]["subject"] == "park"
    assert "第 6 章" in found["missing_endpoint"]["cause_zh"]
    assert "7" in found["stream_gap"]["cause_en"]


def test_a_second_tick_closes_what_is_mended_and_extracts_only_what_is_due(settings, report):
    (settings.site_dir / "endpoints" / "park_https.yml").unlink()
    (settings.site_dir / "endpoints" / "park_https.yml").write_text(
        "schema_version: 1\nendpoint_id: park_https\nstatus: active\nenvironments: [demo]\n", encoding="utf-8"
    )
    again = run_tick(settings)
    assert again.findings["missing_endpoint"] == 0
    with state_store(settings) as state, state.read() as connection:
        assert open_findings(connection, "missing_endpoint") == []


def test_ticks_of_one_site_never_overlap(settings, report):
    with (settings.run_dir / "tick.lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        skipped = run_tick(settings)
    assert skipped.skipped
    assert skipped.phases == []


def test_doctor_names_the_gap_the_silence_and_the_broken_chain(settings, report):
    found = {diagnosis.subject: diagnosis for diagnosis in examine(settings)}
    assert found["stream opcua_environment.points"].level == "error"
    assert found["disk"].level in {"ok", "error"}
    chain = examine(settings, "DA001")
    silent = [item for item in chain if item.subject == "tag DA001.NOX"]
    assert silent[0].level == "error"
    assert silent[0].remedy_zh
    assert any("GB 13271-2014" in item.found_en for item in chain)
    assert examine(settings, "NO.SUCH")[0].level == "error"


def test_nothing_is_overdue_where_nothing_was_queued(settings, report):
    with state_store(settings) as state:
        assert overdue(state, "province_hj212_hour", "province_hj212", 50) == []


def test_a_failed_gate_stops_its_report_and_nothing_else(settings, report):
    row = {
        "outlet_id": "DA001",
        "outlet_name_zh": "锅炉烟囱",
        "factor_code": "a21002",
        "factor_name_zh": "氮氧化物",
        "period_start_utc": datetime(2026, 11, 16, 6, tzinfo=UTC),
        "plant_date": date(2026, 11, 16),
        "unit": "mg/m3",
        "avg_value": 600.0,
        "converted_avg_value": 610.0,
        "emission_kg": 1.5,
        "data_flag": "N",
        "limit_value": 150.0,
        "limit_basis": "converted",
        "standard_no": "GB 13271-2014",
        "standard_name_zh": "锅炉大气污染物排放标准",
        "is_exceeded": False,
    }
    rows = pa.Table.from_pylist([row])
    path = settings.lake.table("regulatory", "reg_park__outlet_hourly")
    tables.overwrite(path, rows, rows.schema, partition_by=["plant_date"])
    with phases.open_workshop(settings) as workshop:
        queued = phases.queue_reports(workshop)
        with workshop.state.read() as connection:
            held = [finding["subject"] for finding in open_findings(connection, "report_held")]
    [failure] = queued.failures
    assert failure.startswith("export__park_https__park_outlet_hourly")
    assert "超标判定与限值不符" in failure
    assert "DA001" in failure
    assert queued.materialized == 3  # the province's three scheduled reports
    assert held == ["park_outlet_hourly"]
