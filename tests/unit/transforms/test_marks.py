from __future__ import annotations

import pytest

from transforms.marks import sample_mark

GOOD = 0x00000000
RUNNING, CALIBRATING = 0, 3


def mark_of(
    status_code: int = GOOD,
    *,
    has_state: bool = True,
    state_code: int | None = RUNNING,
    value: float | None = 10.0,
    range_low: float | None = 0.0,
    range_high: float | None = 100.0,
) -> str:
    return sample_mark(
        status_code=status_code,
        has_state=has_state,
        state_code=state_code,
        value=value,
        range_low=range_low,
        range_high=range_high,
    )


@pytest.mark.parametrize(
    ("state_code", "mark"),
    [(0, "N"), (1, "M"), (2, "D"), (3, "C"), (5, "M"), (6, "F"), (8, "C"), (9, "F"), (None, "B"), (77, "B")],
)
def test_a_good_sample_carries_the_mark_of_its_instruments_state(state_code: int | None, mark: str) -> None:
    assert mark_of(state_code=state_code) == mark


@pytest.mark.parametrize(
    ("status_code", "mark"),
    [
        (0x808C0000, "D"),  # BadSensorFailure
        (0x808B0000, "D"),  # BadDeviceFailure
        (0x808D0000, "F"),  # BadOutOfService
        (0x808A0000, "B"),  # BadNotConnected
        (0x80310000, "B"),  # BadNoCommunication
        (0x80050000, "B"),  # BadCommunicationError
        (0x80000000, "D"),
        (0x80AF0000, "D"),  # a Bad that is not in the list
        (0x40900000, "D"),  # UncertainLastUsableValue
        (0x40940000, "T"),  # UncertainEngineeringUnitsExceeded
        (0x808C0480, "D"),  # info bits set beside the reason
        (0x40940200, "T"),
        (0xC0000000, "D"),  # reserved severity
    ],
)
def test_a_status_that_is_not_good_says_why_whatever_the_state(status_code: int, mark: str) -> None:
    assert mark_of(status_code, state_code=RUNNING) == mark
    assert mark_of(status_code, state_code=CALIBRATING) == mark


@pytest.mark.parametrize(
    ("value", "mark"),
    [(0.0, "N"), (100.0, "N"), (-0.001, "T"), (100.001, "T"), (None, "D"), (float("nan"), "D")],
)
def test_the_range_includes_its_ends(value: float | None, mark: str) -> None:
    assert mark_of(value=value) == mark


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinity_is_no_value_whatever_the_range(value: float) -> None:
    assert mark_of(value=value) == "D"
    assert mark_of(value=value, range_low=None, range_high=None) == "D"


def test_state_is_judged_before_range() -> None:
    assert mark_of(state_code=CALIBRATING, value=1e6) == "C"


def test_a_point_without_an_instrument_state_or_range_is_judged_by_status_alone() -> None:
    assert mark_of(has_state=False, state_code=None, range_low=None, range_high=None, value=1e9) == "N"


def test_good_with_info_bits_is_still_good() -> None:
    assert mark_of(0x00000480) == "N"
