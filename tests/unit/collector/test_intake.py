"""Admission: each source time once per tag, held points after their history, marks and points together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.collector.buffer import PointBuffer
from ingestion.collector.intake import Intake, has_overflowed
from ingestion.collector.notifications import LivePoints
from ingestion.collector.points import NO_TICKS, Page, Row, points_of_rows
from protocols.opcua_time import MAX_TICKS, TICKS_PER_SECOND, UNIX_EPOCH_TICKS
from protocols.points import POINTS

T0 = UNIX_EPOCH_TICKS + 10**16
ARRIVED_US = 10**15
OVERFLOW = 0x0000_0480


def row(ticks: int, tag: int = 0, status: int = 0, value: float | None = 1.0) -> Row:
    return tag, T0 + ticks, value, None, status, NO_TICKS, ARRIVED_US


def take(intake: Intake, *rows: Row) -> None:
    points = points_of_rows(rows)
    intake.take(LivePoints(points.tags.astype(np.int64), points.page), ARRIVED_US)


def page(ticks: list[int]) -> Page:
    count = len(ticks)
    return Page(
        np.array(ticks, np.int64) + T0,
        np.arange(count, dtype=np.float64),
        np.ones(count, np.bool_),
        None,
        np.zeros(count, np.int64),
        np.full(count, NO_TICKS),
    )


def sealed_ticks(buffer: PointBuffer) -> list[int]:
    batch = buffer.drain()
    if batch is None:
        return []
    micros = batch.table["source_at_utc"].cast("int64").to_pylist()
    digits = batch.table["source_at_100ns"].to_pylist()
    return [UNIX_EPOCH_TICKS + 10 * us + digit - T0 for us, digit in zip(micros, digits, strict=True)]


def test_a_drained_batch_is_in_the_wire_schema_and_carries_its_marks() -> None:
    buffer = PointBuffer(["A", "B"], {})
    buffer.admit(row(17, value=float("nan"), status=0xFFFF_FFFF))
    buffer.admit_page(1, page([1, 2]), 0)
    batch = buffer.drain()
    assert batch is not None
    assert batch.table.cast(POINTS).schema.equals(POINTS)
    assert batch.marks == {"A": T0 + 17, "B": T0 + 2}
    rows = {(r["tag_id"], r["source_at_100ns"]): r for r in batch.table.to_pylist()}
    assert str(rows["A", 7]["value_number"]) == "nan"
    assert rows["A", 7]["status_code"] == 0xFFFF_FFFF
    assert rows["A", 7]["server_at_utc"] is None
    assert buffer.drain() is None


@given(st.lists(st.lists(st.integers(1, 40), max_size=10), max_size=6), st.integers(0, 20))
def test_pages_in_any_order_with_repeats_admit_each_later_instant_once(
    pages: list[list[int]], mark: int
) -> None:
    buffer = PointBuffer(["A"], {"A": T0 + mark})
    newest, expected = mark, []
    for ticks in pages:
        later = sorted({tick for tick in ticks if tick > newest})
        expected += later
        newest = later[-1] if later else newest
        buffer.admit_page(0, page(ticks), 0)
    assert sealed_ticks(buffer) == expected
    assert buffer.mark(0) == T0 + newest


def test_the_first_of_two_values_of_one_instant_stays() -> None:
    assert page([5, 5, 6]).newer_than(T0).numbers.tolist() == [0.0, 2.0]


def test_live_points_wait_for_history_and_follow_it_without_repeats() -> None:
    wanted: list[int] = []
    buffer = PointBuffer(["A", "B"], {})
    intake = Intake(buffer, [True, True], wanted.append)
    intake.hold(0)
    take(intake, row(5))
    take(intake, row(7))
    take(intake, row(6))
    take(intake, row(1, tag=1))
    assert wanted == [0]
    assert sealed_ticks(buffer) == [1]
    assert not intake.has_reached(0)
    buffer.admit_page(0, page([2, 3, 4, 5]), 0)
    assert intake.has_reached(0)
    intake.release(0)
    take(intake, row(8))
    assert sorted(sealed_ticks(buffer)) == [2, 3, 4, 5, 6, 7, 8]


def test_an_overflow_holds_the_tag_until_history_closes_the_hole() -> None:
    wanted: list[int] = []
    buffer = PointBuffer(["A"], {})
    intake = Intake(buffer, [True], wanted.append)
    take(intake, row(1))
    take(intake, row(4, status=OVERFLOW))
    take(intake, row(5))
    assert wanted == [0]
    buffer.admit_page(0, page([1, 2, 3, 4]), 0)
    intake.release(0)
    assert sorted(sealed_ticks(buffer)) == [1, 2, 3, 4, 5]


def test_an_overflow_of_a_tag_without_history_is_kept_as_received() -> None:
    buffer = PointBuffer(["A"], {})
    intake = Intake(buffer, [False], lambda _: None)
    take(intake, row(4, status=OVERFLOW))
    batch = buffer.drain()
    assert batch is not None
    assert batch.table["status_code"].to_pylist() == [OVERFLOW]


@pytest.mark.parametrize(
    "ahead", [2 * 3600 * TICKS_PER_SECOND, MAX_TICKS - T0], ids=["two hours", "for ever"]
)
def test_a_point_dated_far_ahead_shuts_out_nothing_and_history_closes_the_hole(ahead: int) -> None:
    wanted: list[int] = []
    buffer = PointBuffer(["A", "B"], {})
    intake = Intake(buffer, [True, False], wanted.append)
    take(intake, row(1))
    take(intake, row(ahead))
    take(intake, row(ahead, tag=1))
    assert (intake.ahead_tags, wanted) == ([0, 1], [])
    take(intake, row(4))
    take(intake, row(4, tag=1))
    assert (intake.ahead_tags, wanted) == ([], [0])
    buffer.admit_page(0, page([1, 2, 3]), 0)
    intake.release(0)
    assert sorted(sealed_ticks(buffer)) == [1, 2, 3, 4, 4]


def test_a_server_clock_an_hour_ahead_is_borne_with() -> None:
    buffer = PointBuffer(["A"], {})
    take(Intake(buffer, [True], lambda _: None), row(3600 * TICKS_PER_SECOND))
    assert len(buffer) == 1


def test_only_the_overflow_bit_of_a_data_value_counts() -> None:
    assert has_overflowed(OVERFLOW)
    assert not has_overflowed(0x0000_0080)
    assert not has_overflowed(0x0000_0400)
    assert not has_overflowed(0x0000_0880)
