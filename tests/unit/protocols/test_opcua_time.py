"""The 100 ns digit survives asyncua's wire format."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import Primitives, struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from protocols import opcua_time

AT = datetime(2026, 11, 16, 8, 30, 1, 123456, tzinfo=UTC)


@given(st.integers(min_value=1, max_value=2_650_000_000_000_000_000))
def test_every_tick_comes_back(ticks: int) -> None:
    assert opcua_time.to_ticks(opcua_time.from_ticks(ticks)) == ticks


def test_a_data_value_keeps_the_digit_through_asyncua_encoding_and_decoding() -> None:
    opcua_time.install()
    sent = ua.DataValue(ua.Variant(1.5), SourceTimestamp=opcua_time.with_hundred_ns(AT, 7))
    received = struct_from_binary(ua.DataValue, Buffer(struct_to_binary(sent)))
    assert received.SourceTimestamp == AT
    assert opcua_time.hundred_ns(received.SourceTimestamp) == 7


def test_copies_and_pickles_keep_the_digit() -> None:
    precise = opcua_time.with_hundred_ns(AT, 3)
    for other in (copy.copy(precise), copy.deepcopy(precise), pickle.loads(pickle.dumps(precise))):
        assert opcua_time.to_ticks(other) == opcua_time.to_ticks(precise)


def test_the_ends_of_the_wire_format_are_clamped_as_the_specification_says() -> None:
    assert opcua_time.to_ticks(datetime(1500, 1, 1, tzinfo=UTC)) == 0
    assert opcua_time.to_ticks(datetime(9999, 12, 31, 23, 59, 59, 1, tzinfo=UTC)) == opcua_time.MAX_TICKS
    assert opcua_time.from_ticks(opcua_time.MAX_TICKS) == opcua_time.END
    assert opcua_time.from_ticks(-5) == opcua_time.EPOCH


def test_the_wire_bytes_are_the_specifications() -> None:
    opcua_time.install()
    assert Primitives.DateTime.pack(datetime(1970, 1, 1, tzinfo=UTC)) == (116_444_736_000_000_000).to_bytes(
        8, "little"
    )


def test_a_digit_outside_0_to_9_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 9"):
        opcua_time.with_hundred_ns(AT, 10)
