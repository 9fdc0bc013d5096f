"""Sparkplug B payloads: vectors of another implementation, an encoder of Google's runtime, hostile bytes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from protocols.sparkplug import DataType, SparkplugError, decode_payload, encode_rebirth
from tests.fakes.sparkplug_schema import Payload

# Made with pysparkplug 0.6.1: one metric of each data type, alias 3, 2023-11-14T22:13:20.123Z.
VECTORS = json.loads(
    (Path(__file__).parents[2] / "conformance/data/sparkplug_payloads.json").read_text("utf-8")
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_payloads_of_another_implementation_are_read(vector: dict[str, object]) -> None:
    payload = decode_payload(bytes.fromhex(str(vector["payload"])))
    (metric,) = payload.metrics
    assert metric.name == vector["name"]
    assert metric.datatype == vector["datatype"]
    assert metric.value(None) == vector["value"]


def test_every_data_type_of_a_metric_has_a_vector() -> None:
    compound = {DataType.DATASET, DataType.TEMPLATE, DataType.PROPERTYSET, DataType.PROPERTYSETLIST}
    missing = set(DataType) - {vector["datatype"] for vector in VECTORS} - compound
    assert missing == {DataType.UNKNOWN, DataType.FILE}  # a file is bytes by another name


def test_the_rebirth_request_is_what_another_implementation_sends() -> None:
    expected = "08fbd095ffbc3112210a144e6f646520436f6e74726f6c2f5265626972746818fbd095ffbc31200b7001"
    assert encode_rebirth(1_700_000_000_123).hex() == expected


def test_data_sets_templates_and_properties_become_plain_values() -> None:
    sent = Payload(timestamp=1, seq=0)
    metric = sent.metrics.add(name="set", datatype=DataType.DATASET)
    metric.dataset_value.columns.extend(["at", "value"])
    metric.dataset_value.types.extend([DataType.INT32, DataType.STRING])
    row = metric.dataset_value.rows.add()
    row.elements.add(int_value=2**32 - 7)
    row.elements.add(string_value="高")
    metric = sent.metrics.add(name="motor", datatype=DataType.TEMPLATE)
    metric.template_value.template_ref = "Motor"
    metric.template_value.parameters.add(name="No", type=DataType.INT16, int_value=4)
    metric.template_value.metrics.add(name="rpm", datatype=DataType.DOUBLE, double_value=2.5)
    for name, value in (("engUnit", "kPa"), ("Quality", 192)):
        metric.properties.keys.append(name)
        kind = {"string_value": value} if isinstance(value, str) else {"int_value": value, "type": 3}
        metric.properties.values.add(**kind)
    table, motor = decode_payload(sent.SerializeToString()).metrics
    assert table.value(None) == {"columns": ["at", "value"], "rows": [[-7, "高"]]}
    assert motor.properties == {"engUnit": "kPa", "Quality": 192}
    assert motor.value(None) == {
        "template": "Motor",
        "version": None,
        "is_definition": False,
        "parameters": {"No": 4},
        "metrics": {"rpm": 2.5},
    }


def test_templates_in_templates_without_end_are_refused() -> None:
    sent = Payload()
    metric = sent.metrics.add(name="deep", datatype=DataType.TEMPLATE)
    for _ in range(40):
        metric = metric.template_value.metrics.add(name="deep", datatype=DataType.TEMPLATE)
    metric.int_value = 1
    with pytest.raises(SparkplugError, match="deep in one another"):
        decode_payload(sent.SerializeToString())


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.full)])
def test_hostile_bytes_are_refused_or_read_and_nothing_else(count: int) -> None:
    chance = random.Random(212)
    whole = [bytes.fromhex(vector["payload"]) for vector in VECTORS]
    for _ in range(count):
        data = bytearray(chance.choice(whole) if chance.random() < 0.7 else chance.randbytes(60))
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            for metric in decode_payload(bytes(data[: chance.randrange(1, len(data) + 1)])).metrics:
                metric.value(None)
        except SparkplugError:
            pass
