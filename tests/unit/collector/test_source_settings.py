"""Settings, mappings and tag tables of sources: strict, and the template's examples are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.collector.settings import SettingsError, load_settings
from ingestion.collector.sources.hj212_devices import Devices
from ingestion.collector.sources.mapping import Mapping, load_mapping, resolve
from ingestion.collector.sources.settings import Hj212Settings, MqttSettings
from ingestion.collector.sources.tags import COLUMNS, load_source_tags
from ingestion.collector.tag_table import TagTableError

TEMPLATE = Path(__file__).parents[3] / "orchestration" / "site_template"
MQTT = {"kind": "mqtt", "system_id": "iot_a", "host": "h", "client_id": "c", "mapping": "m.yml"}
HJ212 = {
    "kind": "hj212",
    "system_id": "hj_a",
    "host": "192.0.2.1",
    "peers": ["192.0.2.0/24"],
    "devices": [{"mn": "A1", "password_file": "pw"}],
}
PLAIN = {"allow_plain_text": True}


def load(tmp_path: Path, *sources: dict[str, Any]) -> Any:
    path = tmp_path / "collector.yml"
    content = {"schema_version": 1, "collector_id": "c", "sources": list(sources)}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_settings(path).sources


def test_sources_need_no_server_and_their_paths_start_at_the_file(tmp_path: Path) -> None:
    mqtt, hj212 = load(tmp_path, MQTT | PLAIN, HJ212)
    assert isinstance(mqtt, MqttSettings)
    assert mqtt.mapping == tmp_path / "m.yml"
    assert isinstance(hj212, Hj212Settings)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (MQTT, "allow_plain_text"),
        (MQTT | PLAIN | {"tls": {"ca": "ca.pem"}}, "never both"),
        ({**MQTT, **PLAIN, "mapping": None}, "nothing would be read"),
        (MQTT | PLAIN | {"username": "u"}, "username and password_file"),
        (MQTT | {"tls": {"ca": "ca.pem", "certificate": "c.pem"}}, "go together"),
        (MQTT | PLAIN | {"colour": "red"}, "colour"),
        (HJ212 | {"host": "0.0.0.0"}, "listens on every network"),
        (HJ212 | {"peers": ["here"]}, "peers"),
        (HJ212 | {"devices": HJ212["devices"] * 2}, "twice"),
        (HJ212 | {"kind": "modbus"}, "modbus"),
    ],
)
def test_what_cannot_be_is_refused_with_the_key(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, source)


def test_a_system_is_named_once_among_servers_and_sources(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="twice"):
        load(tmp_path, MQTT | PLAIN, HJ212 | {"system_id": "iot_a"})


def test_the_templates_example_is_what_its_comment_says(tmp_path: Path) -> None:
    text = (TEMPLATE / "collector.yml").read_text(encoding="utf-8").replace("${SITE_ID}", "site_a")
    lines = text.replace("sources: []", "sources:").splitlines()
    begun = lines.index("sources:")
    for number in range(begun + 1, len(lines)):
        if not lines[number].startswith("#"):
            break
        lines[number] = lines[number][1:]
    path = tmp_path / "collector.yml"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [source.kind for source in load_settings(path).sources] == ["mqtt", "hj212"]


def test_the_templates_mapping_is_one() -> None:
    mapping = load_mapping(TEMPLATE / "mappings" / "mqtt.example.yml")
    assert [rule.kind for rule in mapping.rules] == ["points", "points", "events", "events"]
    assert "plant/+/+/data" in mapping.filters()


@pytest.mark.parametrize(
    ("topic", "published", "captures"),
    [
        ("a/{x}/c", "a/b/c", {"x": "b"}),
        ("a/{x}/c", "a/b/d", None),
        ("a/{x}/c", "a/b", None),
        ("a/+/#", "a/b/c/d", {}),
        ("a/#", "a", {}),
        ("+/x", "$SYS/x", None),
    ],
)
def test_topics_match_as_the_broker_matches_them(
    topic: str, published: str, captures: dict[str, str] | None
) -> None:
    (rule,) = Mapping.model_validate(mapping_of(topic=topic)).rules
    assert rule.captures(published) == captures


def mapping_of(**changes: Any) -> dict[str, Any]:
    rule = {"kind": "points", "topic": "a", "tag": "t", "time": {"written": "arrival"}} | changes
    return {"schema_version": 1, "rules": [rule]}


@pytest.mark.parametrize(
    "changes",
    [
        {"topic": "a/b{x}"},
        {"topic": "a/#/b"},
        {"topic": "{x}/{x}"},
        {"time": {"written": "epoch_ms"}},
        {"time": {"written": "auto", "at": "/t"}},
        {"time": {"written": "iso", "at": "/t", "zone": "Moon/Sea"}},
        {"value": "v"},
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "m.yml"
    path.write_text(yaml.safe_dump(mapping_of(**changes)))
    with pytest.raises(SettingsError, match=r"m\.yml"):
        load_mapping(path)


def test_pointers_are_read_as_rfc_6901_says() -> None:
    document = {"a/b": [1, {"~": 2}], "": 3}
    assert resolve(document, "/a~1b/1/~0") == 2
    assert resolve(document, "/") == 3
    assert resolve(document, "") is document
    for pointer in ("/x", "/a~1b/9", "/a~1b/-1", "/a~1b/01x"):
        with pytest.raises(LookupError):
            resolve(document, pointer)


@pytest.mark.parametrize(
    "rows",
    [
        "T1,a,标签,Label,,,,,area,\nT1,b,标签,Label,,,,,area,\n",
        "T1,,标签,Label,,,,,area,\n",
        "T1,a,标签,L,,x,,,area,\n",
    ],
)
def test_a_wrong_tag_table_is_refused_with_its_line(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "tags.csv"
    path.write_text(",".join(COLUMNS) + "\n" + rows, encoding="utf-8")
    with pytest.raises(TagTableError, match="line"):
        load_source_tags(path)


def test_a_device_without_a_password_file_does_not_start(tmp_path: Path) -> None:
    (source,) = load(tmp_path, HJ212)
    with pytest.raises(SettingsError, match="A1"):
        Devices(source.devices)
