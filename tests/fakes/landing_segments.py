"""Segments as the collector seals them, for tests of landing: deterministic points, alarms and tags."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.pair_streams import family_of
from protocols.points import ALARMS, POINTS, SCHEMAS, TAGS
from protocols.segments import read_manifest, write_segment

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SYSTEM = "opcua_a"
START = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)  # 23:00 in the plant


def points(rows: list[tuple[str, datetime, float | None, int]]) -> pa.Table:
    """Points of (tag, source time, value, status)."""
    return pa.Table.from_pylist(
        [
            {
                "tag_id": tag,
                "source_at_utc": at,
                "source_at_100ns": 3,
                "value_number": value,
                "value_text": None,
                "status_code": status,
                "server_at_utc": at,
                "server_at_100ns": 0,
                "arrived_at_utc": at + timedelta(seconds=1),
            }
            for tag, at, value, status in rows
        ],
        schema=POINTS,
    )


def minute_points(number: int, tags: int = 3) -> pa.Table:
    """The points of minute `number`: each tag once, values that name minute and tag."""
    at = START + timedelta(minutes=number)
    return points([(f"T{tag}", at, number * 100.0 + tag, 0) for tag in range(tags)])


def alarm(number: int) -> pa.Table:
    """One alarm event."""
    at = START + timedelta(minutes=number)
    row = {
        "event_id": f"{number:08x}",
        "condition_id": "c1",
        "event_type": "LimitAlarm",
        "source_name": "T1",
        "tag_id": "T1",
        "severity": 700,
        "message": "high",
        "is_active": True,
        "is_acknowledged": False,
        "event_at_utc": at,
        "event_at_100ns": 0,
        "arrived_at_utc": at,
    }
    return pa.Table.from_pylist([row], schema=ALARMS)


def tag_table(units: dict[str, tuple[str, str | None, float, float]], at: datetime = START) -> pa.Table:
    """A tag table of tag → (unit, unit on the server, range low, range high)."""
    rows = [
        {
            "tag_id": tag,
            "node_id": f"nsu=urn:x;s={tag}",
            "label_zh": tag,
            "label_en": tag,
            "unit": unit,
            "unit_on_server": on_server,
            "range_low": low,
            "range_high": high,
            "data_type": "double",
            "sampling_ms": 5000,
            "area": "a",
            "equipment_id": None,
            "has_history": True,
            "observed_at_utc": at,
        }
        for tag, (unit, on_server, low, high) in units.items()
    ]
    return pa.Table.from_pylist(rows, schema=TAGS)


def seal(inbox: Path, stream: str, sequence: int, rows: pa.Table) -> Path:
    """Put a sealed segment into a folder of streams, as the gateway would."""
    kind = family_of(stream).rpartition(".")[2]
    return write_segment(inbox, stream, sequence, rows, kind, {}, KEY, START)


def seal_older(inbox: Path, stream: str, sequence: int, rows: pa.Table) -> Path:
    """A segment in the first version of its columns, as a collector sealed it before it was upgraded."""
    kind = family_of(stream).rpartition(".")[2]
    path = seal(inbox, stream, sequence, SCHEMAS[kind].empty_table())
    payload = path.with_suffix(".parquet")
    pq.write_table(rows, payload, compression="zstd", store_schema=False)
    manifest = replace(
        read_manifest(path),
        rows=rows.num_rows,
        schema_version=1,
        sha256=hashlib.sha256(payload.read_bytes()).hexdigest(),
    )
    signature = base64.b64encode(KEY.sign(manifest.signed_bytes())).decode()
    fields = {**asdict(manifest), "signature": signature}
    path.write_text(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    return path
