"""What dbt's parser does not know: layers, descriptions, portable SQL, one origin of rules and reports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exports.reports import reports_from_manifest
from ingestion.hot_rules import Timing
from transforms import oxygen, statistics

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "dbt_project"
MODEL_FILES = sorted((PROJECT / "models").rglob("*.sql"))
MACRO_FILES = sorted((PROJECT / "macros").rglob("*.sql"))
PREFIX_OF_LAYER = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_"),
    "regulatory": ("reg_",),
    "ops": ("ops_",),
}
MAY_READ = {
    "staging": {"source", "seed", "staging"},
    "intermediate": {"seed", "staging", "intermediate", "marts"},
    "marts": {"seed", "staging", "intermediate", "marts"},
    "regulatory": {"staging", "marts"},
    "ops": {"seed", "staging", "intermediate", "marts"},
}
# An increment needs to know what arrived, which the raw table itself says.
READS_ARRIVALS = {"int_monitoring__samples_marked"}
# Which codes are used is asked of every table as its contract names the columns.
READS_EVERY_CODE = {"int_business__codes_used"}
ENFORCED = {"marts", "regulatory", "ops"}
# DuckDB alone knows these; the same models run on Spark dialects, through the macros of dialect.sql.
NOT_PORTABLE = {
    "qualify": r"\bqualify\b",
    "ignore nulls": r"\bignore\s+nulls\b",
    "group by all": r"\b(group|order)\s+by\s+all\b",
    "exclude": r"\bexclude\s*\(",
    "date_diff": r"\bdate_?diff\s*\(",
    "to_timestamp": r"\bto_timestamp\s*\(",
    "epoch": r"\bepoch(_ms|_us)?\s*\(",
    "time_bucket": r"\btime_bucket\s*\(",
    "at time zone": r"\bat\s+time\s+zone\b",
    "asof join": r"\basof\b",
    "max_by or arg_max": r"\b(max_by|min_by|arg_max|arg_min)\s*\(",
    "list or struct literal": r"(?<![\w)])\[|\{\s*'",
    "cast by ::": r"::",
    "interval": r"\binterval\b",
}
# Doubles are added through macros/sums.sql; a plain sum is of counts, or counts itself.
ADDS_DOUBLES = re.compile(
    r"""\bavg\s*\( | \bsum\s*\(
    (?! \s* (?: [\w.]*_count | case\s+when\b (?:(?!\bthen\b).)* \bthen\s+[01]\s+else\s+[01]\s+end )\s*\) )""",
    re.DOTALL | re.VERBOSE,
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    target = tmp_path_factory.mktemp("dbt_parse")
    places = {"CHEMLINK_LAKE": "lake", "CHEMLINK_CODE": str(ROOT), "DBT_PROFILES_DIR": str(PROJECT)}
    dbt = Path(sys.executable).with_name("dbt")
    done = subprocess.run(
        [dbt, "parse", "--project-dir", PROJECT, "--target-path", target, "--log-path", target],
        env=os.environ | places,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout, done.stdout
    parsed: dict[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return parsed


def models(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (node for node in manifest["nodes"].values() if node["resource_type"] == "model")


def layer_of(node: dict[str, Any]) -> str:
    return str(node["schema"]) if node["resource_type"] == "model" else str(node["resource_type"])


def sql_without_jinja(text: str) -> str:
    """What stands in a file as SQL: no comments, no jinja, no text of literals."""
    for pattern in (r"\{#.*?#\}", r"\{%.*?%\}", r"\{\{.*?\}\}", r"--[^\n]*"):
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    return re.sub(r"'[^']*'", "''", text)


def portable_macros(text: str) -> str:
    """A macro file without what is DuckDB's or Spark's own."""
    own = r"\{% macro (default|spark)__.*?\{%-? endmacro %\}"
    return re.sub(own, " ", text, flags=re.DOTALL)


def test_every_model_has_its_yml_beside_it() -> None:
    missing = [path.name for path in MODEL_FILES if not path.with_suffix(".yml").is_file()]
    assert not missing
    orphans = [
        path.name
        for path in (PROJECT / "models").rglob("*.yml")
        if not path.name.startswith("_") and not path.with_suffix(".sql").is_file()
    ]
    assert not orphans


def test_a_model_is_named_by_its_layer(manifest: dict[str, Any]) -> None:
    wrong = [
        node["name"]
        for node in models(manifest)
        if not node["name"].startswith(PREFIX_OF_LAYER[node["schema"]])
    ]
    assert not wrong


def test_every_model_says_its_grain_in_both_languages_and_every_column_what_it_is(
    manifest: dict[str, Any],
) -> None:
    for node in models(manifest):
        text = node["description"]
        assert re.search(r"[一-鿿]", text), f"{node['name']}: no Chinese description"
        assert "One row:" in text, f"{node['name']}: the description does not say what one row is"
        assert node["columns"], f"{node['name']}: no columns are described"
        for column in node["columns"].values():
            assert re.search(r"[a-zA-Z].* / .*[一-鿿]", column["description"]), (
                f"{node['name']}.{column['name']}: expected 'English / 中文', found {column['description']!r}"
            )


def test_every_model_has_an_owner_and_a_test_of_its_grain(manifest: dict[str, Any]) -> None:
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("test_metadata", {}).get("name") in {"unique", "unique_combination"}
    }
    for node in models(manifest):
        assert node["unique_id"] in tested, f"{node['name']}: no test that one row is one row"
        assert node["config"]["group"], f"{node['name']}: no group"
        assert node["config"]["meta"]["owner"], f"{node['name']}: no owner"


def test_a_layer_reads_only_the_layers_below_it(manifest: dict[str, Any]) -> None:
    everything = manifest["nodes"] | manifest["sources"]
    for node in models(manifest):
        for parent in node["depends_on"]["nodes"]:
            layer = layer_of(everything[parent])
            if layer == "source" and node["name"] in READS_ARRIVALS | READS_EVERY_CODE:
                continue
            assert layer in MAY_READ[node["schema"]], f"{node['name']} ({node['schema']}) reads {parent}"


def test_consumers_read_only_marts_and_regulatory_tables(manifest: dict[str, Any]) -> None:
    for exposure in manifest["exposures"].values():
        for parent in exposure["depends_on"]["nodes"]:
            assert manifest["nodes"][parent]["schema"] in {"marts", "regulatory"}, exposure["name"]


def test_what_leaves_dbt_has_an_enforced_contract_with_types(manifest: dict[str, Any]) -> None:
    for node in models(manifest):
        if node["schema"] in ENFORCED:
            assert node["contract"]["enforced"], node["name"]
            assert all(column["data_type"] for column in node["columns"].values()), node["name"]


def test_daily_tables_say_when_they_were_built(manifest: dict[str, Any]) -> None:
    """The publication finds rebuilt days by this column."""
    for node in models(manifest):
        if node["schema"] in ENFORCED and "plant_date" in node["columns"]:
            assert "_built_at_utc" in node["columns"], node["name"]


@pytest.mark.parametrize("path", [*MODEL_FILES, *MACRO_FILES], ids=lambda path: path.name)
def test_sql_outside_the_dialect_macros_is_portable(path: Path) -> None:
    sql = sql_without_jinja(portable_macros(path.read_text(encoding="utf-8"))).lower()
    found = [name for name, pattern in NOT_PORTABLE.items() if re.search(pattern, sql)]
    assert not found, f"{path.name} uses {found}: say it through a macro of macros/dialect.sql"


@pytest.mark.parametrize(
    "path",
    [*MODEL_FILES, *(file for file in MACRO_FILES if file.name != "sums.sql")],
    ids=lambda path: path.name,
)
def test_sql_adds_doubles_in_no_order_of_the_engine(path: Path) -> None:
    found = ADDS_DOUBLES.findall(sql_without_jinja(path.read_text(encoding="utf-8")).lower())
    assert not found, f"{path.name} adds doubles up in an order that differs: say exact_sum or exact_mean"


def test_every_dialect_macro_exists_for_both_dialects() -> None:
    text = (PROJECT / "macros" / "dialect.sql").read_text(encoding="utf-8")
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", text))
    assert dispatched
    for dialect in ("default", "spark"):
        assert dispatched == set(re.findall(rf"macro {dialect}__(\w+)\(", text))


def test_rules_in_dbt_are_those_of_transforms() -> None:
    declared = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert (
        declared
        | {
            "normal_share_min": statistics.NORMAL_SHARE_MIN,
            "air_minute_min_samples": statistics.AIR_MINUTE.minimum_count,
            "air_ten_minute_min_minutes": statistics.AIR_TEN_MINUTE.minimum_count,
            "air_hour_min_minutes": statistics.AIR_HOUR.minimum_count,
            "air_day_min_hours": statistics.AIR_DAY.minimum_count,
            "water_ten_minute_min_flow_samples": statistics.WATER_TEN_MINUTE_FLOW.minimum_count,
            "water_hour_min_ten_minutes": statistics.WATER_HOUR.minimum_count,
            "water_day_min_hours": statistics.WATER_DAY.minimum_count,
            "oxygen_in_air_pct": oxygen.OXYGEN_IN_AIR_PCT,
            "oxygen_max_computable_pct": oxygen.MAX_COMPUTABLE_OXYGEN_PCT,
            "state_max_age_s": Timing().stale_after.total_seconds(),
        }
        == declared
    )


def test_every_report_reads_a_regulatory_model_and_names_endpoints_that_exist(
    manifest: dict[str, Any],
) -> None:
    regulatory = {node["name"] for node in models(manifest) if node["schema"] == "regulatory"}
    endpoints = {path.stem for path in (ROOT / "exports" / "endpoints").glob("*.yml")}
    reports = reports_from_manifest(manifest)
    assert {report.source_table for report in reports.values() if report.mode == "scheduled"} == regulatory
    for report in reports.values():
        assert set(report.endpoints) <= endpoints, report.report_id
