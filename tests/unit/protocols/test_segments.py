"""Segments: what is sealed comes back, and anything torn, moved, forged or changed is refused by name."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols import segments
from protocols.points import ALARMS, ALARMS_1, POINTS, SCHEMAS

STREAM = "opcua_environment.points"
SEALED_AT = datetime(2026, 11, 17, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def points(count: int = 3) -> pa.Table:
    rows = [
        {
            "tag_id": f"DA001.T{count - index}",
            "source_at_utc": SEALED_AT - timedelta(seconds=index),
            "source_at_100ns": index % 10,
            "value_number": float("nan") if index == 1 else index / 7,
            "value_text": "甲醇" if index == 2 else None,
            "status_code": 0x80AB_0480 + index,
            "server_at_utc": None,
            "server_at_100ns": None,
            "arrived_at_utc": SEALED_AT,
        }
        for index in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=POINTS)


def seal(directory: Path, key: Ed25519PrivateKey, sequence: int = 1, table: pa.Table | None = None) -> Path:
    marks = {"DA001.T1": "2026-11-17T01:29:58.0000002Z"}
    table = points() if table is None else table
    return segments.write_segment(directory, STREAM, sequence, table, "points", marks, key, SEALED_AT)


def test_a_sealed_segment_comes_back_sorted_with_its_marks(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    manifest = segments.verify_segment(path, key.public_key())
    table = segments.read_table(path)
    assert path == tmp_path / STREAM / "000000000001.json"
    assert (manifest.stream, manifest.sequence, manifest.rows) == (STREAM, 1, 3)
    assert manifest.marks == {"DA001.T1": "2026-11-17T01:29:58.0000002Z"}
    assert manifest.first_source_at_utc == "2026-11-17T01:29:58.000000Z"
    assert manifest.last_source_at_utc == "2026-11-17T01:30:00.000000Z"
    assert table.schema.equals(POINTS)
    assert table["tag_id"].to_pylist() == ["DA001.T1", "DA001.T2", "DA001.T3"]
    assert str(table["value_number"][1].as_py()) == "nan"
    assert table["value_text"][0].as_py() == "甲醇"
    assert table["status_code"].to_pylist() == [0x80AB_0482, 0x80AB_0481, 0x80AB_0480]


def signed(found: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    signature = base64.b64encode(key.sign(canonical(found))).decode()
    return canonical({**found, "signature": signature})


def canonical(found: dict[str, Any]) -> bytes:
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_segment_of_the_first_format_is_still_read(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    payload = path.with_suffix(".parquet")
    pq.write_table(points().sort_by("tag_id"), payload, compression="zstd")
    found = json.loads(path.read_text())
    del found["marks_are_in_rows"], found["signature"]
    found |= {"format_version": 1, "sha256": hashlib.sha256(payload.read_bytes()).hexdigest()}
    path.write_bytes(signed(found, key))
    assert segments.verify_segment(path, key.public_key()).marks == found["marks"]
    assert segments.read_table(path).schema.equals(POINTS)


def alarm(schema: pa.Schema) -> pa.Table:
    row = {"event_id": "e1", "event_type": "LimitAlarm", "source_name": "T1", "severity": 500}
    at = {"event_at_utc": SEALED_AT, "event_at_100ns": 0, "arrived_at_utc": SEALED_AT}
    return pa.Table.from_pylist([{**row, **at, "is_active": True}], schema=schema)


def seal_alarm(directory: Path, key: Ed25519PrivateKey, version: int, schema: pa.Schema) -> Path:
    path = segments.write_segment(directory, "a.alarms", 1, alarm(ALARMS), "alarms", {}, key, SEALED_AT)
    payload = path.with_suffix(".parquet")
    pq.write_table(alarm(schema), payload, compression="zstd", store_schema=False)
    found = json.loads(path.read_text())
    del found["signature"]
    found |= {"schema_version": version, "sha256": hashlib.sha256(payload.read_bytes()).hexdigest()}
    path.write_bytes(signed(found, key))
    return path


def test_alarms_that_an_older_collector_sealed_are_read_with_the_new_columns_empty(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    path = seal_alarm(tmp_path, key, 1, ALARMS_1)
    assert segments.verify_segment(path, key.public_key()).schema_version == 1
    table = segments.read_table(path)
    assert table.schema.equals(ALARMS)
    (row,) = table.to_pylist()
    assert (row["event_id"], row["is_active"], row["is_confirmed"], row["told_by"]) == (
        "e1",
        True,
        None,
        None,
    )


def test_alarms_of_a_newer_collector_are_refused_whole(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    newer = pa.schema([*ALARMS, pa.field("is_unheard_of", pa.bool_())])
    path = seal_alarm(tmp_path, key, 3, newer)
    with pytest.raises(segments.SegmentVersionError, match=r"schema version 3.*upgrade the receiving side"):
        segments.verify_segment(path, key.public_key())


@pytest.mark.parametrize(("version", "schema"), [(1, ALARMS), (2, ALARMS_1)])
def test_alarms_in_other_columns_than_their_version_says_are_refused(
    tmp_path: Path, key: Ed25519PrivateKey, version: int, schema: pa.Schema
) -> None:
    with pytest.raises(segments.SegmentVersionError, match="its columns are"):
        segments.read_table(seal_alarm(tmp_path, key, version, schema))


def test_points_with_encoded_tags_come_back_plain_and_sorted(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    plain = str(segments.read_table(seal(tmp_path, key)).to_pylist())  # as text, for NaN is not NaN
    for number, table in enumerate((points(), points().sort_by("tag_id")), start=2):
        encoded = table.set_column(0, "tag_id", table["tag_id"].dictionary_encode())
        assert str(segments.read_table(seal(tmp_path, key, number, encoded)).to_pylist()) == plain


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_an_empty_table_of_every_kind_can_be_sealed(
    tmp_path: Path, key: Ed25519PrivateKey, kind: str
) -> None:
    table = SCHEMAS[kind].empty_table()
    path = segments.write_segment(tmp_path, f"plant.{kind}", 1, table, kind, {}, key, SEALED_AT)
    manifest = segments.verify_segment(path, key.public_key())
    assert manifest.first_source_at_utc is None
    assert segments.read_table(path).num_rows == 0


def test_a_sealed_sequence_is_never_replaced(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    seal(tmp_path, key)
    with pytest.raises(segments.SegmentExistsError, match="never replaced"):
        seal(tmp_path, key)


def test_a_payload_without_manifest_is_no_segment_and_may_be_written_again(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    path = seal(tmp_path, key)
    path.unlink()
    assert segments.sequences(tmp_path, STREAM) == []
    seal(tmp_path, key, table=points(5))
    assert segments.verify_segment(path, key.public_key()).rows == 5


@pytest.mark.parametrize(
    "name", ["../../etc.points", "a/b.points", "Opcua.points", "points", "a.points\n", ".points", ""]
)
def test_a_stream_name_that_is_no_plain_folder_name_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, name: str
) -> None:
    with pytest.raises(segments.SegmentNameError, match="refused"):
        segments.write_segment(tmp_path, name, 1, points(), "points", {}, key, SEALED_AT)
    assert list(tmp_path.iterdir()) == []


def test_one_changed_payload_byte_is_found(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    payload = path.with_suffix(".parquet")
    content = bytearray(payload.read_bytes())
    content[len(content) // 2] ^= 1
    payload.write_bytes(content)
    with pytest.raises(segments.SegmentHashError, match="SHA-256"):
        segments.verify_segment(path, key.public_key())


def test_a_missing_payload_is_torn(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    path.with_suffix(".parquet").unlink()
    with pytest.raises(segments.SegmentTornError, match="without its payload"):
        segments.verify_segment(path, key.public_key())


@pytest.mark.parametrize("keep", [0, 1, 100])
def test_a_manifest_cut_short_is_torn(tmp_path: Path, key: Ed25519PrivateKey, keep: int) -> None:
    path = seal(tmp_path, key)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(segments.SegmentTornError):
        segments.read_manifest(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rows", 4),
        ("marks", {}),
        ("sequence", 2),
        ("signature", ""),
        ("signature", "not base64 !"),
        ("format_version", 3),
        ("extra", 1),
    ],
)
def test_a_changed_manifest_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, field: str, value: object
) -> None:
    path = seal(tmp_path, key)
    path.write_bytes(canonical({**json.loads(path.read_text()), field: value}))
    with pytest.raises(segments.SegmentSignatureError):
        segments.verify_segment(path, key.public_key())


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("format_version", 3, segments.SegmentVersionError),
        ("schema_version", 9, segments.SegmentVersionError),
        ("kind", "commands", segments.SegmentVersionError),
        ("rows", "3", segments.SegmentTornError),
        ("extra", 1, segments.SegmentTornError),
        ("stream", "../up", segments.SegmentNameError),
        ("sequence", 2, segments.SegmentNameError),
    ],
)
def test_a_signed_manifest_of_another_kind_or_place_is_refused_for_what_it_is(
    tmp_path: Path, key: Ed25519PrivateKey, field: str, value: object, error: type[Exception]
) -> None:
    path = seal(tmp_path, key)
    found = {**json.loads(path.read_text()), field: value}
    del found["signature"]
    path.write_bytes(signed(found, key))
    with pytest.raises(error):
        segments.verify_segment(path, key.public_key())


def test_a_payload_of_more_rows_than_signed_is_not_decoded(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    found = {**json.loads(path.read_text()), "rows": 2}
    del found["signature"]
    path.write_bytes(signed(found, key))
    with pytest.raises(segments.SegmentTornError, match="announces 3 rows"):
        segments.read_table(path)


@pytest.mark.parametrize("hostile", ["pipe", "link", "folder"])
def test_what_is_no_plain_file_is_not_opened(tmp_path: Path, key: Ed25519PrivateKey, hostile: str) -> None:
    for suffix in (".parquet", ".json"):
        path = seal(tmp_path / suffix, key).with_suffix(suffix)
        path.rename(tmp_path / "kept")
        if hostile == "pipe":
            os.mkfifo(path)
        elif hostile == "link":
            path.symlink_to(tmp_path / "kept")
        else:
            path.mkdir()
        with pytest.raises(segments.SegmentTornError):
            segments.verify_segment(path.with_suffix(".json"), key.public_key())


def test_another_key_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    with pytest.raises(segments.SegmentSignatureError, match="not signed by the expected"):
        segments.verify_segment(path, Ed25519PrivateKey.generate().public_key())


def test_a_segment_renamed_to_another_number_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = seal(tmp_path, key)
    moved = path.with_name("000000000002.json")
    path.with_suffix(".parquet").rename(moved.with_suffix(".parquet"))
    path.rename(moved)
    with pytest.raises(segments.SegmentNameError, match="moved to another place"):
        segments.verify_segment(moved, key.public_key())
