"""The data segment: `QN=…;ST=…;…;CP=&&…&&` as text, read leniently and written strictly."""

from __future__ import annotations

import re
from typing import cast

from protocols.hj212.codes import Deviation
from protocols.hj212.frame import (
    CP_LIMIT_BYTES,
    SEGMENT_LIMIT_BYTES,
    DataSegmentError,
    Frame,
    FrameContentError,
    Group,
    head_deviations,
)

_ORDER = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
_CP_OPEN = "CP=&&"
_CP_CLOSE = "&&"
_VALUE = r"(?://(?:(?!//).)*//|[!-%'-+\--:<>-~]+)"
_PAIR = rf"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z]+)?={_VALUE}"
_BODY = re.compile(rf"(?:{_PAIR}(?:[;,]{_PAIR})*)?")
# A log text between // may hold the separators; only such values need the slower cut.
_QUOTED_GROUP = re.compile(r"(?://(?:(?!//).)*//|[^;])+")
_QUOTED_PAIR = re.compile(r"(?://(?:(?!//).)*//|[^,])+")
# What nearly every sender writes, read in one step; anything else takes the patient way below.
_USUAL_HEAD = re.compile(
    r"QN=([0-9]*);ST=([0-9A-Z]*);CN=([0-9]*);PW=([0-9A-Za-z]*);MN=([0-9A-F]*);Flag=(0|[1-9][0-9]{0,2});"
)
_HEAD_FIELD = re.compile(r"([A-Za-z]+)=([^;,]*)([;,]?)")


def read_segment(data: bytes) -> tuple[Frame, tuple[Deviation, ...]]:
    """The frame in the bytes of a data segment, and how it differs from the standard.

    Raises:
        DataSegmentError: there is no `CP=&&…&&` or the fields before it are no `name=value`.
    """
    found: list[Deviation] = []
    if len(data) > SEGMENT_LIMIT_BYTES:
        found.append(Deviation.SEGMENT_TOO_LONG)
    text = _text(data, found)
    head, opener, rest = text.partition(_CP_OPEN)
    body, closer, after = rest.rpartition(_CP_CLOSE)
    if not opener or not closer or after.strip():
        msg = f"reading data segment {text[:200]!r}: expected fields, then CP=&&…&& at the end"
        raise DataSegmentError(msg)
    if after or head != head.strip():
        found.append(Deviation.BLANKS)
    if len(body.encode()) + len(_CP_OPEN + _CP_CLOSE) > CP_LIMIT_BYTES:
        found.append(Deviation.CP_TOO_LONG)
    cp = _read_body(body, found)
    usual = _USUAL_HEAD.fullmatch(head)
    if usual:
        qn, st, cn, pw, mn, flag = usual.groups()
        frame = Frame(qn, st, cn, pw, mn, int(flag), cp=cp)
    else:
        frame = _frame(_read_head(head.strip(), found), cp, found)
    found.extend(head_deviations(frame))
    return frame, tuple(dict.fromkeys(found))


def write_segment(frame: Frame) -> bytes:
    """The bytes of a data segment, exactly as the standard prints one.

    Raises:
        FrameContentError: the frame holds what the standard forbids; the message names it.
    """
    body = write_body(frame.cp)
    data = f"{_write_head(frame)}{_CP_OPEN}{body}{_CP_CLOSE}".encode()
    wrong = head_deviations(frame)
    if not _BODY.fullmatch(body) or not _is_cut_back(frame.cp, body):
        wrong.append(Deviation.ITEM_FORMAT)
    if len(data) > SEGMENT_LIMIT_BYTES:
        wrong.append(Deviation.SEGMENT_TOO_LONG)
    if cp_bytes(body) > CP_LIMIT_BYTES:
        wrong.append(Deviation.CP_TOO_LONG)
    if wrong:
        msg = (
            f"writing the data segment of QN={frame.qn} CN={frame.cn} MN={frame.mn}: it deviates from the "
            f"standard in {', '.join(wrong)}; correct the fields, or split a long one with split_packets"
        )
        raise FrameContentError(msg)
    return data


def write_body(cp: tuple[Group, ...]) -> str:
    """The text between `CP=&&` and `&&`."""
    return ";".join([",".join([f"{key}={value}" for key, value in group]) for group in cp])


def cp_bytes(body: str) -> int:
    """The length of the whole CP field, its name and marks included, as the standard counts it."""
    return len(body.encode()) + len(_CP_OPEN) + len(_CP_CLOSE)


def _text(data: bytes, found: list[Deviation]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        found.append(Deviation.NOT_UTF8)  # older loggers send Chinese in GBK
        return data.decode("gb18030", errors="replace")


def _read_head(head: str, found: list[Deviation]) -> dict[str, str]:
    fields: dict[str, str] = {}
    position = 0
    for match in _HEAD_FIELD.finditer(head):
        if match.start() != position:
            break
        position = match.end()
        name, value, separator = match.groups()
        if separator != ";":
            found.append(Deviation.FIELD_SEPARATOR)
        if name not in _ORDER:
            found.append(Deviation.UNKNOWN_FIELD)
        if name in fields:
            found.append(Deviation.REPEATED_FIELD)
        fields.setdefault(name, value)
    if position != len(head):
        msg = f"reading data segment: {head[position : position + 60]!r} is no name=value, expected before CP"
        raise DataSegmentError(msg)
    known = [name for name in fields if name in _ORDER]
    if known != sorted(known, key=_ORDER.index):
        found.append(Deviation.FIELD_ORDER)
    return fields


def _read_body(body: str, found: list[Deviation]) -> tuple[Group, ...]:
    if not body:
        return ()
    if not _BODY.fullmatch(body):
        return _cut(_tidy(body, found))
    if "//" in body:
        return _cut(body)
    # The pattern has seen a key, an equals sign and a value in each item: nothing is left to check.
    groups = [tuple([tuple(item.split("=", 1)) for item in group.split(",")]) for group in body.split(";")]
    return cast("tuple[Group, ...]", tuple(groups))


def _tidy(body: str, found: list[Deviation]) -> str:
    stripped = body.strip()
    if stripped != body:
        found.append(Deviation.BLANKS)
    trimmed = stripped.rstrip(";,")
    if trimmed != stripped:
        found.append(Deviation.TRAILING_SEPARATOR)
    if not _BODY.fullmatch(trimmed):
        found.append(Deviation.ITEM_FORMAT)
    return trimmed


def _cut(body: str) -> tuple[Group, ...]:
    if not body:
        return ()
    if "//" in body:
        groups = [_QUOTED_PAIR.findall(group) for group in _QUOTED_GROUP.findall(body)]
    else:
        groups = [group.split(",") for group in body.split(";")]
    return tuple([tuple([_pair(item) for item in group]) for group in groups])


def _pair(item: str) -> tuple[str, str]:
    key, _, value = item.partition("=")
    return key, value


def _is_cut_back(cp: tuple[Group, ...], body: str) -> bool:
    if "//" in body:
        return _cut(body) == cp
    pairs = sum(map(len, cp))
    return (
        body.count(";") == max(len(cp) - 1, 0)
        and body.count(",") == pairs - len(cp)
        and body.count("=") == pairs
    )


def _frame(fields: dict[str, str], cp: tuple[Group, ...], found: list[Deviation]) -> Frame:
    return Frame(
        qn=fields.get("QN"),
        st=fields.get("ST"),
        cn=fields.get("CN"),
        pw=fields.get("PW"),
        mn=fields.get("MN"),
        flag=_number(fields, "Flag", Deviation.FLAG_FORMAT, found),
        pnum=_number(fields, "PNUM", Deviation.PACKET_NUMBERS, found),
        pno=_number(fields, "PNO", Deviation.PACKET_NUMBERS, found),
        cp=cp,
        rf=_number(fields, "RF", Deviation.UNKNOWN_FIELD, found),
    )


def _number(fields: dict[str, str], name: str, deviation: Deviation, found: list[Deviation]) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        found.append(deviation)
        return None
    if text != str(int(text)):
        found.append(deviation)
    return int(text)


def _write_head(frame: Frame) -> str:
    values = (
        frame.qn, frame.st, frame.cn, frame.pw, frame.mn, frame.flag, frame.pnum, frame.pno, frame.rf,
    )  # fmt: skip
    return "".join(
        [f"{name}={value};" for name, value in zip(_ORDER, values, strict=True) if value is not None]
    )
