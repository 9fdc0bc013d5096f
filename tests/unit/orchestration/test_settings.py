"""Settings: found, read strictly, and the only way a secret gets in."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import Secrets, find_site, load_settings
from orchestration.site import SettingsError

SITE = """\
schema_version: 1
site_id: plant_a
label_zh: 甲厂
label_en: Plant A
kind: park
park: 某园区
county: 某县
environment: demo
first_date: 2026-11-16
"""


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("CHEMLINK_SITE", raising=False)
    (tmp_path / "site.yml").write_text(SITE, encoding="utf-8")
    return tmp_path


def test_a_site_is_read_with_its_defaults(site):
    settings = load_settings(site)
    assert settings.site.label_zh == "甲厂"
    assert settings.zone.key == "Asia/Shanghai"
    assert settings.state_url == f"sqlite:///{site / 'var' / 'state.db'}"
    assert settings.clock.speed == 1


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("colour: red\n", "colour"),
        ("zone: Mars/Olympus\n", "Mars/Olympus"),
        ("webserver_port: 0\n", "webserver_port"),
    ],
)
def test_a_wrong_key_is_named(site, line, named):
    (site / "site.yml").write_text(SITE + line, encoding="utf-8")
    with pytest.raises(SettingsError, match=named):
        load_settings(site)


def test_a_missing_site_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="chemlink init"):
        load_settings(tmp_path)


def test_the_option_wins_over_the_variable_and_that_over_the_folder(site, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(site)
    assert find_site(None) == site
    other = tmp_path_factory.mktemp("other")
    monkeypatch.setenv("CHEMLINK_SITE", str(other))
    assert find_site(None) == other
    assert find_site(site) == site


def test_without_any_site_the_three_ways_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("CHEMLINK_SITE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="--site nor CHEMLINK_SITE"):
        find_site(None)


def test_a_secret_of_the_environment_wins_over_its_file(tmp_path):
    (tmp_path / "erp_url").write_text("from-file\n", encoding="utf-8")
    assert Secrets(tmp_path, {})("erp_url") == "from-file"
    assert Secrets(tmp_path, {"CHEMLINK_SECRET_ERP_URL": "from-env"})("erp_url") == "from-env"


def test_a_missing_secret_says_where_to_put_it_and_a_secret_is_never_shown(tmp_path):
    secrets = Secrets(tmp_path, {"CHEMLINK_SECRET_KEY": "hunter2"})
    with pytest.raises(SettingsError, match=r"erp_url.*CHEMLINK_SECRET_ERP_URL"):
        secrets("erp_url")
    assert "hunter2" not in repr(secrets)
    assert secrets.overrides() == {"key": "hunter2"}


def test_a_clock_set_later_is_followed(site):
    settings = load_settings(site)
    clock = (
        '{"origin_real_utc": "2026-01-01T00:00:00Z", "origin_plant_utc": "2020-01-01T00:00:00Z", "speed": 60}'
    )
    (site / "clock.json").write_text(clock, encoding="utf-8")
    assert settings.clock.speed == 60


def test_a_wrong_clock_is_told_when_the_site_is_loaded(site):
    (site / "clock.json").write_text('{"speed": 60}', encoding="utf-8")
    with pytest.raises(SettingsError, match="origin_real_utc"):
        load_settings(site)


def test_children_are_silent_and_know_their_site(site):
    environment = load_settings(site).child_environment()
    assert environment["CHEMLINK_SITE"] == str(site)
    assert environment["DAGSTER_DISABLE_TELEMETRY"]
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "False"
    assert environment["GX_ANALYTICS_ENABLED"] == "False"
