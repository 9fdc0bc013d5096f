"""MQTT by a real broker: points and events once, wrong messages in quarantine, nothing lost over restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.collector.run import run_collector
from ingestion.collector.settings import SettingsError, load_settings
from ingestion.collector.sources.source_check import check_source
from ingestion.collector.sources.sparkplug_messages import BAD_NO_COMMUNICATION
from protocols.sparkplug import REBIRTH, DataType, decode_payload
from tests.fakes.collector_sites import make_site, sealed, status, until
from tests.fakes.mqtt_broker import Broker, Publisher, make_tls
from tests.fakes.sparkplug_schema import Payload

SYSTEM = "iot_test"
MS0 = 1_795_000_000_000
MAPPING = {
    "schema_version": 1,
    "rules": [
        {
            "topic": "plant/{area}/{device}/data",
            "each": "/values",
            "tag": "{area}.{device}.{key}",
            "value": "/v",
            "unit": "/u",
            "time": {"at": "/ts", "written": "epoch_ms"},
            "quality": {"at": "/q", "codes": {"good": 0, "bad": 0x80000000}},
        },
        {"topic": "single/{name}", "tag": "{name}", "value": "/v", "time": {"at": "/t", "written": "iso"}},
        {"topic": "now/{name}", "tag": "now.{name}", "time": {"written": "arrival"}},
        {
            "kind": "events",
            "topic": "video/{camera}/event",
            "source": "{camera}",
            "type": "/type",
            "id": "/id",
            "link": "/picture",
            "attributes": {"zone": "/zone", "confidence": "/confidence"},
            "time": {"at": "/at", "written": "iso"},
        },
    ],
}


def make_config(site: Path, broker: Broker, **changes: Any) -> Path:
    (site / "mapping.yml").write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
    source = {
        "kind": "mqtt",
        "system_id": SYSTEM,
        "host": "127.0.0.1",
        "port": broker.port,
        "client_id": "chemlink_test",
        "allow_plain_text": True,
        "mapping": "mapping.yml",
        **changes,
    }
    return make_site(site, [source])


@contextlib.asynccontextmanager
async def collecting(config: Path) -> AsyncIterator[None]:
    stop = asyncio.Event()
    run = asyncio.create_task(run_collector(config, stop))
    try:
        await until(lambda: status(config.parent, SYSTEM).get("connected"), "the collector is connected")
        yield
    finally:
        stop.set()
        await run


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Publisher]:
    found = Publisher(broker.port)
    yield found
    found.close()


def points(site: Path) -> list[tuple[str, int, float | None, str | None, int]]:
    """Tag, milliseconds, number, text, status of everything sealed."""
    table = sealed(site, SYSTEM)
    micros = table["source_at_utc"].cast("int64").to_pylist()
    names = ("tag_id", "value_number", "value_text", "status_code")
    columns = [table[name].to_pylist() for name in names]
    return [
        (tag, us // 1000, number, text, code)
        for us, tag, number, text, code in zip(micros, *columns, strict=True)
    ]


def reasons(site: Path) -> list[str]:
    return sorted(sealed(site, SYSTEM, "quarantine")["reason_code"].to_pylist())


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_json_becomes_points_and_events_and_what_is_wrong_stays_in_sight(
    tmp_path: Path, broker: Broker, publisher: Publisher, protocol: str
) -> None:
    async def scenario() -> None:
        config = make_config(tmp_path, broker, protocol=protocol)
        async with collecting(config):
            values = {
                "t": {"v": 20.5, "q": "good", "u": "degC"},
                "p": {"v": True, "q": "bad"},
                "s": {"v": "run", "q": "?"},
                "x": {"q": "good"},
            }
            publisher.publish("plant/a1/d1/data", json.dumps({"ts": MS0, "values": values}))
            publisher.publish(
                "single/level", '{"v": 9007199254740993, "t": "2026-11-16T08:00:00.1234567+08:00"}'
            )
            publisher.publish("single/level", "no json")
            publisher.publish("single/level", '{"v": 1, "t": "soon"}')
            publisher.publish("single/level", '{"v": 1, "t": "1970-01-01T00:00:00Z"}')
            event = {
                "type": "intrusion",
                "id": 7,
                "picture": "https://video/7.jpg",
                "zone": "west",
                "confidence": 0.9,
            }
            for number in (7, 7, 8):
                sent = {**event, "id": number, "at": "2026-11-16T08:00:00"}
                publisher.publish("video/cam3/event", json.dumps(sent))
            publisher.publish(
                "video/cam3/event",
                json.dumps({**event, "at": "2026-11-16", "picture": "data:image/png;base64,AA"}),
            )
            await until(lambda: len(reasons(tmp_path)) >= 5, "five are refused")
            await until(lambda: sealed(tmp_path, SYSTEM, "events").num_rows >= 2, "two events")

    asyncio.run(scenario())
    assert sorted(points(tmp_path)) == [
        ("a1.d1.p", MS0, 1.0, None, 0x80000000),
        ("a1.d1.s", MS0, None, "run", 0x40000000),
        ("a1.d1.t", MS0, 20.5, None, 0),
        ("level", 1_794_787_200_123, 9007199254740992.0, "9007199254740993", 0),
    ]
    (digit,) = (
        row["source_at_100ns"] for row in sealed(tmp_path, SYSTEM).to_pylist() if row["tag_id"] == "level"
    )
    assert digit == 7
    assert reasons(tmp_path) == ["no_json", "no_link", "no_time", "no_value", "wrong_time"]
    events = sealed(tmp_path, SYSTEM, "events").to_pylist()
    assert [(row["event_id"], row["event_type"], row["link"]) for row in events] == [
        ("cam3/7", "intrusion", "https://video/7.jpg"),
        ("cam3/8", "intrusion", "https://video/7.jpg"),
    ]
    assert json.loads(events[0]["attributes"]) == {"zone": "west", "confidence": 0.9}
    tags = {row["tag_id"]: row for row in sealed(tmp_path, SYSTEM, "tags").to_pylist()}
    assert tags["a1.d1.t"]["unit_on_server"] == "degC"
    assert tags["a1.d1.t"]["node_id"] == "mqtt:plant/a1/d1/data#t"


def test_late_points_are_kept_repeated_ones_dropped_and_corrections_shown(
    tmp_path: Path, broker: Broker, publisher: Publisher
) -> None:
    def send(number: int, value: float) -> None:
        message = {"ts": MS0 + number, "values": {"t": {"v": value, "q": "good"}}}
        publisher.publish("plant/a/d/data", json.dumps(message))

    async def scenario() -> None:
        config = make_config(tmp_path, broker)
        async with collecting(config):
            for number in (10, 5, 20, 5, 15, 10):
                send(number, float(number))
            await until(lambda: len(points(tmp_path)) >= 4, "four points")
        async with collecting(config):  # what was sealed before is known after a restart too
            send(5, 5.0)
            send(15, 99.0)
            send(15, 99.0)
            send(16, 16.0)
            await until(lambda: len(points(tmp_path)) >= 5, "the fifth point")
            await until(lambda: reasons(tmp_path), "the correction")

    asyncio.run(scenario())
    assert sorted(ms - MS0 for _, ms, *_ in points(tmp_path)) == [5, 10, 15, 16, 20]
    assert {number for _, _, number, *_ in points(tmp_path)} == {5.0, 10.0, 15.0, 16.0, 20.0}
    assert reasons(tmp_path) == ["changed_value"]
    (row,) = sealed(tmp_path, SYSTEM, "quarantine").to_pylist()
    assert json.loads(row["content"])["value_number"] == 99.0


def test_a_broker_that_restarts_and_a_collector_that_was_away_miss_nothing(
    tmp_path: Path, broker: Broker
) -> None:
    async def scenario() -> None:
        config = make_config(tmp_path, broker)
        publisher = Publisher(broker.port)
        async with collecting(config):
            for number in range(50):
                publisher.publish("plant/a/d/data", message(number))
        for number in range(50, 100):  # the broker keeps them for us
            publisher.publish("plant/a/d/data", message(number))
        publisher.publish("plant/a/d/data", message(100), retain=True)
        publisher.close()
        await asyncio.to_thread(broker.stop)
        broker.start()
        publisher = Publisher(broker.port)
        async with collecting(config):
            await until(lambda: len(points(tmp_path)) >= 101, "what was kept arrives")
            await asyncio.to_thread(broker.stop)
            broker.start()
            for number in range(101, 150):
                publisher.publish("plant/a/d/data", message(number))
            await until(lambda: len(points(tmp_path)) >= 150, "the rest arrives")
        publisher.close()

    def message(number: int) -> str:
        return json.dumps({"ts": MS0 + number, "values": {"t": {"v": number, "q": "good"}}})

    asyncio.run(scenario())
    assert sorted(ms - MS0 for _, ms, *_ in points(tmp_path)) == list(range(150))
    assert sealed(tmp_path, SYSTEM, "gaps").num_rows == 0


def test_a_session_that_the_broker_lost_is_a_gap_and_retained_values_without_time_are_none(
    tmp_path: Path, broker: Broker, publisher: Publisher
) -> None:
    async def scenario() -> None:
        config = make_config(tmp_path, broker)
        publisher.publish("now/level", "7", retain=True)
        async with collecting(config):
            publisher.publish("now/level", "8")
            await until(lambda: points(tmp_path), "a point")
        broker.stop()
        (tmp_path / "broker" / "mosquitto.db").unlink()
        broker.start()
        async with collecting(config):
            await until(lambda: sealed(tmp_path, SYSTEM, "gaps").num_rows, "a gap")

    asyncio.run(scenario())
    assert [(tag, number) for tag, _, number, *_ in points(tmp_path)] == [("now.level", 8.0)]
    (gap,) = sealed(tmp_path, SYSTEM, "gaps").to_pylist()
    assert (gap["reason"], gap["is_open"]) == ("session_lost", True)


def payload(seq: int | None, at: int, *metrics: dict[str, Any]) -> bytes:
    found = Payload(timestamp=MS0 + at)
    if seq is not None:
        found.seq = seq
    for metric in metrics:
        found.metrics.add(**metric)
    return bytes(found.SerializeToString())


BIRTH = [
    {"name": "bdSeq", "datatype": DataType.INT64, "long_value": 4},
    {"name": REBIRTH, "datatype": DataType.BOOLEAN, "boolean_value": False},
    {"name": "load", "alias": 1, "datatype": DataType.DOUBLE, "double_value": 1.5},
]
DEVICE = [{"name": "temp/PV", "alias": 2, "datatype": DataType.INT16, "int_value": 2**32 - 3}]


def test_sparkplug_births_name_what_data_alias_and_deaths_make_stale(
    tmp_path: Path, broker: Broker, publisher: Publisher
) -> None:
    def send(kind: str, data: bytes, device: str = "") -> None:
        publisher.publish(f"spBv1.0/g/{kind}/n{device}", data)

    async def scenario() -> None:
        config = make_config(tmp_path, broker, mapping=None, sparkplug={"groups": ["g"]})
        async with collecting(config):
            send("NBIRTH", payload(0, 0, *BIRTH))
            send("DBIRTH", payload(1, 1, *DEVICE), "/d")
            send("NDATA", payload(2, 2, {"alias": 1, "double_value": 2.5}))
            await until(lambda: len(points(tmp_path)) >= 3, "three points")
        async with collecting(config):  # the birth is known after a restart
            send(
                "DDATA",
                payload(3, 3, {"alias": 2, "int_value": 7, "timestamp": MS0 - 60_000, "is_historical": True}),
                "/d",
            )
            send("DDATA", payload(6, 4, {"alias": 2, "is_null": True}), "/d")
            send("DDATA", payload(7, 5, {"alias": 9, "int_value": 7}), "/d")
            send("DDEATH", payload(8, 6), "/d")
            send("NDEATH", payload(None, 0, {"name": "bdSeq", "datatype": DataType.INT64, "long_value": 3}))
            send("NDEATH", payload(None, 0, {"name": "bdSeq", "datatype": DataType.INT64, "long_value": 4}))
            send("NDATA", b"\xff\xff\xff")
            await until(lambda: len(points(tmp_path)) >= 7, "seven points")
            await until(lambda: len(reasons(tmp_path)) >= 2, "two refused")

    asyncio.run(scenario())
    found = [(tag, ms - MS0, number, code) for tag, ms, number, _, code in points(tmp_path)]
    assert sorted(found[:-1], key=str) == sorted(
        [
            ("g.n.load", 0, 1.5, 0),
            ("g.n.d.temp/PV", 1, -3.0, 0),
            ("g.n.load", 2, 2.5, 0),
            ("g.n.d.temp/PV", -60_000, 7.0, 0),
            ("g.n.d.temp/PV", 4, None, 0x809B0000),
            ("g.n.d.temp/PV", 6, None, BAD_NO_COMMUNICATION),
        ],
        key=str,
    )
    assert (found[-1][0], found[-1][3]) == ("g.n.load", BAD_NO_COMMUNICATION)
    assert reasons(tmp_path) == ["no_birth", "no_payload"]
    (gap,) = sealed(tmp_path, SYSTEM, "gaps").to_pylist()
    assert (gap["reason"], gap["detail"]) == ("sequence_gap", "g/n: message 6 came where 4 was expected")


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_birth_is_asked_for_only_where_the_site_allows_it(
    tmp_path: Path, broker: Broker, publisher: Publisher, is_allowed: bool
) -> None:
    asked: list[bytes] = []

    async def scenario() -> None:
        sparkplug = {"groups": ["g"], "may_request_rebirth": is_allowed}
        config = make_config(tmp_path, broker, mapping=None, sparkplug=sparkplug)
        publisher._client.on_message = lambda _c, _d, message: asked.append(message.payload)
        publisher._client.subscribe("spBv1.0/g/NCMD/#")
        async with collecting(config):
            publisher.publish("spBv1.0/g/NDATA/n", payload(3, 0, {"alias": 1, "double_value": 1.0}))
            await until(lambda: reasons(tmp_path), "it is refused")
            await until(lambda: asked or not is_allowed, "the request")
            await asyncio.sleep(0 if is_allowed else 1.2)

    asyncio.run(scenario())
    assert len(asked) == is_allowed
    if asked:
        (metric,) = decode_payload(asked[0]).metrics
        assert (metric.name, metric.value(None)) == (REBIRTH, True)


def test_on_a_full_disk_the_broker_keeps_what_is_not_sealed(
    tmp_path: Path, broker: Broker, publisher: Publisher
) -> None:
    def send(number: int) -> None:
        values = {"t": {"v": number, "q": "good"}}
        publisher.publish("plant/a/d/data", json.dumps({"ts": MS0 + number, "values": values}))

    async def scenario() -> None:
        config = make_config(tmp_path, broker)
        roomy = config.read_text()
        config.write_text(roomy + "disk: {min_free_mb: 1.0e+12}\n")
        stop = asyncio.Event()
        run = asyncio.create_task(run_collector(config, stop))
        await until(lambda: status(tmp_path, SYSTEM).get("alarms", {}).get("disk_full"), "the alarm")
        for number in range(40):
            send(number)
        await until(lambda: status(tmp_path, SYSTEM)["points_waiting"], "some wait in memory")
        assert sealed(tmp_path, SYSTEM).num_rows == 0
        run.cancel()  # as a crash would, but for the last seal
        with contextlib.suppress(asyncio.CancelledError):
            await run
        config.write_text(roomy)
        async with collecting(config):
            await until(lambda: len(points(tmp_path)) >= 40, "all forty")

    asyncio.run(scenario())
    assert sorted(ms - MS0 for _, ms, *_ in points(tmp_path)) == list(range(40))


def test_tls_with_certificates_is_spoken_and_a_stranger_is_not_believed(tmp_path: Path) -> None:
    demands = make_tls(tmp_path)
    (tmp_path / "other").mkdir()
    make_tls(tmp_path / "other")
    own = {"certificate": "client.pem", "private_key": "client.key"}

    async def scenario(broker: Broker) -> None:
        config = make_config(tmp_path, broker, allow_plain_text=False, tls={"ca": "ca.pem", **own})
        async with collecting(config):
            assert status(tmp_path, SYSTEM)["url"].startswith("mqtts://")
        config = make_config(tmp_path, broker, allow_plain_text=False, tls={"ca": "other/ca.pem", **own})
        stop = asyncio.Event()
        run = asyncio.create_task(run_collector(config, stop))
        await until(lambda: status(tmp_path, SYSTEM).get("last_error"), "the broker is not believed")
        assert not status(tmp_path, SYSTEM)["connected"]
        stop.set()
        await run

    with Broker(tmp_path / "broker", demands) as broker:
        asyncio.run(scenario(broker))


def test_the_check_of_the_control_zone_says_what_a_source_lacks(tmp_path: Path, broker: Broker) -> None:
    config = make_config(tmp_path, broker, username="u", password_file="absent")
    with pytest.raises(SettingsError, match="password_file"):
        asyncio.run(run_collector(config))
    (source,) = load_settings(make_config(tmp_path, broker)).sources
    levels = [check.level for check in check_source(source)]
    assert levels == ["ok", "warning", "ok"]  # mapping, plain text, reachable
    (tmp_path / "mapping.yml").write_text("rules: []")
    broker.stop()
    assert [check.level for check in check_source(source)] == ["error", "warning", "error"]
