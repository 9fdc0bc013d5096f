"""What a Sparkplug B payload says (Sparkplug 3.0.0, §6.4; fields numbered as in its schema)."""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from protocols.sparkplug.values import (
    DataType,
    RawValue,
    plain_value,
    read_packed,
)
from protocols.sparkplug.wire import BYTES, SparkplugError, read_fields, write_field

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS_LIMIT = 100_000
# A template may hold templates; no real one is this deep.
DEPTH_LIMIT = 16
REBIRTH = "Node Control/Rebirth"


@dataclass(frozen=True)
class Metric:
    """One metric of a payload. `value` is None where the metric is null; `datatype` None where not said."""

    name: str | None
    alias: int | None
    timestamp_ms: int | None
    datatype: int | None
    is_historical: bool
    is_transient: bool
    is_null: bool
    raw: RawValue | None
    properties: Mapping[str, Any] = field(default_factory=dict)

    def value(self, datatype: int | None) -> Any:
        """The value as a number, boolean, text, or lists and objects of these.

        Args:
            datatype: of the birth, for a metric that does not say its own.

        Raises:
            SparkplugError: the value is not of that type.
        """
        if self.is_null or self.raw is None:
            return None
        return plain_value(self.raw, self.datatype or datatype or 0)


@dataclass(frozen=True)
class Payload:
    """One message: when it was sent, its number 0 to 255, its metrics."""

    timestamp_ms: int | None
    seq: int | None
    metrics: tuple[Metric, ...]

    def metric(self, name: str) -> Metric | None:
        """The metric of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def decode_payload(data: bytes) -> Payload:
    """The payload in a message's bytes.

    Raises:
        SparkplugError: the bytes are no Sparkplug B payload.
    """
    fields = _gather(data)
    found = fields.get(2, [])
    if len(found) > METRICS_LIMIT:
        msg = f"reading a Sparkplug payload: {len(found)} metrics, taken are up to {METRICS_LIMIT}"
        raise SparkplugError(msg)
    metrics = tuple(_metric(_bytes(metric), DEPTH_LIMIT) for metric in found)
    return Payload(_last_int(fields, 1), _last_int(fields, 3), metrics)


def encode_rebirth(timestamp_ms: int) -> bytes:
    """The NCMD payload that asks an edge node for its birth again."""
    metric = b"".join(
        (
            write_field(1, REBIRTH.encode()),
            write_field(3, timestamp_ms),
            write_field(4, DataType.BOOLEAN),
            write_field(14, 1),
        )
    )
    return write_field(1, timestamp_ms) + write_field(2, metric)


_Fields = dict[int, list["int | bytes"]]


def _gather(data: bytes) -> _Fields:
    fields: _Fields = defaultdict(list)
    for number, _, value in read_fields(data):
        fields[number].append(value)
    return fields


def _metric(data: bytes, depth: int) -> Metric:
    fields = _gather(data)
    properties = _properties(_bytes(fields[9][-1]), depth - 1) if fields.get(9) else {}
    return Metric(
        name=_last_text(fields, 1),
        alias=_last_int(fields, 2),
        timestamp_ms=_last_int(fields, 3),
        datatype=_last_int(fields, 4),
        is_historical=bool(_last_int(fields, 5)),
        is_transient=bool(_last_int(fields, 6)),
        is_null=bool(_last_int(fields, 7)),
        raw=_raw(data, _METRIC_VALUES, depth),
        properties=properties,
    )


# Field number → what kind of value it holds, by message.
_METRIC_VALUES = {
    10: "int", 11: "long", 12: "float", 13: "double", 14: "boolean", 15: "string", 16: "bytes",
    17: "dataset", 18: "template",
}  # fmt: skip
_PROPERTY_VALUES = {
    3: "int", 4: "long", 5: "float", 6: "double", 7: "boolean", 8: "string", 9: "set", 10: "sets",
}  # fmt: skip
_CELL_VALUES = {1: "int", 2: "long", 3: "float", 4: "double", 5: "boolean", 6: "string"}
_PARAMETER_VALUES = {3: "int", 4: "long", 5: "float", 6: "double", 7: "boolean", 8: "string"}


def _raw(data: bytes, kinds: Mapping[int, str], depth: int) -> RawValue | None:
    """The value of a oneof: the last of its fields on the wire."""
    found: RawValue | None = None
    for number, wire_type, value in read_fields(data):
        kind = kinds.get(number)
        if kind is not None:
            found = kind, _scalar(kind, wire_type, value, depth)
    return found


def _scalar(kind: str, wire_type: int, value: int | bytes, depth: int) -> Any:
    if depth <= 0:
        msg = f"reading a Sparkplug payload: values stand more than {DEPTH_LIMIT} deep in one another"
        raise SparkplugError(msg)
    if kind in ("int", "long", "boolean"):
        return _int(value) if kind != "boolean" else bool(_int(value))
    if kind in ("float", "double"):
        return _real(kind, value)
    data = _bytes(value) if wire_type == BYTES else _bytes(0)
    if kind == "string":
        return _text(data)
    if kind == "bytes":
        return data
    return _COMPOUNDS[kind](data, depth - 1)


def _real(kind: str, value: int | bytes) -> float:
    expected = 4 if kind == "float" else 8
    if not isinstance(value, bytes) or len(value) != expected:
        msg = f"reading a Sparkplug payload: a {kind} takes {expected} bytes"
        raise SparkplugError(msg)
    return float(struct.unpack("<f" if kind == "float" else "<d", value)[0])


def _dataset(data: bytes, depth: int) -> Any:
    fields = _gather(data)
    columns = [_text(_bytes(name)) for name in fields.get(2, [])]
    types = _repeated_ints(fields.get(3, []))
    if len(types) != len(columns):
        msg = f"reading a Sparkplug data set: {len(columns)} columns, {len(types)} types"
        raise SparkplugError(msg)
    rows = []
    for row in fields.get(4, []):
        cells = [_raw(_bytes(cell), _CELL_VALUES, depth) for cell in _gather(_bytes(row)).get(1, [])]
        if len(cells) != len(columns):
            msg = f"reading a Sparkplug data set: a row of {len(cells)} cells, {len(columns)} columns"
            raise SparkplugError(msg)
        rows.append(
            [None if raw is None else plain_value(raw, kind) for raw, kind in zip(cells, types, strict=True)]
        )
    return {"columns": columns, "rows": rows}


def _template(data: bytes, depth: int) -> Any:
    fields = _gather(data)
    metrics = [_metric(_bytes(metric), depth) for metric in fields.get(2, [])]
    parameters = [_parameter(_bytes(parameter), depth) for parameter in fields.get(3, [])]
    return {
        "template": _last_text(fields, 4),
        "version": _last_text(fields, 1),
        "is_definition": bool(_last_int(fields, 5)),
        "parameters": dict(parameters),
        "metrics": {metric.name or str(metric.alias): metric.value(None) for metric in metrics},
    }


def _parameter(data: bytes, depth: int) -> tuple[str, Any]:
    fields = _gather(data)
    raw = _raw(data, _PARAMETER_VALUES, depth)
    value = None if raw is None else plain_value(raw, _last_int(fields, 2) or 0)
    return _last_text(fields, 1) or "", value


def _properties(data: bytes, depth: int) -> dict[str, Any]:
    fields = _gather(data)
    names = [_text(_bytes(name)) for name in fields.get(1, [])]
    values = [_property(_bytes(value), depth) for value in fields.get(2, [])]
    if len(names) != len(values):
        msg = f"reading Sparkplug properties: {len(names)} names, {len(values)} values"
        raise SparkplugError(msg)
    return dict(zip(names, values, strict=True))


def _property(data: bytes, depth: int) -> Any:
    fields = _gather(data)
    raw = _raw(data, _PROPERTY_VALUES, depth)
    if raw is None or _last_int(fields, 2):
        return None
    return plain_value(raw, _last_int(fields, 1) or 0)


def _property_sets(data: bytes, depth: int) -> Any:
    return [_properties(_bytes(one), depth) for one in _gather(data).get(1, [])]


_COMPOUNDS = {"dataset": _dataset, "template": _template, "set": _properties, "sets": _property_sets}


def _repeated_ints(values: list[int | bytes]) -> list[int]:
    """A repeated number, packed or not."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
        else:
            found += read_packed(value)
    return found


def _last_int(fields: _Fields, number: int) -> int | None:
    values = fields.get(number)
    return _int(values[-1]) if values else None


def _last_text(fields: _Fields, number: int) -> str | None:
    values = fields.get(number)
    return _text(_bytes(values[-1])) if values else None


def _int(value: int | bytes) -> int:
    if not isinstance(value, int):
        msg = f"reading a Sparkplug payload: {len(value)} bytes where a number was expected"
        raise SparkplugError(msg)
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        msg = f"reading a Sparkplug payload: the number {value} where bytes were expected"
        raise SparkplugError(msg)
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        msg = f"reading a Sparkplug payload: {data[:40]!r} is no UTF-8 text"
        raise SparkplugError(msg) from error
