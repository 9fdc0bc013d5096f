"""Reading segments that others delivered: nothing is parsed before its signature holds, nothing is unbounded.

The signature is checked over the manifest's bytes as they came, so that no forged JSON reaches the parser. A
payload is read when it is a plain file of bounded size with the signed hash, and decoded when it announces
the signed number of rows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidSignature

from protocols.points import SCHEMAS, schema_of
from protocols.segment_manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    SegmentHashError,
    SegmentNameError,
    SegmentSignatureError,
    SegmentTornError,
    SegmentVersionError,
    manifest_of,
    read_manifest,
    require_stream_name,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAYLOAD_LIMIT_BYTES = 1024 * 1024 * 1024
DECODED_LIMIT_BYTES = 256 * 1024 * 1024
DECODED_LIMIT_BYTES_PER_ROW = 4096
_SIGNATURE = b',"signature":"'


def verify_segment(path: Path, verify_key: Ed25519PublicKey) -> Manifest:
    """The manifest of a segment that is whole, unchanged and signed by the expected key.

    Args:
        path: the manifest's path; the payload lies beside it.
        verify_key: the control zone's public gateway key.

    Raises:
        SegmentError: the leaf class says what is wrong, the message names the file.
    """
    manifest = signed_manifest(read_plain(path, MANIFEST_LIMIT_BYTES), path, verify_key)
    _require_place(manifest, path.parent.name, path.name)
    read_payload(manifest, path)
    return manifest


def verify_content(
    manifest: bytes, payload: bytes, stream: str, sequence: int, verify_key: Ed25519PublicKey
) -> Manifest:
    """The manifest of a segment in memory, as `verify_segment` has it of one on disk.

    Raises:
        SegmentError: the leaf class says what is wrong.
    """
    where = f"{require_stream_name(stream)}/{sequence:012d}.json"
    found = signed_manifest(manifest, where, verify_key)
    _require_place(found, stream, f"{sequence:012d}.json")
    _require_hash(found, hashlib.sha256(payload).hexdigest(), where)
    return found


def signed_manifest(data: bytes, where: Path | str, verify_key: Ed25519PublicKey) -> Manifest:
    """The manifest in canonical JSON that the expected key signed.

    Raises:
        SegmentTornError: it is cut short.
        SegmentSignatureError: it is not signed by the expected key.
        SegmentVersionError: it is of another format.
    """
    at = data.rfind(_SIGNATURE)
    end = data.find(b'"', at + len(_SIGNATURE))
    if not data.endswith(b"}"):
        msg = f"reading manifest {where}: {len(data)} bytes end midway; expected a whole JSON object"
        raise SegmentTornError(msg)
    try:
        signature = base64.b64decode(data[at + len(_SIGNATURE) : end], validate=True)
        if min(at, end) < 0:
            raise InvalidSignature  # noqa: TRY301 - not canonical is not signed
        verify_key.verify(signature, data[:at] + data[end + 1 :])
    except (InvalidSignature, ValueError) as error:
        msg = f"verifying {where}: not signed by the expected gateway key; the file was forged or changed"
        raise SegmentSignatureError(msg) from error
    return manifest_of(json.loads(data), where)


def read_payload(manifest: Manifest, path: Path) -> bytes:
    """The payload of a verified manifest, its hash checked again: the file may have been replaced since.

    Args:
        manifest: verified.
        path: where the manifest lies; the payload lies beside it.

    Raises:
        SegmentTornError: there is no such plain file, or it is larger than any segment.
        SegmentHashError: it is another one.
    """
    payload = path.with_suffix(".parquet")
    try:
        content = read_plain(payload, PAYLOAD_LIMIT_BYTES)
    except SegmentTornError as error:
        msg = f"{error}; the manifest arrived without its payload"
        raise SegmentTornError(msg) from error
    _require_hash(manifest, hashlib.sha256(content).hexdigest(), path)
    return content


def decode_rows(manifest: Manifest, payload: bytes) -> pa.Table:
    """The rows of a payload in the present wire schema, once they are no more than the manifest signs.

    Raises:
        SegmentTornError: it is no Parquet, or announces other rows or more bytes than so many rows can have.
        SegmentVersionError: its columns are not the ones this version knows.
    """
    what = f"{manifest.stream} {manifest.sequence}"
    try:
        file = pq.ParquetFile(pa.BufferReader(payload))
        announced = file.metadata
        decoded = sum(announced.row_group(i).total_byte_size for i in range(announced.num_row_groups))
        limit = DECODED_LIMIT_BYTES + manifest.rows * DECODED_LIMIT_BYTES_PER_ROW
        if announced.num_rows != manifest.rows or decoded > limit:
            msg = (
                f"reading the payload of {what}: it announces {announced.num_rows} rows in {decoded} bytes, "
                f"the manifest signs {manifest.rows} rows, for which at most {limit} bytes are read"
            )
            raise SegmentTornError(msg)
        table = file.read()
    except (OSError, pa.ArrowException) as error:
        msg = f"reading the payload of {what}: {error}; expected the Parquet file its manifest names"
        raise SegmentTornError(msg) from error
    expected = schema_of(manifest.kind, manifest.schema_version)
    if not table.schema.equals(expected):
        msg = f"reading the payload of {what}: its columns are {table.schema}, this version reads {expected}"
        raise SegmentVersionError(msg)
    return _with_added_columns(table, SCHEMAS[manifest.kind])


def read_table(path: Path) -> pa.Table:
    """The rows of a segment of one's own, or one verified before.

    Args:
        path: the manifest's path.

    Raises:
        SegmentError: the leaf class says what is wrong.
    """
    manifest = read_manifest(path)
    return decode_rows(manifest, read_payload(manifest, path))


def read_plain(path: Path, limit: int) -> bytes:
    """The bytes of a plain file: a pipe would block for ever, a link may lead anywhere.

    Raises:
        SegmentTornError: there is none, or it is longer than `limit`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        msg = f"reading {path}: {error.strerror}; expected a plain file"
        raise SegmentTornError(msg) from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            msg = f"reading {path}: {found.st_size} bytes; expected a plain file of at most {limit}"
            raise SegmentTornError(msg)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(handle)


def _require_hash(manifest: Manifest, found: str, where: Path | str) -> None:
    if found != manifest.sha256:
        msg = f"verifying the payload of {where}: SHA-256 is {found}, the manifest signs {manifest.sha256}"
        raise SegmentHashError(msg)


def _require_place(manifest: Manifest, folder: str, name: str) -> None:
    require_stream_name(manifest.stream)
    expected = f"{manifest.stream}/{manifest.sequence:012d}.json"
    if f"{folder}/{name}" != expected:
        msg = (
            f"verifying {folder}/{name}: the manifest is of {expected}; a segment moved to another place is "
            "refused"
        )
        raise SegmentNameError(msg)


def _with_added_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of an earlier schema in the present one; what it did not know is empty."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table
