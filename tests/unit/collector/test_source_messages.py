"""Whatever bytes come on a topic, they become points and refusals that can be sealed; never an exception."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector.sealing import Sealer
from ingestion.collector.sources.json_messages import JsonMessages
from ingestion.collector.sources.mapping import Mapping
from ingestion.collector.sources.sparkplug_messages import SparkplugMessages
from ingestion.collector.sources.sparkplug_nodes import EdgeNodes
from ingestion.collector.sources.tags import TagRegister
from protocols.clock import SystemClock
from protocols.opcua_time import to_ticks
from protocols.sparkplug import DataType
from tests.fakes.sparkplug_schema import Payload
from tests.unit.collector.test_admission import Station

NOW = to_ticks(SystemClock().now())
ISO = {"at": "/t", "written": "iso"}
EPOCH = {"at": "/t", "written": "epoch_ms"}


def register(folder: Path, limit: int = 50) -> TagRegister:
    sealer = Sealer(folder, "s", Ed25519PrivateKey.generate(), SystemClock())
    return TagRegister({}, sealer, SystemClock(), folder, limit)


def messages(folder: Path, *rules: dict[str, Any], limit: int = 50) -> JsonMessages:
    whole = [{"kind": "points"} | rule for rule in rules]
    return JsonMessages(
        Mapping.model_validate({"schema_version": 1, "rules": whole}), register(folder, limit)
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"t": 1e999999999, "v": 1}',
        '{"t": 1e400000, "v": 1}',
        '{"t": NaN, "v": 1}',
        '{"t": -9e20, "v": 1}',
        '{"t": true, "v": 1}',
        '{"t": {}, "v": 1}',
        '{"t": 1, "v": 1e999999999}',
        '{"t": 1, "v": "\\ud800"}',
        '{"t": 1, "v": {"\\udfff": NaN}}',
        "9" * 5000,
        "[" * 100_000,
        "\ufeff{}",
        "null",
        '""',
    ],
)
def test_odd_json_is_refused_or_sealed(tmp_path: Path, text: str) -> None:
    station = Station(tmp_path)
    reader = messages(
        tmp_path,
        {"topic": "p", "tag": "T", "value": "/v", "time": EPOCH},
        {"kind": "events", "topic": "e", "source": "s{/v}", "type": "/v", "time": EPOCH},
    )
    for topic in ("p", "e"):
        taken = reader.read(topic, text.encode("utf-8", "surrogatepass"), NOW)
        assert taken is not None
        station.admission.take(taken, NOW)
    station.seal()
    assert station.rows("quarantine") or station.rows()


def test_tags_beyond_the_limit_and_names_without_end_are_refused(tmp_path: Path) -> None:
    reader = messages(
        tmp_path, {"topic": "p", "each": "", "tag": "{key}", "time": {"written": "arrival"}}, limit=3
    )
    found = reader.read(
        "p", json.dumps({f"k{number}": number for number in range(5)} | {"x" * 600: 1}).encode(), NOW
    )
    assert found is not None
    assert [point.tag_id for point in found.points] == ["k0", "k1", "k2"]
    assert [refusal.reason_code for refusal in found.refusals] == ["too_many_tags"] * 2 + ["no_name"]


@pytest.mark.parametrize(
    ("written", "text", "micros", "digit"),
    [
        ("epoch_s", "1795000000.1234567", 1_795_000_000_123_456, 7),
        ("epoch_us", "1795000000123456.7", 1_795_000_000_123_456, 7),
        ("epoch_ns", "1795000000123456789", 1_795_000_000_123_456, 7),
        ("iso", '"2026-11-16T08:00:00.1234567+08:00"', 1_794_787_200_123_456, 7),
        ("iso", '"2026-11-16T08:00:00,5Z"', None, 0),
        ("iso", '"2026-11-16 00:00:00"', 1_794_758_400_000_000, 0),
    ],
)
def test_times_are_read_as_they_are_said_to_be_written(
    tmp_path: Path, written: str, text: str, micros: int | None, digit: int
) -> None:
    rule = {"topic": "p", "tag": "T", "value": "/v", "time": {"at": "/t", "written": written}}
    found = messages(tmp_path, rule).read("p", f'{{"t": {text}, "v": 1}}'.encode(), NOW)
    assert found is not None
    if micros is None:
        assert [refusal.reason_code for refusal in found.refusals] in ([], ["no_time"])
        return
    (point,) = found.points
    assert divmod(point.ticks - 116_444_736_000_000_000, 10) == (micros, digit)


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.full)])
def test_hostile_messages_never_stop_the_rest(tmp_path: Path, count: int) -> None:
    chance = random.Random(count)
    tags = register(tmp_path)
    rule = {"kind": "points", "topic": "p", "tag": "T", "each": "/a", "value": "/v", "time": ISO}
    mapping = Mapping.model_validate({"schema_version": 1, "rules": [rule]})
    readers = JsonMessages(mapping, tags), SparkplugMessages(EdgeNodes(tmp_path), tags)
    birth = Payload(timestamp=NOW, seq=0)
    birth.metrics.add(name="m", alias=1, datatype=DataType.INT32, int_value=5, timestamp=2**63)
    text = b'{"a": [{"v": 1, "t": "2026-11-16T00:00:00Z"}, {"v": [1, {"x": null}]}]}'
    station = Station(tmp_path)
    for _ in range(count):
        kind = chance.randrange(2)
        data = bytearray(birth.SerializeToString() if kind else text)
        for _ in range(chance.randrange(0, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        name = chance.choice(("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"))
        topic = f"spBv1.0/g/{name}/n" + ("/d" if name.startswith("D") else "") if kind else "p"
        taken = readers[kind].read(topic, bytes(data), NOW)
        assert taken is not None
        station.admission.take(taken, NOW)
    station.seal()
    asyncio.run(tags.seal_changes())
    assert station.rows()
