"""Pages of history are encoded at once; the bytes must be those of asyncua's own encoder, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from protocols import opcua_time
from reference_plant.plant.simulation import Series
from reference_plant.servers.values import data_value, history_data

FIRST = 134_393_238_000_000_007
BAD = 0x808C0000


def series(values: list[object], statuses: list[int]) -> Series:
    kind = object if isinstance(values[0], str) else float
    ticks = FIRST + 50_000_003 * np.arange(len(values), dtype=np.int64)
    return Series(ticks, np.array(values, dtype=kind), np.array(statuses, dtype=np.uint32))


CASES = [
    ("double", [1.5, -2.25, 3.0], [0, 0x40940000, 0]),
    ("double", [1.5, np.nan, np.nan, 4.0, np.nan], [0, BAD, BAD, 0, BAD]),
    ("double", [np.nan], [BAD]),
    ("int32", [0.0, 6.0, -1.0], [0, 0, 0]),
    ("boolean", [0.0, 1.0], [0, 0]),
    ("string", ["B20261116-1", "", "批次"], [0, 0, 0]),
]


@pytest.mark.parametrize(("data_type", "values", "statuses"), CASES)
def test_a_page_is_what_asyncua_would_have_encoded(
    data_type: str, values: list[object], statuses: list[int]
) -> None:
    opcua_time.install()
    given = series(values, statuses)
    single = [
        data_value(data_type, int(ticks), value, int(status), opcua_time.from_ticks(int(ticks)))
        for ticks, value, status in zip(given.ticks, given.values, given.status, strict=True)
    ]
    for value in single:  # asyncua writes an explicit null variant where a page leaves the value out
        if value.Value.Value is None:
            value.Value = None
    expected = struct_to_binary(ua.HistoryData(single))
    assert history_data(data_type, given, ua.TimestampsToReturn.Both).Body == expected


def test_only_the_timestamps_asked_for_are_sent() -> None:
    given = series([1.0, 2.0], [0, 0])
    sizes = {
        asked: len(history_data("double", given, asked).Body)
        for asked in (ua.TimestampsToReturn.Both, ua.TimestampsToReturn.Source, ua.TimestampsToReturn.Neither)
    }
    assert list(sizes.values()) == [4 + 2 * 30, 4 + 2 * 22, 4 + 2 * 14]


def test_an_empty_page_is_an_empty_list() -> None:
    empty = Series(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint32))
    assert history_data("double", empty, ua.TimestampsToReturn.Both).Body == b"\0\0\0\0"
