"""HJ 212-2017 uploads from rows: one frame, or several packets where one would be too long.

The content kept in the outbox is everything the frames say except the password, whose place holds zeros until
the transport fills it in. Every packet has its own QN (HJ 212-2017 C.49), given when the submission is queued
and kept when it is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from exports.errors import RenderError
from exports.render.numbers import Decimals, decimals_of, fixed
from protocols.hj212 import Frame, Group, ReceivedFrame, StreamDecoder, encode_frame, format_qn, split_packets

_NO_PASSWORD = "000000"  # noqa: S105 - the place of a password, not one
_NO_QN = "20000101000000000"
_STEP = timedelta(milliseconds=1)
_UPLOAD_FLAG = 5  # version 2017, answer wanted

# Field on the wire, column of the regulatory tables; the order is the order in a group.
_TOTAL = "Cou"
_PERIOD_FIELDS = (
    (_TOTAL, "cou_value"),
    ("Min", "min_value"),
    ("Avg", "avg_value"),
    ("Max", "max_value"),
    ("ZsMin", "converted_min_value"),
    ("ZsAvg", "converted_avg_value"),
    ("ZsMax", "converted_max_value"),
)
_MOMENT_FIELDS = (("Rtd", "value"), ("ZsRtd", "converted_value"))


@dataclass(frozen=True)
class Device:
    """Who speaks: an outlet's device number (MN) and system code (ST), and who answers for it."""

    mn: str
    st_code: str
    responsible_person: str = ""


def render_period(
    rows: Sequence[Mapping[str, Any]], *, command: str, decimals: Decimals, zone: ZoneInfo
) -> bytes:
    """Period values of one outlet (2051, 2061, 2031), without QN and password.

    Args:
        rows: one row a factor of a `reg_province__hj212_*` table, all of one outlet and period.
        command: the command code.
        decimals: by factor, in the order of the factor list.
        zone: the plant's zone; DataTime is its wall clock at the start of the period.

    Raises:
        RenderError: rows of several outlets or periods, or a factor that is not in the list.
    """
    identities = {(row["mn"], row["st_code"], row["period_start_utc"]) for row in rows}
    if len(identities) != 1:
        msg = f"rendering HJ 212 {command}: expected rows of one outlet and period, found {identities}"
        raise RenderError(msg)
    ((mn, st_code, start),) = identities
    groups = [
        _group(row, row["data_flag"], _PERIOD_FIELDS, decimals) for row in _in_factor_order(rows, decimals)
    ]
    return _frames(Device(mn, st_code), command, start.astimezone(zone), groups)


def render_moment(
    values: Sequence[Mapping[str, Any]],
    *,
    device: Device,
    observed_at: datetime,
    decimals: Decimals,
    zone: ZoneInfo,
) -> bytes:
    """Real-time values of one outlet (2011), without QN and password.

    Args:
        values: `factor_code`, `value`, `converted_value`, `flag` of each factor, as stream observations hold.
        device: who speaks.
        observed_at: the moment of the values; DataTime is the plant's wall clock then.
        decimals: by factor, in the order of the factor list.
        zone: the plant's zone.

    Raises:
        RenderError: a factor that is not in the list, or a value that is no finite number.
    """
    groups = [
        _group(value, value["flag"], _MOMENT_FIELDS, decimals) for value in _in_factor_order(values, decimals)
    ]
    return _frames(device, "2011", observed_at.astimezone(zone), groups)


def number(body: bytes, *, now: datetime, zone: ZoneInfo, previous: bytes | None) -> bytes:
    """`body` with a QN in each frame, later than every QN of `previous`.

    Args:
        body: what `render_period` or `render_moment` made.
        now: the present moment; QN is the plant's wall clock.
        zone: the plant's zone.
        previous: the content queued last for the same device number, of whatever report.
    """
    moment = now
    if previous is not None:
        moment = max(moment, max(_moment_of(frame, zone) for frame in frames_of(previous)) + _STEP)
    numbered = (
        replace(frame, qn=format_qn(moment + index * _STEP, zone))
        for index, frame in enumerate(frames_of(body))
    )
    return b"".join(map(encode_frame, numbered))


def unnumber(content: bytes) -> bytes:
    """The content as rendered, so that two revisions can be compared."""
    return b"".join(encode_frame(replace(frame, qn=_NO_QN)) for frame in frames_of(content))


def moment_of(qn: str, zone: ZoneInfo) -> datetime:
    """The moment that a QN names, on the plant's wall clock."""
    return datetime.strptime(qn, "%Y%m%d%H%M%S%f").replace(tzinfo=zone)


def frames_of(content: bytes) -> list[Frame]:
    """The frames in stored content.

    Raises:
        RenderError: the bytes are not whole frames: what was stored is not what was rendered.
    """
    found = StreamDecoder().feed(content)
    frames = [item.frame for item in found if isinstance(item, ReceivedFrame)]
    if not frames or len(frames) != len(found):
        msg = f"reading stored HJ 212 content {content[:60]!r}…: expected whole frames, found {found!r}"
        raise RenderError(msg)
    return frames


def _in_factor_order(rows: Sequence[Mapping[str, Any]], decimals: Decimals) -> list[Mapping[str, Any]]:
    place = {code: index for index, code in enumerate(decimals)}
    return sorted(rows, key=lambda row: place.get(row["factor_code"], len(place)))


def _group(row: Mapping[str, Any], flag: str, fields: Sequence[tuple[str, str]], decimals: Decimals) -> Group:
    """The values a factor has, and its mark in any case: an unknown value is left out, never zero."""
    code = row["factor_code"]
    places = decimals_of(code, decimals)
    values = [
        (f"{code}-{name}", fixed(row[column], places.amount if name == _TOTAL else places.value))
        for name, column in fields
        if row.get(column) is not None
    ]
    return (*values, (f"{code}-Flag", flag))


def _frames(device: Device, command: str, data_time: datetime, groups: Sequence[Group]) -> bytes:
    whole = Frame(
        qn=_NO_QN,
        st=device.st_code,
        cn=command,
        pw=_NO_PASSWORD,
        mn=device.mn,
        flag=_UPLOAD_FLAG,
        cp=((("DataTime", f"{data_time:%Y%m%d%H%M%S}"),), *groups),
    )
    return b"".join(map(encode_frame, split_packets(whole, lambda: _NO_QN)))


def _moment_of(frame: Frame, zone: ZoneInfo) -> datetime:
    assert frame.qn is not None, "stored frames were written by number()"
    return moment_of(frame.qn, zone)
