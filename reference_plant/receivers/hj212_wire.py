"""HJ 212-2017 as bytes: framing, checksum and the grammar of the data segment, strictly by the standard.

What the values mean is not judged here (see hj212_rules).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

MAX_SEGMENT_BYTES = 1024
MAX_CONTENT_BYTES = 950
OVERHEAD_BYTES = 2 + 4 + 4 + 2
VERSION_2017 = 1

_SEGMENT = re.compile(
    r"QN=(?P<qn>[^;]*);ST=(?P<st>[^;]*);CN=(?P<cn>[^;]*);PW=(?P<pw>[^;]*);MN=(?P<mn>[^;]*);"
    r"Flag=(?P<flag>[^;]*);(?:PNUM=(?P<pnum>[^;]*);PNO=(?P<pno>[^;]*);)?CP=&&(?P<content>.*)&&",
    re.DOTALL,
)
_SHAPES = {
    "qn": r"\d{17}",
    "st": r"[0-9A-Z]{2}",
    "cn": r"\d{4}",
    "pw": r"[^;,=&]{6}",
    "mn": r"[0-9A-F]{24}",
    "flag": r"\d{1,3}",
    "pnum": r"[1-9]\d{0,3}",
    "pno": r"[1-9]\d{0,3}",
}


class Kind(StrEnum):
    """In one word, what a refused frame got wrong; lower-case words of fields are those fields."""

    NOISE = "noise"
    HEADER = "header"
    LENGTH = "length"
    CRC = "crc"
    TEXT = "text"
    GRAMMAR = "grammar"
    QN = "qn"
    ST = "st"
    CN = "cn"
    PW = "pw"
    MN = "mn"
    FLAG = "flag"
    PNUM = "pnum"
    PNO = "pno"
    CONTENT = "content"
    DATA_TIME = "data_time"
    FACTOR = "factor"
    NUMBER = "number"
    MARK = "mark"
    STATISTICS = "statistics"
    ORDER = "order"


class RefusalError(Exception):
    """Something on the wire breaks the standard; the message says how."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class Segment:
    """One data segment that follows the grammar."""

    qn: str
    st: str
    cn: str
    pw: str
    mn: str
    flag: int
    pnum: int | None
    pno: int | None
    content: str

    @property
    def wants_answer(self) -> bool:
        """The A bit."""
        return bool(self.flag & 1)


@dataclass
class LineSplitter:
    """Cuts a byte stream at CR LF, wherever the network cut it; holds at most one frame's worth."""

    _held: bytearray = field(default_factory=bytearray)

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Every line completed by `received`, without its CR LF; an endless line is handed out as it is."""
        self._held += received
        while (end := self._held.find(b"\r\n")) >= 0:
            line = bytes(self._held[:end])
            del self._held[: end + 2]
            yield line
        if len(self._held) > MAX_SEGMENT_BYTES + OVERHEAD_BYTES:
            line = bytes(self._held)
            self._held.clear()
            yield line


def crc(segment: bytes) -> int:
    """The checksum of Annex A: the high byte alone is carried into each step."""
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register


def segment_of(line: bytes) -> bytes:
    """The data segment of a line, once header, length and checksum are right.

    Raises:
        RefusalError: of kind noise, header, length or crc.
    """
    start = line.find(b"##")
    if start != 0:
        found = line[:20] if start < 0 else line[:start][:20]
        raise RefusalError(Kind.NOISE, f"expected a line to begin with '##', found {found!r}")
    declared = line[2:6]
    if not re.fullmatch(rb"\d{4}", declared):
        raise RefusalError(Kind.HEADER, f"expected four digits of length after '##', found {declared!r}")
    segment, checksum = line[6:-4], line[-4:]
    if len(line) < OVERHEAD_BYTES - 2 or int(declared) != len(segment):
        raise RefusalError(
            Kind.LENGTH, f"expected {int(declared)} bytes as declared, found {max(len(line) - 10, 0)}"
        )
    if len(segment) > MAX_SEGMENT_BYTES:
        raise RefusalError(Kind.LENGTH, f"expected at most {MAX_SEGMENT_BYTES} bytes, found {len(segment)}")
    if not re.fullmatch(rb"[0-9A-Fa-f]{4}", checksum) or int(checksum, 16) != crc(segment):
        raise RefusalError(Kind.CRC, f"expected {crc(segment):04X}, found {checksum!r}")
    return segment


def parse_segment(segment: bytes) -> Segment:
    """The fields of a data segment, in the order and shape of Table 3.

    Raises:
        RefusalError: of kind text, grammar, a field's name, flag or content.
    """
    try:
        text = segment.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusalError(Kind.TEXT, f"expected UTF-8, found {error.object[error.start :][:8]!r}") from error
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise RefusalError(
            Kind.GRAMMAR,
            f"expected QN;ST;CN;PW;MN;Flag;[PNUM;PNO;]CP=&&…&& in this order, found {text[:60]!r}",
        )
    fields = match.groupdict()
    for name, shape in _SHAPES.items():
        if fields[name] is not None and not re.fullmatch(shape, fields[name], re.ASCII):
            raise RefusalError(Kind(name), f"expected {shape}, found {fields[name]!r}")
    if len(fields["content"].encode()) > MAX_CONTENT_BYTES:
        raise RefusalError(Kind.CONTENT, f"expected at most {MAX_CONTENT_BYTES} bytes between '&&' and '&&'")
    return _checked_flag(fields)


def _checked_flag(fields: dict[str, str | None]) -> Segment:
    flag = int(fields["flag"] or "")
    if flag >> 2 != VERSION_2017:
        raise RefusalError(Kind.FLAG, f"expected version 1 (Flag 4 to 7), found Flag={flag}")
    has_numbers = fields["pnum"] is not None
    if has_numbers is not bool(flag & 2):
        raise RefusalError(Kind.FLAG, f"the D bit of Flag={flag} and the presence of PNUM, PNO disagree")
    pnum = int(fields["pnum"]) if fields["pnum"] else None
    pno = int(fields["pno"]) if fields["pno"] else None
    if pnum is not None and pno is not None and pno > pnum:
        raise RefusalError(Kind.PNO, f"expected at most PNUM={pnum}, found PNO={pno}")
    texts = {name: fields[name] or "" for name in ("qn", "st", "cn", "pw", "mn", "content")}
    return Segment(**texts, flag=flag, pnum=pnum, pno=pno)


def parse_content(content: str) -> list[dict[str, str]]:
    """The items between '&&' and '&&': one mapping of field to value per ';'-separated item.

    Raises:
        RefusalError: of kind content, where an item is no name=value or mixes two codes.
    """
    items = []
    for item in content.split(";") if content else []:
        fields: dict[str, str] = {}
        for pair in item.split(","):
            name, equals, value = pair.partition("=")
            if not equals or not name or name != name.strip() or value != value.strip() or name in fields:
                raise RefusalError(Kind.CONTENT, f"expected name=value once each, found {pair!r} in {item!r}")
            fields[name] = value
        codes = {name.partition("-")[0] for name in fields}
        if len(codes) > 1 and codes != {"BeginTime", "EndTime"}:
            raise RefusalError(Kind.CONTENT, f"expected one code between two ';', found {sorted(codes)}")
        items.append(fields)
    return items


def build_frame(*, qn: str, st: str, cn: str, pw: str, mn: str, flag: int, content: str = "") -> bytes:
    """A whole frame as this platform sends it."""
    segment = f"QN={qn};ST={st};CN={cn};PW={pw};MN={mn};Flag={flag};CP=&&{content}&&".encode()
    return b"##%04d%b%04X\r\n" % (len(segment), segment, crc(segment))
