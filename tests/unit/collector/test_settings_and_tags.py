"""Settings and tag tables: what is half declared, misspelt or unsafe is refused with the place named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.collector.settings import SettingsError, load_settings
from ingestion.collector.tag_table import COLUMNS, TagTableError, load_tags

SETTINGS = """
schema_version: 1
collector_id: one
servers:
  - system_id: opcua_environment
    url: opc.tcp://127.0.0.1:4840/
    tags: tags/env.csv
gateway: {drop_dir: var/inbox}
"""
ROW = {
    "tag_id": "DA001.SO2",
    "node_id": "nsu=urn:a;s=DA001.SO2",
    "label_zh": "二氧化硫",
    "label_en": "SO2",
    "unit": "mg/m3",
    "range_low": "0",
    "range_high": "",
    "data_type": "double",
    "sampling_ms": "5000",
    "queue_size": "10",
    "area": "env",
    "equipment_id": "",
    "has_history": "true",
}


def write_settings(folder: Path, text: str = SETTINGS) -> Path:
    path = folder / "collector.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_resolved_against_the_files_folder_wherever_it_is_read_from(tmp_path: Path) -> None:
    settings = load_settings(write_settings(tmp_path))
    assert settings.servers[0].tags == tmp_path / "tags" / "env.csv"
    assert settings.pki.sign_key == tmp_path / "pki" / "gateway_sign.pem"
    assert settings.state_dir == tmp_path / "var" / "collector"
    assert settings.gateway is not None
    assert settings.gateway.drop_dir == tmp_path / "var" / "inbox"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("collector_id: one", "collector_id: one\nspeed: 3", "speed"),
        ("schema_version: 1", "schema_version: 2", "schema_version"),
        ("opc.tcp://", "http://", "url"),
        (
            "tags: tags/env.csv",
            "tags: tags/env.csv\n    security: {policy: None}",
            "allow_plain_text: true",
        ),
        ("tags: tags/env.csv", "", "tags"),
        ("system_id: opcua_environment", "system_id: ../x", "system_id"),
        ("gateway: {drop_dir: var/inbox}", "gateway: {drop: x}", "gateway"),
        ("servers:", "servers: [", "collector.yml"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named.replace(".", r"\.")):
        load_settings(write_settings(tmp_path, SETTINGS.replace(old, new)))


def test_a_system_named_twice_is_refused(tmp_path: Path) -> None:
    again = "  - {system_id: opcua_environment, url: 'opc.tcp://b', tags: t.csv}\ngateway:"
    with pytest.raises(SettingsError, match="twice"):
        load_settings(write_settings(tmp_path, SETTINGS.replace("gateway:", again)))


def write_tags(folder: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    path = folder / "tags.csv"
    lines = [",".join(columns), *(",".join(row.get(name, "") for name in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_tag_is_read_and_its_namespace_found_by_uri_on_each_server(tmp_path: Path) -> None:
    (tag,) = load_tags(write_tags(tmp_path, ROW))
    assert (tag.range_low, tag.range_high, tag.equipment_id, tag.has_history) == (0.0, None, None, True)
    assert tag.resolve(["http://opcfoundation.org/UA/", "urn:b", "urn:a"]) == "ns=2;s=DA001.SO2"
    assert tag.resolve(["http://opcfoundation.org/UA/", "urn:b"]) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"node_id": "ns=2;s=DA001.SO2"}, "nsu=<namespace uri>"),
        ({"node_id": ""}, "node_id is empty"),
        ({"has_history": "yes"}, "has_history is 'yes'"),
        ({"range_low": "low"}, "line 2"),
        ({"sampling_ms": "fast"}, "line 2"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, change: dict[str, str], named: str) -> None:
    with pytest.raises(TagTableError, match=named):
        load_tags(write_tags(tmp_path, {**ROW, **change}))


def test_a_repeated_tag_an_empty_table_and_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TagTableError, match="twice"):
        load_tags(write_tags(tmp_path, ROW, ROW))
    with pytest.raises(TagTableError, match="no rows"):
        load_tags(write_tags(tmp_path))
    with pytest.raises(TagTableError, match=r"missing columns \['area'\]"):
        load_tags(write_tags(tmp_path, ROW, columns=tuple(name for name in COLUMNS if name != "area")))
    with pytest.raises(TagTableError, match="nowhere"):
        load_tags(tmp_path / "nowhere.csv")
