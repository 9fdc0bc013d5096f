"""Values decode to what asyncua's own decoder gives, however they lie; lies are refused, soon and by name."""

from __future__ import annotations

import random
import re
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.collector.data_values import read_page
from ingestion.collector.history_page import read_values
from ingestion.collector.notifications import LivePoints, read_publish_answer
from ingestion.collector.points import NO_TICKS
from protocols import opcua_time
from tests.fakes.data_values import (
    AT_TICKS,
    data_values,
    encoded_item,
    fixed_variants,
    publish_bytes,
    rows_of_asyncua,
    rows_of_points,
    variants,
)

opcua_time.install()
SCALARS = {
    1: "<?",
    2: "<b",
    3: "<B",
    4: "<h",
    5: "<H",
    6: "<i",
    7: "<I",
    8: "<q",
    9: "<Q",
    10: "<f",
    11: "<d",
}
# Of a DataValue's picoseconds asyncua expects those of the source behind both instants, and of a
# DiagnosticInfo it exchanges the bits of locale and text.
MISREAD_BY_ASYNCUA = re.compile(r'"((Source|Server)Picoseconds|Locale|LocalizedText)": *-?[0-9]')
# Of the long run: `pytest -m full`.
FUZZED_MESSAGES = 10_000


def rows(data: bytes) -> list[Any]:
    (points,) = read_publish_answer(Buffer(data)).message.points
    return rows_of_points(points)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(data_values(variants), st.integers(1, 3)), max_size=8))
def test_any_mixture_of_values_is_read_as_asyncua_reads_it(groups: list[tuple[ua.DataValue, int]]) -> None:
    data = publish_bytes([value for value, times in groups for _ in range(times)])
    assert rows(data) == rows_of_asyncua(data)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(data_values(fixed_variants), min_size=1, max_size=6), st.integers(0, 2**32), st.booleans())
def test_long_and_alternating_runs_are_read_as_asyncua_reads_them(
    kinds: list[ua.DataValue], seed: int, is_in_runs: bool
) -> None:
    source = random.Random(seed)
    values: list[ua.DataValue] = []
    while len(values) < 700:
        values += [source.choice(kinds)] * (source.randint(1, 300) if is_in_runs else 1)
    data = publish_bytes(values)
    assert rows(data) == rows_of_asyncua(data)


@pytest.mark.parametrize("kind", SCALARS)
@pytest.mark.parametrize("mask", range(64))
def test_every_mask_and_scalar_type_is_read_field_by_field(mask: int, kind: int) -> None:
    number = 1 if kind == 1 else 100
    tail = (0x80AB_0480, AT_TICKS + 7, 1234, AT_TICKS + 9, 4321)
    body = b"".join(
        encoded_item(handle, mask, kind, struct.pack(SCALARS[kind], number), tail) for handle in range(70)
    )
    handles, page, end = read_page(body, 0, 70, has_handles=True)
    server = AT_TICKS + 9 if mask & 8 else NO_TICKS
    expected = (
        AT_TICKS + 7 if mask & 4 else server,
        float(number) if mask & 1 else None,
        None,
        0x80AB_0480 if mask & 2 else 0,
        server,
    )
    assert rows_of_points(LivePoints(handles, page)) == [(handle, *expected) for handle in range(70)]
    assert end == len(body)


@pytest.mark.parametrize("kind", [8, 9])
@pytest.mark.parametrize("count", [1, 100])
def test_an_integer_too_wide_for_a_double_keeps_its_digits_in_the_text(kind: int, count: int) -> None:
    exact, wide = 2**53, 2**53 + 1
    for number, text in ((exact, None), (wide, str(wide)), (2**63 - 1, str(2**63 - 1))):
        item = encoded_item(1, 5, kind, struct.pack(SCALARS[kind], number), (0, AT_TICKS, 0, 0, 0))
        handles, page, _ = read_page(item * count, 0, count, has_handles=True)
        shown = {row[2:4] for row in rows_of_points(LivePoints(handles, page))}
        assert shown == {(float(number), text)}


def test_a_null_instant_counts_as_none_and_any_byte_but_0_as_true() -> None:
    body = encoded_item(1, 13, 1, b"\x02", (0, 0, 0, AT_TICKS, 0)) * 2
    _, page, _ = read_page(body, 0, 2, has_handles=True)
    assert page.ticks.tolist() == [AT_TICKS] * 2
    assert page.numbers.tolist() == [1.0, 1.0]


def test_bytes_that_are_no_text_are_shown_and_not_lost() -> None:
    body = encoded_item(1, 1, 12, struct.pack("<i", 3) + b"a\xffb", (0, 0, 0, 0, 0))
    _, page, _ = read_page(body, 0, 1, has_handles=True)
    assert page.texts == ["a\\xffb"]


def test_a_broken_structure_keeps_its_bytes_and_costs_no_other_value() -> None:
    broken = b"\x01\x00" + struct.pack("<H", ua.ObjectIds.Range_Encoding_DefaultBinary) + b"\x01"
    value = broken + struct.pack("<i", 3) + b"abc"
    good = encoded_item(2, 1, 11, struct.pack("<d", 1.5), (0, 0, 0, 0, 0))
    _, page, _ = read_page(encoded_item(1, 1, 22, value, (0, 0, 0, 0, 0)) + good, 0, 2, has_handles=True)
    assert page.texts is not None
    assert "YWJj" in str(page.texts[0])
    assert page.numbers.tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    "value",
    [
        bytes([0x80]) + struct.pack("<i", 2**31 - 1),  # nulls, that many
        bytes([0x80 | 12]) + struct.pack("<i", 2**31 - 1),
        bytes([0x80 | 11]) + struct.pack("<i", 2**31 - 1) + b"\0" * 8,
        bytes([0x80 | 11]) + struct.pack("<i", -7),
        bytes([12]) + struct.pack("<i", -2) + b"abc",
        bytes([12]) + struct.pack("<i", 2**31 - 1) + b"abc",
        bytes([0xC0 | 6]) + struct.pack("<iii", 1, 5, 2**31 - 1),
        bytes([24]) * 5000,  # a variant in a variant in …
        bytes([0x80 | 24]) + struct.pack("<i", 1) + bytes([0x80]) + struct.pack("<i", 2**31 - 1),
        bytes([17, 63]),  # a node id of no known kind
        bytes([25]) + b"\x40" * 5000,  # a diagnostic in a diagnostic in …
    ],
    ids=range(11),
)
def test_lies_about_counts_lengths_and_depth_are_refused_at_once(value: bytes) -> None:
    body = struct.pack("<IB", 1, 1) + value
    with pytest.raises(ua.UaError):
        read_page(body, 0, 1, has_handles=True)


@pytest.mark.parametrize("count", [2**31 - 1, 4, -5])
def test_a_count_that_cannot_be_is_refused_before_anything_is_allocated(count: int) -> None:
    item = encoded_item(1, 5, 11, b"\0" * 8, (0, AT_TICKS, 0, 0, 0))
    with pytest.raises(ua.UaError):
        read_page(item * 3, 0, count, has_handles=True)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(data_values(variants), min_size=1, max_size=5), st.data())
def test_an_answer_cut_short_is_refused(values: list[ua.DataValue], data: st.DataObject) -> None:
    whole = publish_bytes(values)
    cut = whole[: data.draw(st.integers(0, len(whole) - 9))]  # behind lie results and diagnostics
    with pytest.raises(ua.UaError):
        read_publish_answer(Buffer(cut))


def mutated(source: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(changed))
        kind = source.randrange(4)
        if kind == 0:
            changed[at] = source.randrange(256)
        elif kind == 1:
            lie = source.choice([-1, -2, 0, 1, 255, 2**31 - 1, -(2**31)])
            changed[at : at + 4] = struct.pack("<i", lie)
        elif kind == 2:
            del changed[at : at + source.randint(1, 9)]
        else:
            changed[at:at] = source.randbytes(source.randint(1, 9))
        if not changed:
            return b"\0"
    return bytes(changed)


def check_mutated(data: bytes) -> None:
    """Ours either refuses by name or reads what asyncua reads, where that can be compared."""
    try:
        message = read_publish_answer(Buffer(data)).message
    except ua.UaError:
        return  # the session treats it as loss and asks again
    found = [row for points in message.points for row in rows_of_points(points)]
    if any('"TypeId"' in (row[3] or "") for row in found):
        return  # a structure kept as its bytes, of which asyncua drops or misreads some
    if any(MISREAD_BY_ASYNCUA.search(row[3] or "") for row in found):
        return
    try:
        with time_limit(2):
            expected = rows_of_asyncua(data)
    except Exception:  # noqa: BLE001 - asyncua has no one way of refusing; it may also never end
        return  # broken structures and trailing diagnostics cost it the whole message
    if expected is not None and not message.events and message.status_change is None:
        assert found == expected


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


FEW = {"suppress_health_check": [HealthCheck.too_slow], "deadline": None}
messages = st.lists(data_values(variants), min_size=1, max_size=6).map(publish_bytes)


@settings(max_examples=150, **FEW)
@given(messages, st.integers(0, 2**64))
def test_a_mutated_message_is_refused_or_read_as_asyncua_reads_it(whole: bytes, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(5):
        check_mutated(mutated(source, whole))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(body: bytes) -> None:
    for read in (lambda data: read_publish_answer(Buffer(data)), lambda data: read_values(data)):
        with pytest.raises(ua.UaError):
            read(b"\xff\xff\xff\x7f" + body)


@pytest.mark.full
@settings(max_examples=FUZZED_MESSAGES // 5, **FEW)
@given(messages, st.integers(0, 2**64))
def test_ten_thousand_mutated_messages_are_refused_or_read_as_asyncua_reads_them(
    whole: bytes, seed: int
) -> None:
    source = random.Random(seed)
    for _ in range(5):
        check_mutated(mutated(source, whole))
