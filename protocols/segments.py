"""Sealed segments: what the collector hands through the gateway, and all that may cross it.

A segment is two files, `<stream>/<sequence>.parquet` and `<stream>/<sequence>.json`. The payload is written,
fsynced and renamed first and the signed manifest last, so a manifest that exists *is* the seal: a process
killed in between leaves no segment that is half there. Sequences start at 1 and have no gaps per stream.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from protocols.durable_files import write_durably
from protocols.points import SCHEMAS, schema_version
from protocols.segment_manifest import (
    FORMAT_VERSION,
    STREAM_NAME,
    Manifest,
    SegmentError,
    SegmentExistsError,
    SegmentHashError,
    SegmentNameError,
    SegmentSignatureError,
    SegmentTornError,
    SegmentVersionError,
    read_manifest,
    require_stream_name,
)
from protocols.segment_reading import read_table, verify_content, verify_segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "MANIFEST_NAME",
    "STREAM_NAME",
    "Manifest",
    "SegmentError",
    "SegmentExistsError",
    "SegmentHashError",
    "SegmentNameError",
    "SegmentSignatureError",
    "SegmentTornError",
    "SegmentVersionError",
    "manifest_path",
    "read_manifest",
    "read_table",
    "require_stream_name",
    "sequences",
    "verify_content",
    "verify_segment",
    "write_segment",
]

MANIFEST_NAME = re.compile(r"(\d{12})\.json")
_SORT_COLUMNS = {
    "points": ("tag_id", "source_at_utc", "source_at_100ns"),
    "alarms": ("event_at_utc", "event_at_100ns", "event_id"),
    "tags": ("tag_id",),
    "gaps": ("from_at_utc", "tag_id", "reason"),
    "events": ("event_at_utc", "event_at_100ns", "event_id"),
    "quarantine": ("observed_at_utc", "subject", "reason_code"),
}
_TIME_COLUMN = {
    "points": "source_at_utc",
    "alarms": "event_at_utc",
    "tags": "observed_at_utc",
    "gaps": "observed_at_utc",
    "events": "event_at_utc",
    "quarantine": "observed_at_utc",
}


def write_segment(
    directory: Path,
    stream: str,
    sequence: int,
    table: pa.Table,
    kind: str,
    marks: Mapping[str, str],
    sign_key: Ed25519PrivateKey,
    sealed_at: datetime,
    *,
    marks_are_in_rows: bool = False,
) -> Path:
    """Seal `table` as number `sequence` of `stream`; on return it survives a power cut.

    Args:
        directory: the folder that holds one folder a stream.
        stream: `<system_id>.<kind>`.
        sequence: one more than the stream's last.
        table: rows in the schema of `kind`, the tag ids possibly dictionary-encoded; sorted here unless
            they are.
        kind: one of `protocols.points.SCHEMAS`.
        marks: what is committed with the rows, by key; empty where the rows tell it.
        sign_key: the control zone's gateway key.
        sealed_at: the instant, aware.
        marks_are_in_rows: whether each tag's mark is its last source time in the table.

    Returns:
        The manifest's path.

    Raises:
        SegmentExistsError: the sequence is sealed already.
        SegmentNameError: the stream name is not path-safe.
    """
    path = manifest_path(directory, stream, sequence)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        msg = f"sealing {stream} {sequence}: {path} exists; a sealed segment is never replaced"
        raise SegmentExistsError(msg)
    payload = _encode(table, kind)
    first, last = _time_range(table, kind)
    unsigned = Manifest(
        format_version=FORMAT_VERSION,
        stream=stream,
        sequence=sequence,
        kind=kind,
        rows=table.num_rows,
        first_source_at_utc=first,
        last_source_at_utc=last,
        schema_version=schema_version(kind),
        sha256=hashlib.sha256(payload).hexdigest(),
        sealed_at_utc=_instant_text(sealed_at),
        marks=dict(marks),
        marks_are_in_rows=marks_are_in_rows,
    )
    write_durably(path.with_suffix(".parquet"), payload)
    write_durably(path, _sign(unsigned, sign_key))
    return path


def sequences(directory: Path, stream: str) -> list[int]:
    """The sealed sequence numbers of a stream in a folder, ascending."""
    folder = directory / require_stream_name(stream)
    if not folder.is_dir():
        return []
    names = (MANIFEST_NAME.fullmatch(file.name) for file in folder.iterdir())
    return sorted(int(match[1]) for match in names if match)


def manifest_path(directory: Path, stream: str, sequence: int) -> Path:
    """Where the manifest of a segment lies below a folder of streams."""
    return directory / require_stream_name(stream) / f"{sequence:012d}.json"


def _encode(table: pa.Table, kind: str) -> pa.Buffer:
    ordered = _sorted(table, kind)
    # Sorted by tag and time, deltas of the source's instants take a fraction of their dictionary. All else
    # repeats. Statistics and the Arrow schema cost time and room, and nobody reads them: a segment is read
    # whole, and its Parquet types are the wire's.
    encoding = {_TIME_COLUMN[kind]: "DELTA_BINARY_PACKED"}
    repeated = [name for name in ordered.schema.names if name not in encoding]
    sink = pa.BufferOutputStream()
    pq.write_table(
        ordered,
        sink,
        compression="zstd",
        use_dictionary=repeated,
        column_encoding=encoding,
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def _sorted(table: pa.Table, kind: str) -> pa.Table:
    schema = SCHEMAS[kind]
    encoded = table.schema.field("tag_id").type if kind == "points" else None
    if encoded is not None and pa.types.is_dictionary(encoded):
        if _is_sorted(table):
            return table.cast(schema.set(0, schema.field(0).with_type(encoded)))
        table = table.cast(schema)
    return table.cast(schema).sort_by([(name, "ascending") for name in _SORT_COLUMNS[kind]])


def _is_sorted(table: pa.Table) -> bool:
    """Whether points with dictionary-encoded tags lie by tag id, then time."""
    tags = table["tag_id"].combine_chunks()
    if tags.dictionary.to_pylist() != sorted(tags.dictionary.to_pylist()):
        return False
    ranks = tags.indices.to_numpy()
    instants = table["source_at_utc"].cast(pa.int64()).to_numpy()
    digits = table["source_at_100ns"].to_numpy()
    steps, times = np.diff(ranks), np.diff(instants)
    is_later = (times > 0) | ((times == 0) & (np.diff(digits) >= 0))
    return bool(((steps > 0) | ((steps == 0) & is_later)).all())


def _time_range(table: pa.Table, kind: str) -> tuple[str | None, str | None]:
    bounds = pc.min_max(table[_TIME_COLUMN[kind]]).as_py()
    if bounds["min"] is None:
        return None, None
    return _instant_text(bounds["min"]), _instant_text(bounds["max"])


def _sign(unsigned: Manifest, sign_key: Ed25519PrivateKey) -> bytes:
    signature = base64.b64encode(sign_key.sign(unsigned.signed_bytes())).decode()
    fields = {**asdict(unsigned), "signature": signature}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _instant_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
