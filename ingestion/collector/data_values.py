"""Arrays of DataValues from their bytes to columns, without a Python object a value.

Neighbours mostly share one layout (mask and scalar type), so a run of them is one NumPy record array. Where
layouts alternate, a walk finds where each value begins and every layout is then gathered at once. Only what
has no fixed size (strings, arrays, structures, …) is read value by value.

The same reader serves a history page (DataValue) and a notification (MonitoredItemNotification: a client
handle before each). Layout: OPC UA Part 6 §5.2.2.17, where picoseconds follow their timestamp.
"""

from __future__ import annotations

import struct
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
    read_variant,
    refuse_malformed,
)

if TYPE_CHECKING:
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
_BOOLEAN, _WIDE_INTEGERS = 1, (8, 9)
# Looking at a run all at once costs as much as walking so many values.
_SHORT_RUN, _LONGEST_WALK = 64, 4096
_FIELDS = (
    (HAS_STATUS, "status", "<u4", "I"),
    (HAS_SOURCE, "source", "<i8", "q"),
    (HAS_SOURCE_PICO, "source_pico", "<u2", "H"),
    (HAS_SERVER, "server", "<i8", "q"),
    (HAS_SERVER_PICO, "server_pico", "<u2", "H"),
)


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
    lead = HANDLE_BYTES if has_handles else 0
    if not 0 <= count <= (len(body) - position) // (lead + 1):
        msg = f"{count} values cannot lie in the {len(body) - position} bytes to come"
        raise ua.UaError(msg)
    reading = _Reading(body, position, count, lead)
    with refuse_malformed("array of DataValues"):
        reading.read()
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


class _Reading:
    """One array being read: columns that fill up, and the place that is reached."""

    def __init__(self, body: bytes, position: int, count: int, lead: int) -> None:
        self._body, self.position, self._count, self._lead = body, position, count, lead
        self._done = 0
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

    def read(self) -> None:
        """Read all: runs at once while they are long, a walk where they are not."""
        patience = _SHORT_RUN
        while self._done < self._count:
            if self._read_run() >= _SHORT_RUN:
                patience = _SHORT_RUN
            else:
                self._walk(min(patience, self._count - self._done))
                patience = min(patience * 2, _LONGEST_WALK)

    def _read_run(self) -> int:
        """Read the values from here on that share one layout; how many there are."""
        mask, kind = self._look(self.position)
        record = _record(mask & _MASK_BITS, kind, self._lead)
        if record is None:
            return 0
        most = min(self._count - self._done, (len(self._body) - self.position) // record.itemsize)
        window = _SHORT_RUN
        while True:
            looked = min(window, most)
            records = np.frombuffer(self._body, record, looked, self.position)
            alike = records["mask"] == mask
            if mask & HAS_VALUE:
                alike &= records["kind"] == kind
            # Behind the first other one records no longer lie where this layout looks for them.
            found = looked if alike.all() else int(alike.argmin())
            if found < looked or looked == most:
                break
            window *= 16
        self._fill(slice(self._done, self._done + found), records[:found], kind)
        self._done += found
        self.position += found * record.itemsize
        return found

    def _walk(self, limit: int) -> None:
        """Read so many values from here on, whatever their layouts."""
        body, lead, sizes, position = self._body, self._lead, _sizes(self._lead), self.position
        starts: list[int] = []
        for index in range(self._done, self._done + limit):
            mask = body[position + lead] & _MASK_BITS
            size = sizes[mask][body[position + lead + 1] if mask & HAS_VALUE else NULL]
            if size:
                starts.append(position)
                position += size
            else:
                starts.append(-1)
                position = self._read_single(index, position)
        if position > len(body):
            msg = f"the values end after {len(body)} bytes, before the last of {self._count}"
            raise ua.UaError(msg)
        self._gather(np.array(starts, np.int64))
        self._done += limit
        self.position = position

    def _gather(self, starts: npt.NDArray[np.int64]) -> None:
        """Fill in the values that begin at `starts` (-1: read already), all of one layout at once."""
        raw = np.frombuffer(self._body, np.uint8)
        fixed = np.flatnonzero(starts >= 0)
        places = starts[fixed] + self._lead
        masks = raw[places] & _MASK_BITS
        kinds = np.where(masks & HAS_VALUE, raw[np.minimum(places + 1, len(raw) - 1)], NULL)
        layouts = masks.astype(np.int64) << 8 | kinds
        order = np.argsort(layouts, kind="stable")
        bounds = np.flatnonzero(np.diff(layouts[order])) + 1
        for group in np.split(order, bounds) if len(order) else ():
            mask, kind = divmod(int(layouts[group[0]]), 256)
            record = _record(mask, kind, self._lead)
            assert record is not None
            places = starts[fixed[group], None] + np.arange(record.itemsize)
            self._fill(fixed[group] + self._done, raw[places].view(record)[:, 0], kind)

    def _fill(self, where: Any, records: Records, kind: int) -> None:
        names = records.dtype.names or ()
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

    def _read_single(self, index: int, position: int) -> int:
        """Read a value of no fixed size; the position after it."""
        data = BoundedBuffer(self._body, position)
        if self._lead:
            self.handles[index] = int.from_bytes(data.read(self._lead), "little")
        mask = data.read(1)[0]
        number, text = split_value(read_variant(data).Value) if mask & HAS_VALUE else (None, None)
        form, names = _tail(mask & _MASK_BITS)
        rest = dict(zip(names, form.unpack(data.read(form.size)), strict=True))
        if number is not None:
            self._numbers[index], self._has_number[index] = number, True
        if text is not None:
            self._texts[index] = text
        self._statuses[index] = rest.get("status", 0)
        self._ticks[index] = rest.get("source", NO_TICKS)
        self._server_ticks[index] = rest.get("server", NO_TICKS)
        return len(self._body) - len(data)

    def _look(self, position: int) -> tuple[int, int]:
        """Mask and Variant encoding byte of the value at a position."""
        place = position + self._lead
        if place >= len(self._body):
            msg = f"the values end after {len(self._body)} bytes, {self._count - self._done} are missing"
            raise ua.UaError(msg)
        mask = self._body[place]
        if not mask & HAS_VALUE:
            return mask, NULL
        return mask, self._body[place + 1] if place + 1 < len(self._body) else NULL
