"""Messages leave in order, each once; what is missing is known by its number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.collector.sequences import (
    FIRST,
    JUMP_LIMIT,
    LAST,
    SequenceOrder,
    distance,
    following,
    preceding,
)


def numbers(first: int, count: int) -> list[int]:
    found = [first]
    while len(found) < count:
        found.append(following(found[-1]))
    return found


@given(st.integers(FIRST, LAST))
def test_every_number_has_one_before_and_one_after(number: int) -> None:
    assert preceding(following(number)) == number
    assert distance(number, following(number)) == 1
    assert distance(following(number), number) == -1


def test_the_number_after_the_largest_is_one() -> None:
    assert following(LAST) == 1
    assert distance(LAST, 1) == 1


@given(
    st.sampled_from([FIRST, 77, LAST - 3]),
    st.permutations(range(8)),
    st.sets(st.integers(0, 7)),
    st.lists(st.integers(0, 7), max_size=5),
)
def test_any_order_with_repeats_and_losses_leaves_in_order_once_or_is_missing(
    first: int, order: list[int], lost: set[int], repeated: list[int]
) -> None:
    sequence = SequenceOrder[int](first)
    all_numbers = numbers(first, 8)
    taken: list[int] = []
    for position in [*order, *repeated]:
        if position not in lost:
            step = sequence.offer(all_numbers[position], position, stamp=position)
            assert not step.is_break
            taken += step.ready
    sequence.know_before(following(all_numbers[-1]))
    while missing := sequence.missing(1):
        assert all_numbers.index(missing[0]) in lost
        taken += sequence.skip(missing[0])
    assert taken == [position for position in range(8) if position not in lost]
    assert sequence.is_whole


def test_a_keep_alive_says_what_was_sent() -> None:
    sequence = SequenceOrder[str]()
    sequence.offer(1, "a")
    sequence.know_before(2)
    assert sequence.is_whole
    sequence.know_before(4)
    assert sequence.missing(10) == [2, 3]


def test_a_leap_too_long_to_repair_is_a_break() -> None:
    sequence = SequenceOrder[str]()
    sequence.offer(3, "early")
    step = sequence.offer(JUMP_LIMIT + 10, "far")
    assert (step.ready, step.is_break) == (["early", "far"], True)
    assert sequence.offer(JUMP_LIMIT + 11, "next").ready == ["next"]


@pytest.mark.parametrize("ahead", range(JUMP_LIMIT - 2, JUMP_LIMIT + 3))
def test_no_distance_loses_a_message_unseen(ahead: int) -> None:
    sequence = SequenceOrder[str]()
    step = sequence.offer(FIRST + ahead, "far")
    assert step.is_break == (step.ready == ["far"])
    assert step.is_break or sequence.missing(JUMP_LIMIT) == list(range(FIRST, FIRST + ahead))


def test_a_server_that_counts_from_one_again_is_no_repeat() -> None:
    sequence = SequenceOrder[str]()
    for number, stamp in ((1, 10), (2, 20)):
        sequence.offer(number, "old", stamp)
    assert sequence.offer(2, "again", 20).ready == []
    step = sequence.offer(1, "new", 30)
    assert (step.ready, step.is_break) == (["new"], True)
    assert sequence.offer(2, "newer", 40).ready == ["newer"]


def test_a_message_without_a_number_is_taken_and_stands_for_none() -> None:
    sequence = SequenceOrder[str]()
    assert sequence.offer(0, "x").ready == ["x"]
    assert sequence.expected == 1
