"""Arrays of DataValues from their bytes to columns, without a Python object a value.

Neighbours mostly share one layout (mask and scalar type), so a run of them is one NumPy record array. Where
layouts alternate, it is found out where each run begins, and the runs of every layout are then taken at once.
Only what has no fixed size (strings, arrays, structures, …) is read value by value.

The same reader serves a history page (DataValue) and a notification (MonitoredItemNotification: a client
handle before each). Layout: OPC UA Part 6 §5.2.2.17, where picoseconds follow their timestamp.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from asyncua import ua

from ingestion.collector.points import NO_TICKS, Page
from ingestion.collector.values import EXACT_INTEGERS, split_value
from ingestion.collector.variants import (
    HAS_SERVER,
    HAS_SERVER_PICO,
    HAS_SOURCE,
    HAS_SOURCE_PICO,
    HAS_STATUS,
    HAS_VALUE,
    NULL,
    BoundedBuffer,
    read_byte_string,
    read_variant,
    refuse_malformed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Records = np.ndarray[Any, np.dtype[Any]]
    Handles = npt.NDArray[np.int64]

HANDLE_BYTES = 4
_MASK_BITS = 0x3F
# Variant type of a scalar of fixed size: its NumPy form. A boolean is any byte but 0.
_SCALARS = {
    1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8",
    10: "<f4", 11: "<f8",
}  # fmt: skip
_BOOLEAN, _WIDE_INTEGERS, _STRING = 1, (8, 9), 12
# How far to look ahead for values of the same layout, and how much further each time all were.
_FIRST_LOOK, _LOOK_FURTHER = 32, 16
# In place of a layout: a value of no fixed size, read already.
_READ = -1
_FIELDS = (
    (HAS_STATUS, "status", "<u4", "I"),
    (HAS_SOURCE, "source", "<i8", "q"),
    (HAS_SOURCE_PICO, "source_pico", "<u2", "H"),
    (HAS_SERVER, "server", "<i8", "q"),
    (HAS_SERVER_PICO, "server_pico", "<u2", "H"),
)


@dataclass(frozen=True)
class Array:
    """Where an array of DataValues lies: its bytes, where its first value begins, and how many it claims."""

    body: bytes
    position: int
    count: int


def read_page(body: bytes, position: int, count: int, *, has_handles: bool) -> tuple[Handles, Page, int]:
    """Values that lie one after another.

    Args:
        body: the bytes.
        position: where the first value begins.
        count: how many there are said to be.
        has_handles: whether a client handle stands before each.

    Returns:
        The handles (zeros when there are none); the values in the order sent, with the server's ticks where
        the source gave none and `NO_TICKS` where neither did; the position after them.

    Raises:
        ua.UaError: the bytes end before the count is reached, or a value cannot be read.
    """
    return _read([Array(body, position, count)], has_handles=has_handles)


def read_arrays(arrays: Sequence[Array], *, has_handles: bool) -> tuple[Handles, Page]:
    """The values of several arrays, one array after another; what reading costs at all is paid once.

    Raises:
        ua.UaError: one of them cannot be read; read singly, each tells whether it is the one.
    """
    handles, page, _ = _read(arrays, has_handles=has_handles)
    return handles, page


def _read(arrays: Sequence[Array], *, has_handles: bool) -> tuple[Handles, Page, int]:
    lead = HANDLE_BYTES if has_handles else 0
    for array in arrays:
        left = len(array.body) - array.position
        if not 0 <= array.count <= left // (lead + 1):
            msg = f"{array.count} values cannot lie in the {left} bytes to come"
            raise ua.UaError(msg)
    reading = _Reading(sum(array.count for array in arrays), lead)
    with refuse_malformed("array of DataValues"):
        for array in arrays:
            reading.locate(array)
        reading.fill()
    return reading.handles, reading.page(), reading.position


@cache
def _record(mask: int, kind: int, lead: int) -> np.dtype[Any] | None:
    """The record of a value whose size is known beforehand, a handle before it where there is one."""
    parts = [("handle", "<u4")] if lead else []
    parts.append(("mask", "u1"))
    if mask & HAS_VALUE:
        if kind != NULL and kind not in _SCALARS:
            return None
        parts += [("kind", "u1")] if kind == NULL else [("kind", "u1"), ("value", _SCALARS[kind])]
    parts += [(name, form) for bit, name, form, _ in _FIELDS if mask & bit]
    return np.dtype(parts)


def _layout_record(layout: int, lead: int) -> np.dtype[Any]:
    record = _record(layout >> 8, layout & 0xFF, lead)
    assert record is not None
    return record


@cache
def _sizes(lead: int) -> list[bytes]:
    """By mask and Variant encoding byte: the bytes of a value with its handle, 0 when they vary."""

    def size(mask: int, kind: int) -> int:
        record = _record(mask, kind, lead)
        return 0 if record is None else record.itemsize

    return [bytes(size(mask, kind) for kind in range(256)) for mask in range(_MASK_BITS + 1)]


@cache
def _tail(mask: int) -> tuple[struct.Struct, tuple[str, ...]]:
    """What follows the Variant of a DataValue."""
    present = [(name, code) for bit, name, _, code in _FIELDS if mask & bit]
    return struct.Struct("<" + "".join(code for _, code in present)), tuple(name for name, _ in present)


def _read_value(data: BoundedBuffer) -> Any:
    if data.copy(1).read(1)[0] != _STRING:
        return read_variant(data).Value
    data.skip(1)  # strings are the most common of them
    text = read_byte_string(data)
    return None if text is None else text.decode(errors="surrogateescape")


def _alike(body: bytes, place: int, size: int, looked: int, most: int) -> int:
    """How many values from one on share its layout, its mask being at `place`."""
    mask, kind = body[place : place + 1], body[place + 1 : place + 2]
    while True:
        stop = place + (looked - 1) * size + 1
        masks = body[place:stop:size]
        found = looked if masks == mask * looked else len(masks) - len(masks.lstrip(mask))
        if mask[0] & HAS_VALUE:
            kinds = body[place + 1 : place + 1 + (found - 1) * size + 1 : size]
            found = found if kinds == kind * found else len(kinds) - len(kinds.lstrip(kind))
        if found < looked or looked == most:
            return found
        looked = min(looked * _LOOK_FURTHER, most)


class _Reading:
    """Arrays being read: where their runs lie, columns that fill up, and the place that is reached."""

    def __init__(self, count: int, lead: int) -> None:
        self._count, self._lead = count, lead
        self.position = self._located = 0
        self._runs: list[bytes] = []
        self._counts: list[int] = []
        self._layouts: list[int] = []
        self.handles = np.zeros(count, np.int64)
        self._ticks = np.full(count, NO_TICKS)
        self._numbers = np.zeros(count)
        self._has_number = np.zeros(count, np.bool_)
        self._statuses = np.zeros(count, np.int64)
        self._server_ticks = np.full(count, NO_TICKS)
        self._texts: dict[int, str | None] = {}

    def page(self) -> Page:
        """What was read."""
        # An instant of 0 is a null one (Part 6 §5.2.2.5).
        self._server_ticks[self._server_ticks <= 0] = NO_TICKS
        ticks = np.where(self._ticks > 0, self._ticks, self._server_ticks)
        texts = [self._texts.get(index) for index in range(self._count)] if self._texts else None
        return Page(ticks, self._numbers, self._has_number, texts, self._statuses, self._server_ticks)

    def locate(self, array: Array) -> None:
        """Find where runs of one layout begin in the next array; read what has no fixed size.

        Raises:
            ua.UaError: its bytes end before its values do.
        """
        body, position, lead, sizes = array.body, array.position, self._lead, _sizes(self._lead)
        index, count, before = 0, array.count, None
        while index < count:
            mask = body[position + lead] & _MASK_BITS
            kind = body[position + lead + 1] if mask & HAS_VALUE else NULL
            size, layout, number = sizes[mask][kind], mask << 8 | kind, 1
            start = position
            if not size:
                layout = _READ
                position = self._read_single(self._located + index, body, position)
            elif layout == before or not index:
                # Where neighbours differ, looking ahead would cost more than it saves.
                look, most = min(count - index, _FIRST_LOOK), count - index
                number = _alike(body, position + lead, size, look, most)
            position = position + number * size if size else position
            self._runs.append(body[start:position])
            self._layouts.append(layout)
            self._counts.append(number)
            index += number
            before = layout
        if position > len(body):
            msg = f"the values end after {len(body)} bytes, before the last of {count}"
            raise ua.UaError(msg)
        self.position = position
        self._located += count

    def fill(self) -> None:
        """Take each layout's records at once."""
        kinds = set(self._layouts)
        layouts = np.array(self._layouts) if len(kinds) > 1 else None
        for layout in kinds - {_READ}:
            record = _layout_record(layout, self._lead)
            if layouts is None:
                self._fill(slice(None), np.frombuffer(b"".join(self._runs), record), layout)
                continue
            runs = [run for run, found in zip(self._runs, self._layouts, strict=True) if found == layout]
            where = np.flatnonzero(np.repeat(layouts == layout, self._counts))
            self._fill(where, np.frombuffer(b"".join(runs), record), layout)

    def _fill(self, where: Any, records: Records, layout: int) -> None:
        names, kind = records.dtype.names or (), layout & 0xFF
        if self._lead:
            self.handles[where] = records["handle"]
        if "value" in names:
            values = records["value"] != 0 if kind == _BOOLEAN else records["value"]
            self._numbers[where] = values
            self._has_number[where] = True
            if kind in _WIDE_INTEGERS:
                self._keep_digits(np.arange(self._count)[where], records["value"])
        if "status" in names:
            self._statuses[where] = records["status"]
        if "source" in names:
            self._ticks[where] = records["source"]
        if "server" in names:
            self._server_ticks[where] = records["server"]

    def _keep_digits(self, indices: npt.NDArray[np.int64], values: Records) -> None:
        """A double holds no more than 53 bits: the exact digits of a wider integer go into its text."""
        wide = np.flatnonzero((values > EXACT_INTEGERS) | (values < -EXACT_INTEGERS))
        for index in wide.tolist():
            self._texts[int(indices[index])] = str(int(values[index]))

    def _read_single(self, index: int, body: bytes, position: int) -> int:
        """Read a value of no fixed size; the position after it."""
        data = BoundedBuffer(body, position)
        if self._lead:
            self.handles[index] = int.from_bytes(data.read(self._lead), "little")
        mask = data.read(1)[0]
        number, text = split_value(_read_value(data)) if mask & HAS_VALUE else (None, None)
        form, names = _tail(mask & _MASK_BITS)
        rest = dict(zip(names, form.unpack(data.read(form.size)), strict=True))
        if number is not None:
            self._numbers[index], self._has_number[index] = number, True
        if text is not None:
            self._texts[index] = text
        self._statuses[index] = rest.get("status", 0)
        self._ticks[index] = rest.get("source", NO_TICKS)
        self._server_ticks[index] = rest.get("server", NO_TICKS)
        return len(body) - len(data)
