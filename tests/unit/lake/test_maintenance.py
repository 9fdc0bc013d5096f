"""Maintenance keeps every row and every application transaction, also beside appends."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from lake import tables
from lake.encodings import POINTS, RECORD, Storage
from lake.maintenance import compact, maintain, set_storage, vacuum

SCHEMA = pa.schema(
    [
        pa.field("tag_id", pa.string(), nullable=False),
        pa.field("source_at_utc", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source_at_100ns", pa.int8(), nullable=False),
        pa.field("status_code", pa.int64(), nullable=False),
        pa.field("source_date", pa.date32(), nullable=False),
    ]
)
DAY = date(2026, 11, 16)
TODAY = DAY + timedelta(days=1)


def append(path: Path, number: int, day: date = DAY) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=number)
    tags = ["b", "a"]
    rows = pa.table(
        {
            "tag_id": tags,
            "source_at_utc": [at] * 2,
            "source_at_100ns": [0] * 2,
            "status_code": [0] * 2,
            "source_date": [day] * 2,
        },
        schema=SCHEMA,
    )
    tables.append(
        path, rows, SCHEMA, app_id="s", version=number, partition_by=["source_date"], storage=POINTS
    )


def content(path: Path) -> list[str]:
    return sorted(map(str, tables.read(path).to_pylist()))


def test_a_closed_day_becomes_one_sorted_file_with_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    for number in range(1, 6):
        append(path, number)
    before = content(path)
    report = maintain(path, today=TODAY)
    assert (report.files_before, report.files_after, report.compacted) == (5, 1, ("2026-11-16",))
    assert content(path) == before
    assert tables.transaction_version(path, "s") == 5
    keys = pq.read_table(DeltaTable(path).file_uris()[0], columns=["tag_id", "source_at_utc"]).to_pylist()
    assert keys == sorted(keys, key=lambda row: (row["tag_id"], row["source_at_utc"]))
    assert maintain(path, today=TODAY).compacted == ()


def test_an_open_day_is_joined_only_when_it_has_many_files(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    for number in range(1, 6):
        append(path, number, day=TODAY)
    assert compact(path, today=TODAY) == ((), ())
    for number in range(6, 20):
        append(path, number, day=TODAY)
    before = content(path)
    assert compact(path, today=TODAY) == (("2026-11-17",), ())
    assert len(DeltaTable(path).file_uris()) == 1
    assert content(path) == before


def test_compaction_beside_appends_to_the_same_days_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    append(path, 1)
    stop = threading.Event()

    def keep_compacting() -> None:
        while not stop.is_set():
            compact(path, today=TODAY)

    compactor = threading.Thread(target=keep_compacting)
    compactor.start()
    try:
        for number in range(2, 42):
            append(path, number, day=DAY if number % 2 else TODAY)
    finally:
        stop.set()
        compactor.join()
    compact(path, today=TODAY)
    assert len(content(path)) == len(set(content(path))) == 82
    assert tables.transaction_version(path, "s") == 41


def test_the_transaction_survives_checkpoint_and_log_cleanup(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    for number in range(1, 4):
        append(path, number)
    maintain(path, today=TODAY)
    for entry in (path / "_delta_log").glob("0*.json"):
        if int(entry.stem) < DeltaTable(path).version():
            entry.unlink()
    assert tables.transaction_version(path, "s") == 3


def test_vacuum_keeps_what_the_retention_covers(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    for number in range(1, 4):
        append(path, number)
    compact(path, today=TODAY)
    orphan = path / "source_date=2026-11-16" / "part-00000-killed-writer-c000.zstd.parquet"
    orphan.write_bytes(b"half")
    assert vacuum(path) == []
    assert tables.read(path, version=3).num_rows == 6
    assert orphan.exists()


def test_a_table_says_itself_how_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "raw_a__points"
    append(path, 1)
    assert Storage.from_configuration(DeltaTable(path).metadata().configuration) == POINTS
    assert not set_storage(path, POINTS)
    assert set_storage(path, RECORD)
    assert Storage.from_configuration(DeltaTable(path).metadata().configuration) == RECORD
