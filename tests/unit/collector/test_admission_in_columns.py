"""Columns are admitted as the same points would be one by one, whatever repeats, goes back or comes twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.collector import held_tags
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.intake import Intake
from ingestion.collector.notifications import LivePoints
from ingestion.collector.points import NO_TICKS, Page, Row, points_of_rows
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS

T0 = UNIX_EPOCH_TICKS + 10**16
ARRIVED_US = 10**15
TAGS = [f"T{tag}" for tag in range(6)]
AHEAD = 2 * 3600 * TICKS_PER_SECOND
OVERFLOW = 0x480

samples = st.tuples(
    st.integers(0, 5), st.integers(1, 12) | st.just(AHEAD), st.sampled_from([0, 0, 0, OVERFLOW])
)
messages = st.lists(st.lists(samples, min_size=1, max_size=25), max_size=5)


def points(message: list[tuple[int, int, int]]) -> LivePoints:
    rows: list[Row] = [
        (tag, T0 + ticks, float(index), None, status, NO_TICKS, ARRIVED_US)
        for index, (tag, ticks, status) in enumerate(message)
    ]
    columns = points_of_rows(rows)
    return LivePoints(columns.tags.astype(np.int64), columns.page)


def admitted(buffer: PointBuffer) -> list[tuple[str, int, float]]:
    batch = buffer.drain()
    if batch is None:
        return []
    rows = batch.table.to_pylist()
    micros = batch.table["source_at_utc"].cast("int64").to_pylist()
    return [
        (row["tag_id"], 10 * us + row["source_at_100ns"], row["value_number"])
        for row, us in zip(rows, micros, strict=True)
    ]


@given(messages, st.lists(st.integers(0, 6), min_size=6, max_size=6))
@example([[(0, 1, 0), (0, 1, 0), (0, 2, 0)]], [0] * 6)  # once more the same instant, then a later one
def test_a_message_is_admitted_as_its_points_one_by_one(
    sent: list[list[tuple[int, int, int]]], marks: list[int]
) -> None:
    known = {tag: T0 + mark for tag, mark in zip(TAGS, marks, strict=True)}
    together, singly = PointBuffer(TAGS, known), PointBuffer(TAGS, known)
    has_history = [True, False] * 3
    whole, parts = (Intake(buffer, has_history, lambda _: None) for buffer in (together, singly))
    for message in sent:
        whole.take(points(message), ARRIVED_US)
        for index in range(len(message)):
            one = points(message)
            parts.take(LivePoints(one.handles[[index]], one.page.pick(np.array([index]))), ARRIVED_US)
    assert admitted(together) == admitted(singly)
    assert [together.mark(tag) for tag in range(6)] == [singly.mark(tag) for tag in range(6)]
    assert whole.ahead_tags == parts.ahead_tags
    assert [whole.is_held(tag) for tag in range(6)] == [parts.is_held(tag) for tag in range(6)]


def test_an_unknown_handle_is_counted_and_costs_no_other_value() -> None:
    buffer = PointBuffer(TAGS, {})
    intake = Intake(buffer, [False] * 6, lambda _: None)
    page = points([(0, 1, 0), (3, 1, 0), (1, 1, 0)]).page
    intake.take(LivePoints(np.array([2**31, 3, 6]), page), ARRIVED_US)
    assert (len(buffer), intake.unknown_handles) == (1, 2)


def test_what_is_held_is_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_tags, "HELD_IN_ALL", 5)
    buffer = PointBuffer(TAGS, {})
    intake = Intake(buffer, [True] * 6, lambda _: None)
    for tag in (0, 1):
        intake.hold(tag)
    intake.take(points([(0, ticks, 0) for ticks in range(1, 9)] + [(1, 1, 0)]), ARRIVED_US)
    assert (intake.held_points, intake.first_held(0), intake.first_held(1)) == (6, T0 + 4, T0 + 1)
    assert not intake.has_reached(0)
    intake.release(0)
    assert [ticks for _, ticks, _ in admitted(buffer)] == [10**16 + ticks for ticks in range(4, 9)]
    intake.abandon()
    assert intake.held_points == 0


def test_a_value_without_any_time_is_dated_by_its_arrival() -> None:
    buffer = PointBuffer(TAGS, {})
    page = points([(2, 1, 0)]).page
    undated = Page(
        np.array([NO_TICKS]), page.numbers, page.has_number, None, page.statuses, page.server_ticks
    )
    Intake(buffer, [False] * 6, lambda _: None).take(LivePoints(np.array([2]), undated), ARRIVED_US)
    assert buffer.mark(2) == ARRIVED_US * 10 + UNIX_EPOCH_TICKS


def test_more_tags_than_sixteen_bits_are_sorted_as_well() -> None:
    buffer = PointBuffer([f"T{tag:06d}" for tag in reversed(range(70_001))], {})
    source = np.random.default_rng(1)
    for step, tag in enumerate(source.integers(0, 70_001, 2_000).tolist()):
        buffer.admit((tag, T0 + step, 1.0, None, 0, NO_TICKS, ARRIVED_US))
    found = admitted(buffer)
    assert found == sorted(found)
    assert len(found) == 2_000
