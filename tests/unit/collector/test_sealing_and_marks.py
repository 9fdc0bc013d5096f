"""What is sealed is what a restart knows: marks from manifests and checkpoint, never past a hole."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ingestion.collector import sealing
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.marks import MarksError, format_mark, load_committed, mark_of, parse_mark
from ingestion.collector.points import NO_TICKS
from ingestion.collector.points_sealing import PointsSealing
from ingestion.collector.sealing import Sealer
from ingestion.collector.status import Status
from protocols.clock import SystemClock
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import manifest_path, read_manifest, sequences

STREAM = "plant.points"
T0 = UNIX_EPOCH_TICKS + 10**16


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def sealer_in(folder: Path, key: Ed25519PrivateKey) -> Sealer:
    return Sealer(folder, "plant", key, SystemClock())


async def seal_points(sealer: Sealer, count: int, *, first: int = 1) -> PointBuffer:
    buffer = PointBuffer(["A"], sealer.marks("points"))
    points = PointsSealing(buffer, sealer, Status("plant", "opc.tcp://x"), every_s=1, rows=1000)
    for number in range(first, first + count):
        buffer.admit((0, T0 + number, 1.0, None, 0, NO_TICKS, 0))
        await points.seal()
    return buffer


@given(st.integers(1, 2_650_000_000_000_000_000))
def test_a_mark_is_written_to_the_100_ns_and_read_back(ticks: int) -> None:
    assert parse_mark(format_mark(ticks)) == ticks


@pytest.mark.parametrize("text", ["", "2026-11-16T00:00:00Z", "2026-11-16T00:00:00.123456Z", "yesterday"])
def test_another_text_is_no_mark(text: str) -> None:
    with pytest.raises(MarksError, match="expected an instant"):
        parse_mark(text)


def test_the_mark_before_an_instant_lets_that_instant_through() -> None:
    at = datetime(2026, 11, 16, tzinfo=UTC)
    assert format_mark(mark_of(at)) == "2026-11-15T23:59:59.9999990Z"


def test_a_restart_goes_on_where_the_last_seal_ended(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    asyncio.run(seal_points(sealer_in(tmp_path, key), 3))
    again = sealer_in(tmp_path, key)
    assert again.last_sequence("points") == 3
    assert again.marks("points") == {"A": T0 + 3}
    assert again.committed.rows == {STREAM: 3}


def test_a_restart_finds_the_marks_in_the_rows_to_the_100_ns(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    async def scenario() -> None:
        buffer = PointBuffer(["B", "A"], {})
        points = PointsSealing(buffer, sealer_in(tmp_path, key), Status("plant", "x"), every_s=1, rows=1000)
        for ticks, tag in ((11, 0), (13, 1), (19, 0), (20, 1), (27, 1)):
            buffer.admit((tag, T0 + ticks, 1.0, None, 0, NO_TICKS, 0))
        await points.seal()

    asyncio.run(scenario())
    assert read_manifest(manifest_path(tmp_path, STREAM, 1)).marks == {}
    assert sealer_in(tmp_path, key).marks("points") == {"A": T0 + 27, "B": T0 + 19}


def test_a_checkpoint_of_the_first_format_is_still_read(tmp_path: Path) -> None:
    marks = {STREAM: {"A": format_mark(T0 + 3)}}
    content = {"format_version": 1, "last_sequences": {STREAM: 1}, "rows": {STREAM: 3}, "marks": marks}
    (tmp_path / "marks.json").write_text(json.dumps(content))
    assert load_committed(tmp_path, [STREAM]).marks == {STREAM: {"A": T0 + 3}}


def test_points_admitted_again_after_a_restart_are_not_sealed_again(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    asyncio.run(seal_points(sealer_in(tmp_path, key), 3))
    asyncio.run(seal_points(sealer_in(tmp_path, key), 3, first=2))
    again = sealer_in(tmp_path, key)
    assert again.committed.rows == {STREAM: 4}


def test_the_checkpoint_replaces_old_manifests(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "CHECKPOINT_EVERY", 4)
    asyncio.run(seal_points(sealer_in(tmp_path, key), 6))
    for number in (1, 2, 3, 4):
        (tmp_path / STREAM / f"{number:012d}.json").unlink()
    again = sealer_in(tmp_path, key)
    assert (again.last_sequence("points"), again.marks("points")) == (6, {"A": T0 + 6})


def test_a_hole_between_checkpoint_and_manifests_stops_the_collector(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    asyncio.run(seal_points(sealer_in(tmp_path, key), 3))
    (tmp_path / STREAM / "000000000002.json").unlink()
    with pytest.raises(MarksError, match="goes on with segment 3, expected 2"):
        load_committed(tmp_path, [STREAM])


@pytest.mark.parametrize("content", ["", "{}", '{"format_version": 2}', '{"format_version": 1, "marks": 3}'])
def test_a_damaged_checkpoint_stops_the_collector(tmp_path: Path, content: str) -> None:
    (tmp_path / "marks.json").write_text(content)
    with pytest.raises(MarksError, match=r"marks\.json"):
        load_committed(tmp_path, [STREAM])


def test_a_refused_write_keeps_the_points_and_their_order(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        sealer = sealer_in(tmp_path, key)
        buffer = PointBuffer(["A"], {})
        points = PointsSealing(buffer, sealer, Status("plant", "opc.tcp://x"), every_s=1, rows=1000)
        buffer.admit((0, T0 + 1, 1.0, None, 0, NO_TICKS, 0))
        with monkeypatch.context() as patch:
            patch.setattr(sealing, "write_segment", refuse)
            with pytest.raises(OSError, match="No space left"):
                await points.seal()
        buffer.admit((0, T0 + 2, 1.0, None, 0, NO_TICKS, 0))
        await points.seal()
        assert sequences(tmp_path, STREAM) == [1, 2]
        assert sealer.committed.rows == {STREAM: 2}
        assert sealer.marks("points") == {"A": T0 + 2}

    def refuse(*_: object, **__: object) -> Path:
        raise OSError(28, "No space left on device")

    asyncio.run(scenario())


def test_a_checkpoint_the_disk_refuses_seals_no_point_twice(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "CHECKPOINT_EVERY", 2)
    sealer = sealer_in(tmp_path, key)
    checkpoint = tmp_path / "marks.json"
    checkpoint.mkdir()  # no file can be renamed over a folder
    asyncio.run(seal_points(sealer, 3))
    assert sequences(tmp_path, STREAM) == [1, 2, 3]
    assert sealer.committed.rows == {STREAM: 3}
    checkpoint.rmdir()
    asyncio.run(seal_points(sealer, 1, first=4))
    assert load_committed(tmp_path, []).last_sequences == {STREAM: 4}


def test_a_seal_whose_caller_is_cancelled_is_not_repeated(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    async def scenario() -> None:
        sealer = sealer_in(tmp_path, key)
        buffer = PointBuffer(["A"], {})
        points = PointsSealing(buffer, sealer, Status("plant", "opc.tcp://x"), every_s=1, rows=1000)
        buffer.admit((0, T0 + 1, 1.0, None, 0, NO_TICKS, 0))
        caller = asyncio.create_task(points.seal())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        await points.seal()
        assert sealer.committed.rows == {STREAM: 1}

    asyncio.run(scenario())


def test_a_row_that_comes_late_does_not_take_the_mark_back(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    async def scenario() -> None:
        sealer = sealer_in(tmp_path, key)
        for ticks in (20, 10):
            buffer = PointBuffer(["A"], {})
            buffer.admit((0, T0 + ticks, 1.0, None, 0, NO_TICKS, 0))
            batch = buffer.drain()
            assert batch is not None
            await sealer.seal("points", batch.table, {"A": T0 + 20}, marks_are_in_rows=True)

    asyncio.run(scenario())
    assert sealer_in(tmp_path, key).marks("points") == {"A": T0 + 20}
