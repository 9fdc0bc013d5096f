"""The signed manifest of a segment: its fields, its canonical bytes, and what is refused unread.

Reading and writing whole segments is in `protocols/segments.py`.

    SegmentError
    ├── SegmentNameError       a stream name or file name that must not become a path
    ├── SegmentTornError       a file is missing, cut short or not readable
    ├── SegmentVersionError    sealed by a later or unknown format
    ├── SegmentSignatureError  the manifest was not signed by the expected key
    ├── SegmentHashError       the payload is not the one that was signed
    └── SegmentExistsError     the sequence is sealed already
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from protocols.points import SCHEMAS, schema_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 2: marks that the rows themselves tell are not written a second time; the payload stores no Arrow schema.
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
MANIFEST_LIMIT_BYTES = 64 * 1024 * 1024
STREAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,30}")


class SegmentError(ValueError):
    """A segment cannot be written or must not be read."""


class SegmentNameError(SegmentError):
    """A stream or file name that must not become a path."""


class SegmentTornError(SegmentError):
    """A file of the segment is missing, cut short or not readable."""


class SegmentVersionError(SegmentError):
    """The segment was sealed by a later or unknown format."""


class SegmentSignatureError(SegmentError):
    """The manifest was not signed by the expected key."""


class SegmentHashError(SegmentError):
    """The payload is not the one that was signed."""


class SegmentExistsError(SegmentError):
    """The sequence is sealed already."""


@dataclass(frozen=True)
class Manifest:
    """What a segment holds, signed. Instants are ISO 8601 UTC text; marks carry seven decimals.

    Where `marks_are_in_rows`, the mark of each tag is the last source time it has in the payload (or in an
    earlier one), and `marks` is empty: with as many tags as points they would be larger than the points.
    """

    format_version: int
    stream: str
    sequence: int
    kind: str
    rows: int
    first_source_at_utc: str | None
    last_source_at_utc: str | None
    schema_version: int
    sha256: str
    sealed_at_utc: str
    marks: Mapping[str, str]
    marks_are_in_rows: bool = False
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """The canonical JSON the signature covers: sorted keys, no blanks, UTF-8, without the signature."""
        fields = asdict(self)
        del fields["signature"]
        if self.format_version == 1:
            del fields["marks_are_in_rows"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "format_version": int,
    "stream": str,
    "sequence": int,
    "kind": str,
    "rows": int,
    "first_source_at_utc": (str, type(None)),
    "last_source_at_utc": (str, type(None)),
    "schema_version": int,
    "sha256": str,
    "sealed_at_utc": str,
    "marks": dict,
    "marks_are_in_rows": bool,
    "signature": str,
}
# Fields that version 1 has not.
_ADDED = ("marks_are_in_rows",)


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file, its shape checked but neither its signature nor the payload.

    Raises:
        SegmentTornError: the file is not a whole manifest.
        SegmentVersionError: it is of another format.
    """
    try:
        if path.stat().st_size > MANIFEST_LIMIT_BYTES:
            msg = f"reading {path}: larger than {MANIFEST_LIMIT_BYTES} bytes, so no manifest"
            raise SegmentTornError(msg)
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        if isinstance(error, SegmentError):
            raise
        msg = f"reading manifest {path}: {error}; expected a whole JSON object"
        raise SegmentTornError(msg) from error
    return manifest_of(found, path)


def require_stream_name(stream: str) -> str:
    """`stream` itself when it is `<system_id>.<kind>` in lower case, so that it can be a folder's name.

    Raises:
        SegmentNameError: it is anything else.
    """
    if not STREAM_NAME.fullmatch(stream):
        msg = f"stream name {stream!r} is refused: expected <system_id>.<kind> of a-z, 0-9 and _"
        raise SegmentNameError(msg)
    return stream


def manifest_of(found: Any, path: Path | str) -> Manifest:
    """The manifest that a JSON value is, its shape checked.

    Raises:
        SegmentTornError: it is none.
        SegmentVersionError: it is of another format.
    """
    if not isinstance(found, dict):
        msg = f"reading manifest {path}: found {type(found).__name__}, expected a JSON object"
        raise SegmentTornError(msg)
    version = found.get("format_version")
    if version not in READABLE_VERSIONS:
        msg = (
            f"reading manifest {path}: format_version is {version!r}, this version reads "
            f"{READABLE_VERSIONS}; upgrade the receiving side before the sending one"
        )
        raise SegmentVersionError(msg)
    expected = {name: kinds for name, kinds in _FIELD_TYPES.items() if name not in _ADDED or version != 1}
    wrong = [name for name, kinds in expected.items() if not isinstance(found.get(name), kinds)]
    unknown = sorted(set(found) - set(expected))
    if wrong or unknown:
        msg = f"reading manifest {path}: missing or mistyped {wrong}, unknown {unknown}"
        raise SegmentTornError(msg)
    _require_known_schema(found["kind"], found["schema_version"], path)
    return Manifest(**found)


def _require_known_schema(kind: str, version: int, path: Path | str) -> None:
    known = range(1, schema_version(kind) + 1) if kind in SCHEMAS else range(0)
    if version not in known:
        msg = (
            f"reading manifest {path}: kind {kind!r} in schema version {version}; this version reads "
            f"{ {name: schema_version(name) for name in sorted(SCHEMAS)} } up to these versions; upgrade the "
            "receiving side, then send the segment again"
        )
        raise SegmentVersionError(msg)
