"""The read marks of one system: in its sealed segments, and a checkpoint of them.

The segments are the truth: a manifest lists its marks, or says that each is its tag's last source time in the
payload. `marks.json` only spares reading all of them, and lets old segments be deleted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from protocols.durable_files import write_durably
from protocols.opcua_time import UNIX_EPOCH_TICKS, from_ticks, hundred_ns, to_ticks, with_hundred_ns
from protocols.segments import SegmentError, manifest_path, read_manifest, read_table, sequences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from protocols.segments import Manifest

# 1 wrote the marks as text, which took seconds for some hundred thousand tags.
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
CHECKPOINT_NAME = "marks.json"
_MARK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", re.ASCII)


class MarksError(ValueError):
    """What was committed cannot be read, so nothing may be collected: points would come twice."""


@dataclass
class Committed:
    """What is sealed of one system: by stream, its last sequence, its rows and the marks of its keys."""

    last_sequences: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    marks: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, manifest: Manifest, marks: Mapping[str, int]) -> None:
        """Take a sealed segment in, and the marks committed with it."""
        expected = self.last_sequences.get(manifest.stream, 0) + 1
        if manifest.sequence != expected:
            msg = (
                f"reading marks: stream {manifest.stream} goes on with segment {manifest.sequence}, expected "
                f"{expected}; restore the missing segment or the marks checkpoint, or points come twice"
            )
            raise MarksError(msg)
        self.last_sequences[manifest.stream] = manifest.sequence
        self.rows[manifest.stream] = self.rows.get(manifest.stream, 0) + manifest.rows
        self.marks.setdefault(manifest.stream, {}).update(marks)


def format_mark(ticks: int) -> str:
    """An instant with seven decimals: `2026-11-16T00:00:00.1234567Z`."""
    at = from_ticks(ticks)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}{hundred_ns(at)}Z"


def parse_mark(text: str) -> int:
    """The ticks of a formatted mark.

    Raises:
        MarksError: the text is no instant with seven decimals.
    """
    if not _MARK.fullmatch(text):
        msg = f"reading mark {text!r}: expected an instant like 2026-11-16T00:00:00.1234567Z"
        raise MarksError(msg)
    return to_ticks(with_hundred_ns(datetime.fromisoformat(text[:-2] + "+00:00"), int(text[-2])))


def format_marks(marks: Mapping[str, int]) -> dict[str, str]:
    """Marks as a manifest carries them."""
    return {key: format_mark(ticks) for key, ticks in marks.items()}


def load_committed(directory: Path, streams: Sequence[str]) -> Committed:
    """What is sealed below a system's folder: the checkpoint, and every manifest after it.

    Raises:
        MarksError: a manifest between the checkpoint and the last one is missing, or the checkpoint is
        damaged.
    """
    committed = read_checkpoint(directory / CHECKPOINT_NAME)
    for stream in streams:
        last = committed.last_sequences.get(stream, 0)
        for sequence in sequences(directory, stream):
            if sequence > last:
                path = manifest_path(directory, stream, sequence)
                manifest = read_manifest(path)
                committed.add(manifest, _marks_of(path, manifest, committed.marks.get(stream, {})))
    return committed


def _marks_of(path: Path, manifest: Manifest, before: Mapping[str, int]) -> dict[str, int]:
    if not manifest.marks_are_in_rows:
        return {key: parse_mark(text) for key, text in manifest.marks.items()}
    try:
        rows = read_table(path)
    except SegmentError as error:
        msg = f"reading marks: {error}; restore the segment or the marks checkpoint, or points come twice"
        raise MarksError(msg) from error
    # Of the last microsecond the last digit; rows lie by tag and time, and a group keeps their order.
    lasts = rows.group_by("tag_id", use_threads=False).aggregate(
        [("source_at_utc", "last"), ("source_at_100ns", "last")]
    )
    instants = lasts["source_at_utc_last"].cast(pa.int64()).to_pylist()
    digits = lasts["source_at_100ns_last"].to_pylist()
    ticks = [UNIX_EPOCH_TICKS + 10 * us + digit for us, digit in zip(instants, digits, strict=True)]
    # A row that came late lies before the mark of an earlier segment, which stays.
    tags = lasts["tag_id"].to_pylist()
    return {tag: max(before.get(tag, 0), last) for tag, last in zip(tags, ticks, strict=True)}


def checkpoint_bytes(committed: Committed) -> bytes:
    """A checkpoint's content."""
    content = {
        "format_version": FORMAT_VERSION,
        "last_sequences": committed.last_sequences,
        "rows": committed.rows,
        "marks": committed.marks,
    }
    return json.dumps(content, ensure_ascii=False).encode()


def write_checkpoint(directory: Path, committed: Committed) -> None:
    """Replace the checkpoint, durably."""
    write_durably(directory / CHECKPOINT_NAME, checkpoint_bytes(committed))


def read_checkpoint(path: Path) -> Committed:
    """What a checkpoint says is sealed; nothing where there is none.

    Raises:
        MarksError: it is damaged, or of a version that is not read here.
    """
    if not path.exists():
        return Committed()
    try:
        found = json.loads(path.read_bytes())
        version = found["format_version"]
        marks = {
            stream: {key: parse_mark(mark) if version == 1 else int(mark) for key, mark in of_stream.items()}
            for stream, of_stream in found["marks"].items()
        }
        committed = Committed(dict(found["last_sequences"]), dict(found["rows"]), marks)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"reading marks checkpoint {path}: {error!r}; restore it, or points come twice"
        raise MarksError(msg) from error
    if version not in READABLE_VERSIONS:
        msg = f"reading marks checkpoint {path}: version {version}, this version reads {READABLE_VERSIONS}"
        raise MarksError(msg)
    return committed


def mark_of(at: datetime) -> int:
    """The mark just before an instant, so that the instant itself is read."""
    return to_ticks(at - timedelta(microseconds=1))
