from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from exports.endpoints import load_endpoints, refusal_of
from exports.errors import MissingSecretError, SpecError
from exports.reports import load_reports, reports_from_manifest
from exports.secrets import SiteSecrets
from tests.fakes.export_site import park, province, report

ROOT = Path(__file__).parents[3]
DECLARED = {
    "label_zh": "小时数据",
    "label_en": "Hourly data",
    "mode": "scheduled",
    "period": "hour",
    "source_table": "reg_province__hj212_hour",
    "due_minutes": 10,
    "grace_minutes": 50,
    "endpoints": ["province_hj212"],
    "renderer": "hj212",
    "command": "2061",
    "subject": "outlet",
    "gate": None,
    "clause": "8.9.2.1.1",
}


def manifest(**declared: Any) -> dict[str, Any]:
    return {
        "exposures": {
            "exposure.chemlink.hour": {
                "name": "province_hj212_hour",
                "config": {"meta": {"report": {**DECLARED, **declared}}},
            },
            "exposure.chemlink.dashboard": {"name": "dashboard", "config": {"meta": {}}},
        }
    }


def test_an_exposure_with_a_report_is_the_report_and_others_are_not() -> None:
    found = reports_from_manifest(manifest())
    assert set(found) == {"province_hj212_hour"}
    assert found["province_hj212_hour"].command == "2061"


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ({"dew_minutes": 5}, "dew_minutes"),
        ({"command": None}, "command"),
        ({"renderer": "park_json"}, "command"),
        ({"mode": "stream"}, "real_time"),
        ({"period": "fortnight"}, "period"),
        ({"subject": "site"}, "outlet"),
        ({"renderer": "park_json", "command": None}, "subject site"),
        ({"due_minutes": -1}, "due_minutes"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused_by_name(declared: dict[str, Any], named: str) -> None:
    with pytest.raises(SpecError, match="province_hj212_hour") as refused:
        reports_from_manifest(manifest(**declared))
    assert named in str(refused.value)


def test_a_missing_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="dbt parse"):
        load_reports(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest()))
    assert set(load_reports(tmp_path / "manifest.json")) == {"province_hj212_hour"}


def test_the_products_own_endpoints_are_all_inactive() -> None:
    endpoints = load_endpoints(None)
    assert endpoints
    assert {spec.status for spec in endpoints.values()} == {"inactive"}
    assert all(spec.environments == () for spec in endpoints.values())


def test_the_reference_plants_endpoints_lie_over_the_products(tmp_path: Path) -> None:
    for template in (ROOT / "reference_plant/site/endpoints").glob("*.yml"):
        filled = string.Template(template.read_text()).substitute(PROVINCE_PORT=2012, PARK_PORT=2443)
        (tmp_path / template.name).write_text(filled)
    endpoints = load_endpoints(tmp_path)
    assert {spec.status for spec in endpoints.values()} == {"active"}
    hj212 = endpoints["province_hj212"]
    assert hj212.transport.type == "hj212_tcp"
    assert hj212.transport.port == 2012
    assert hj212.transport.password_secret == "province_hj212_password"
    assert hj212.order.window == 4, "what the site does not say comes from the product's file"


def test_a_new_endpoint_is_one_file(tmp_path: Path) -> None:
    spec = park(443).model_dump(mode="json") | {"endpoint_id": "county_https"}
    (tmp_path / "county_https.yml").write_text(yaml.safe_dump(spec))
    assert "county_https" in load_endpoints(tmp_path)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"statsu": "active"}, "statsu"),
        ({"endpoint_id": "another"}, "expected the file's name"),
        ({"transport": {"type": "carrier_pigeon"}}, "carrier_pigeon"),
        ({"schema_version": 2}, "schema_version"),
        ({"order": {"window": 4}}, "window"),
    ],
)
def test_a_faulty_endpoint_file_is_refused_by_name(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    spec = park(443).model_dump(mode="json") | {"endpoint_id": "county_https"} | changed
    (tmp_path / "county_https.yml").write_text(yaml.safe_dump(spec))
    with pytest.raises(SpecError, match=r"county_https\.yml") as refused:
        load_endpoints(tmp_path)
    assert named in str(refused.value)


def test_an_endpoint_url_must_be_https() -> None:
    with pytest.raises(ValidationError, match="url"):
        park(443, transport={**park(443).transport.model_dump(), "url": "http://127.0.0.1/reports"})


@pytest.mark.parametrize(
    ("changed", "environment", "code"),
    [
        ({}, "demo", None),
        ({"status": "testing"}, "demo", "status_testing"),
        ({"status": "inactive"}, "demo", "status_inactive"),
        ({}, "production", "environment_not_listed"),
        ({"environments": []}, "demo", "environment_not_listed"),
    ],
)
def test_only_an_active_endpoint_in_a_listed_environment_is_addressed(
    tmp_path: Path, changed: dict[str, Any], environment: str, code: str | None
) -> None:
    secrets = SiteSecrets(tmp_path, {"province_hj212_password": "aB3xYz"})
    refusal = refusal_of(province(1, **changed), environment, secrets)
    assert (refusal.code if refusal else None) == code


def test_a_missing_secret_is_a_reason_to_send_nothing(tmp_path: Path) -> None:
    refusal = refusal_of(province(1), "demo", SiteSecrets(tmp_path))
    assert refusal is not None
    assert refusal.code == "secret_province_hj212_password"
    assert "CHEMLINK_SECRET_PROVINCE_HJ212_PASSWORD" in refusal.reason_en


def test_secrets_come_from_files_only_their_owner_reads_and_overrides_win(tmp_path: Path) -> None:
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("from file\n")
    assert SiteSecrets(tmp_path).read("key") == "from file"
    assert SiteSecrets(tmp_path, {"key": "given"}).read("key") == "given"
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(SpecError, match="chmod 600"):
        SiteSecrets(tmp_path).read("key")
    with pytest.raises(MissingSecretError):
        SiteSecrets(tmp_path).read("other")
    assert "given" not in repr(SiteSecrets(tmp_path, {"key": "given"}))


def test_a_report_to_an_undeclared_endpoint_cannot_be_built(tmp_path: Path) -> None:
    from exports.outbox import build_due
    from tests.fakes.export_site import SetClock, local, make_site

    now = local("2026-11-17T06:30:00")
    site = make_site(tmp_path, SetClock(now))
    with pytest.raises(SpecError, match="province_hj212"):
        build_due(site, {"province_hj212_hour": report()}, {"park_https": park(1)}, since=now)
