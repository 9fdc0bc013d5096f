"""Segments with any payload, signed as the collector signs them: they are moved and never decoded."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.points import schema_version
from protocols.segment_manifest import FORMAT_VERSION, Manifest
from protocols.segments import manifest_path

SEALED_AT = "2026-11-16T00:00:00.000000Z"


def seal_bytes(system_dir: Path, stream: str, number: int, payload: bytes, key: Ed25519PrivateKey) -> Path:
    """Write payload and manifest below `system_dir`; where the manifest lies."""
    kind = stream.rpartition(".")[2]
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        stream=stream,
        sequence=number,
        kind=kind,
        rows=0,
        first_source_at_utc=None,
        last_source_at_utc=None,
        schema_version=schema_version(kind),
        sha256=hashlib.sha256(payload).hexdigest(),
        sealed_at_utc=SEALED_AT,
        marks={},
    )
    signature = base64.b64encode(key.sign(manifest.signed_bytes())).decode()
    path = manifest_path(system_dir, stream, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".parquet").write_bytes(payload)
    signed = {**asdict(manifest), "signature": signature}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path
