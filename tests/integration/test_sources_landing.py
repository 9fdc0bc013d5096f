"""From an MQTT broker and an HJ 212 logger to raw tables, through the gateway as every other stream."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from contracts.arrow import source_schema
from ingestion.collector.run import run_collector
from ingestion.landing import LandingSpec, land_once
from ingestion.landing_state import positions
from ingestion.registry import load_registry
from lake import tables
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import open_state
from protocols.clock import SystemClock
from protocols.keys import load_verify_key
from tests.fakes.collector_sites import make_site, status, until
from tests.fakes.hj212_logger import MN, PW, frame
from tests.fakes.mqtt_broker import Broker, Publisher

MQTT, HJ212 = "iot_main", "instruments_main"
TIME = {"at": "/t", "written": "iso"}
RULES = [
    {"topic": "d/{tag}", "tag": "{tag}", "value": "/v", "time": TIME},
    {"kind": "events", "topic": "video/{camera}", "source": "{camera}", "type": "/type", "time": TIME},
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "pw.txt").write_text(PW)
    (tmp_path / "mapping.yml").write_text(yaml.safe_dump({"schema_version": 1, "rules": RULES}))
    (tmp_path / "systems").mkdir()
    for system_id in (MQTT, HJ212):
        (tmp_path / "systems" / f"{system_id}.yml").write_text(f"schema_version: 1\nsystem_id: {system_id}\n")
    return tmp_path


async def collect_some(site: Path, broker: Broker) -> None:
    mqtt = {"kind": "mqtt", "system_id": MQTT, "host": "127.0.0.1", "port": broker.port, "client_id": "c"}
    mqtt |= {"allow_plain_text": True, "mapping": "mapping.yml"}
    hj212 = {"kind": "hj212", "system_id": HJ212, "host": "127.0.0.1", "port": 0, "peers": ["127.0.0.1"]}
    hj212 |= {"devices": [{"mn": MN, "password_file": "pw.txt"}]}
    config = make_site(site, [mqtt, hj212], gateway={"drop_dir": "inbox"})
    stop = asyncio.Event()
    run = asyncio.create_task(run_collector(config, stop))
    for system_id in (MQTT, HJ212):
        await until(lambda which=system_id: status(site, which).get("connected"), "it is connected")
    publisher = Publisher(broker.port)
    publisher.publish("d/T1", json.dumps({"v": 1.5, "t": "2026-11-16T08:00:00"}))
    publisher.publish("d/T1", "no json")
    publisher.publish("video/cam1", json.dumps({"type": "smoke", "t": "2026-11-16T08:00:01"}))
    publisher.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", status(site, HJ212)["port"])
    writer.write(frame("DataTime=20261116080000;w01018-Rtd=34.5,w01018-Flag=N"))
    await reader.readuntil(b"\r\n")
    writer.close()
    await until(lambda: status(site, MQTT)["last_sequences"].get(f"{MQTT}.events"), "the event is sealed")
    await until(
        lambda: status(site, MQTT)["last_sequences"].get(f"{MQTT}.quarantine"), "the refusal is sealed"
    )
    stop.set()
    await run


def test_points_events_tags_and_refusals_of_sources_arrive_in_raw_tables(site: Path) -> None:
    with Broker(site / "broker") as broker:
        asyncio.run(collect_some(site, broker))
    lake, clock = LakePaths(site / "var" / "lake"), SystemClock()
    migrate(lake.state_url)
    state = open_state(lake.state_url, clock.now)
    key = load_verify_key(site / "pki" / "gateway_verify.pem")
    zone = ZoneInfo("Asia/Shanghai")
    report = land_once(LandingSpec(site / "inbox", key, lake, state, clock, zone, gap_wait_s=0.0))
    with state.read() as connection:
        assert {f"{MQTT}.points", f"{HJ212}.points"} <= set(positions(connection))
    state.close()
    assert (report.gaps, report.quarantined) == (0, 0)
    at = datetime(2026, 11, 16, tzinfo=UTC)
    (point,) = tables.read(lake.table("raw", f"raw_{MQTT}__points")).to_pylist()
    assert (point["tag_id"], point["value_number"], point["source_at_utc"]) == ("T1", 1.5, at)
    rows = tables.read(lake.table("raw", f"raw_{HJ212}__points")).to_pylist()
    values = {row["tag_id"]: row["value_number"] or row["value_text"] for row in rows}
    assert values == {f"{HJ212}.{MN}.w01018.Rtd": 34.5, f"{HJ212}.{MN}.w01018.Flag": "N"}
    (event,) = tables.read(lake.table("raw", f"raw_{MQTT}__events")).to_pylist()
    assert (event["source_name"], event["event_type"]) == ("cam1", "smoke")
    (refused,) = tables.read(lake.table("raw", f"raw_{MQTT}__quarantine")).to_pylist()
    assert refused["reason_code"] == "no_json"
    landed = set(lake.tables("raw"))
    for system in load_registry(site):
        for contract in system.tables:
            if contract.name in landed:
                stored = tables.read(lake.table("raw", contract.name)).schema.names
                assert set(source_schema(contract).names) <= set(stored), contract.name
