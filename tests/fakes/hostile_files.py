"""Files that are broken, hostile or odd, made when asked for: what each is, and what may become of it.

Every file brings at most one sound ticket, whose number is that of the file, so that what landed tells which
files gave what.
"""

from __future__ import annotations

import gzip
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

NAMES = ("ticket_no", "weighed_at_utc", "plate_no", "net_weight_kg", "axle_count")
HEAD = ",".join(NAMES)
TIME = "2026-11-16 09:30:00"
LOCAL = datetime(2026, 11, 16, 9, 30)  # noqa: DTZ001  (plant time)
Make = Callable[[str, str], bytes]


@dataclass(frozen=True)
class Hostile:
    """One file.

    Attributes:
        name: of the file.
        content: its bytes.
        lands: whether its one sound ticket must land.
        wrong: how many rows must be set aside; 0 for a clean file, and 1 for one that is refused as a whole.
        is_refused: whether the file as a whole must be refused.
        ticket: the number of its sound ticket.
    """

    name: str
    content: bytes
    lands: bool
    wrong: int
    is_refused: bool
    ticket: str


def good(ticket: str) -> str:
    """A sound line."""
    return f"{ticket},{TIME},苏A1,1000.5,4"


def lines(*rows: str, encoding: str = "utf-8", end: str = "\r\n") -> bytes:
    """A file of headings and rows."""
    return (end.join((HEAD, *rows)) + end).encode(encoding)


def book(*rows: tuple[Any, ...], change: Callable[[Workbook], None] | None = None) -> bytes:
    """A workbook of headings and rows."""
    made = Workbook()
    for row in (NAMES, *rows):
        made.active.append(row)
    if change is not None:
        change(made)
    target = BytesIO()
    made.save(target)
    return target.getvalue()


def good_cells(ticket: str) -> tuple[Any, ...]:
    """A sound row of a workbook."""
    return (ticket, LOCAL, "苏A1", 1000.5, 4)


def rewritten(content: bytes, part: str, change: Callable[[bytes], bytes], **more: bytes) -> bytes:
    """A workbook with one part changed and others added."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, change(data) if info.filename == part else data)
        for name, data in more.items():
            new.writestr(name, data)
    return target.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def in_sheet(ticket: str, old: bytes, new: bytes) -> bytes:
    """A sound workbook whose sheet's text is changed in one place."""
    return rewritten(book(good_cells(ticket)), SHEET, lambda text: text.replace(old, new, 1))


def zipped(**parts: bytes) -> bytes:
    """An archive."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target.getvalue()


def lying_archive() -> bytes:
    """An archive whose directory says that a large part is small."""
    content = bytearray(zipped(**{SHEET: b"0" * 4_000_000}))
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 10)
    return bytes(content)


def xml(inside: str, before: str = "") -> bytes:
    """A document of tickets."""
    return f"<?xml version='1.0' encoding='UTF-8'?>{before}<list>{inside}</list>".encode()


def ticket_xml(ticket: str) -> str:
    """A sound element."""
    return (
        f"<tickets><ticket_no>{ticket}</ticket_no><weighed_at_utc>{TIME}</weighed_at_utc>"
        "<net_weight_kg>5</net_weight_kg></tickets>"
    )


def record(ticket: str, **more: Any) -> dict[str, Any]:
    """A sound object."""
    return {"ticket_no": ticket, "weighed_at_utc": TIME, "net_weight_kg": 5} | more


WHEN = (
    "16/11/2026",
    "11/16/26",
    "16.11.2026 9:30",
    "45987.4",
    "1763256600",
    "0000-01-01",
    "9999-12-31T23:59:59-12:00",
)
MUCH = ("heavy", "NaN", "∞", "1e999", "9" * 400, "0x1F")
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
)

# How each file is made from the number of its ticket and the path of a secret that nobody may read; with the
# count of its wrong rows where some are.
CLEAN: dict[str, Make] = {
    "bom.csv": lambda t, _: b"\xef\xbb\xbf" + lines(good(t)),
    "utf16 without mark.csv": lambda t, _: lines(good(t), encoding="utf-16-le"),
    "utf16 big.csv": lambda t, _: b"\xfe\xff" + lines(good(t), encoding="utf-16-be"),
    "utf32.csv": lambda t, _: lines(good(t), encoding="utf-32"),
    "gbk.csv": lambda t, _: lines(good(t), encoding="gbk"),
    "only returns.csv": lambda t, _: lines(good(t), end="\r"),
    "line ends of all kinds.csv": lambda t, _: f"{HEAD}\n\r\n{good(t)}\r\r\n\n".encode(),
    "blank lines.csv": lambda t, _: lines(*[""] * 50_000, ",,,,", good(t)),
    "full width.csv": lambda t, _: lines(good(t).replace("1000.5", "１０００．５")),
    "a number of pieces.csv": lambda t, _: lines(f'{t},{TIME},x,"1,000.5",4'),
    "trailing commas.csv": lambda t, _: lines(good(t) + ",,,,"),
    "formula as text.csv": lambda t, s: lines(f"{t},{TIME},=cmd|'/c touch {s}.x'!A1,5,4"),
    "json called.csv": lambda t, _: json.dumps([record(t)]).encode(),
    "workbook called.csv": lambda t, _: book(good_cells(t)),
    "text called.xlsx": lambda t, _: lines(good(t)),
    "no ending": lambda t, _: lines(good(t)),
    "=1+1 ; & $(id) `id`.csv": lambda t, _: lines(good(t)),
    "\udcff\udcfe.csv": lambda t, _: lines(good(t)),  # a name that is no UTF-8
    "长" * 80 + ".csv": lambda t, _: lines(good(t)),
    "1904.xlsx": lambda t, _: book(good_cells(t), change=lambda b: setattr(b, "epoch", CALENDAR_MAC_1904)),
    "macros.xlsm": lambda t, _: rewritten(
        book(good_cells(t)), "", bytes, **{"xl/vbaProject.bin": b"Sub Auto_Open"}
    ),
    "a size that lies.xlsx": lambda t, _: in_sheet(t, b'ref="A1:E2"', b'ref="A1:XFD1048576"'),
    "validation everywhere.xlsx": lambda t, _: in_sheet(
        t,
        b"</sheetData>",
        b'</sheetData><dataValidations count="1"><dataValidation type="whole" '
        b'sqref="A1:XFD1048576"/></dataValidations>',
    ),
}
ROWS: dict[str, tuple[int, Make]] = {
    "gbk with a damaged byte.csv": (
        1,
        lambda t, _: lines(*[good(t)] * 9, good("T-X"), encoding="gbk").replace(b"T-X", b"T\xff\xff"),
    ),
    "utf8 with a damaged byte.csv": (
        1,
        lambda t, _: lines(good(t), good("T-X")).replace(b"T-X", b"T\xc0\xaf-X"),
    ),
    "one row in gbk.csv": (1, lambda t, _: lines(*[good(t)] * 9) + good("T-X").encode("gbk")),
    "damaged heading.csv": (
        1,
        lambda t, _: lines(good(t) + ",苏", "T-X,soon,,,,").replace(b"axle_count", b"axle_count,\xff"),
    ),
    "zero byte.csv": (1, lambda t, _: lines(*[good(t)] * 9, good("T-\0X"))),
    "utf16 cut.csv": (
        1,
        lambda t, _: ("\ufeff" + f"{HEAD}\n{good(t)}\n{good('T-X')}苏").encode("utf-16-le")[:-1],
    ),
    "escape codes.csv": (1, lambda t, _: lines(good(t), good("T-X").replace("苏A1", "\x1b[2J"))),
    "right to left.csv": (1, lambda t, _: lines(good(t), good("T-\u202eX"))),
    "open quote.csv": (1, lambda t, _: lines(good(t), f'T-X,"{TIME},x,5,4')),
    "open quote and much behind.csv": (1, lambda t, _: lines(f'T-X,"{TIME},x,5,4', *[good(t)] * 1_000)),
    "quotes in quotes.csv": (1, lambda t, _: lines(good(t), f'T-X,{TIME},"a"b"c",5,4')),
    "ragged.csv": (3, lambda t, _: lines("T-X", good(t), good("T-Y") + ",1,2,3", ",")[:-2] + b"T-Z\r\n"),
    "a million cells in a row.csv": (1, lambda t, _: lines(good(t), good("T-X") + ",1" * 1_000_000)),
    "endless cell.csv": (1, lambda t, _: lines(good(t), f"T-X,{TIME},{'x' * 5_000_000},5,4")),
    "decimal comma.csv": (1, lambda t, _: lines(good(t), good("T-X").replace("1000.5", '"1000,5"'))),
    "sum below.csv": (1, lambda t, _: lines(good(t), "合计,,,1000.5,4")),
    "formula as key.csv": (
        3,
        lambda t, s: lines(good(t), *(f"{c}cmd|'/c touch {s}.x'!A1,{TIME},x,5,4" for c in "=+@")),
    ),
    "thousands of odd rows.csv": (
        3_000,
        lambda t, _: lines(*(f"T-{n},soon,x,much,{n}" for n in range(3_000)), good(t)),
    ),
    "mixed dates.csv": (
        7,
        lambda t, _: lines(good(t), *(f"T-X{n},{when},x,5,4" for n, when in enumerate(WHEN))),
    ),
    "wrong types.csv": (
        6,
        lambda t, _: lines(good(t), *(f"T-X{n},{TIME},x,{weight},4" for n, weight in enumerate(MUCH))),
    ),
    "broken line.ndjson": (1, lambda t, _: json.dumps(record(t)).encode() + b'\n{"ticket_no": "T-X", \n'),
    "deep line.ndjson": (1, lambda t, _: (json.dumps(record(t)) + "\n" + "[" * 100_000 + "\n").encode()),
    "names twice.json": (
        1,
        lambda t, _: (f"[{json.dumps(record(t))}," + '{"ticket_no":"T-X","ticket_no":"T-Y"}]').encode(),
    ),
    "endless number.json": (
        1,
        lambda t, _: json.dumps([record(t), record("T-X")]).replace("5}]", "9" * 9_000 + "}]").encode(),
    ),
    "no numbers.json": (
        2,
        lambda t, _: json.dumps([record(t), record("T-X", net_weight_kg=float("nan")), 7]).encode(),
    ),
    "half a letter.json": (
        1,
        lambda t, _: json.dumps([record(t), record("T-X", plate_no="\ud800", **{"\udfff": 1})]).encode(),
    ),
    "cut.xml": (1, lambda t, _: xml(ticket_xml(t) + "<tickets><ticket_no>T-X")[:-7]),
    "twice in one.xml": (
        1,
        lambda t, _: xml(
            ticket_xml(t) + "<tickets><ticket_no>A</ticket_no><ticket_no>B</ticket_no></tickets>"
        ),
    ),
    "formula never calculated.xlsx": (
        1,
        lambda t, s: book(good_cells(t), ("T-X", LOCAL, f"=cmd|'/c touch {s}.x'!A0", 5, 4)),
    ),
    "errors and truth.xlsx": (
        2,
        lambda t, _: book(good_cells(t), ("T-X", LOCAL, "x", "#DIV/0!", 4), ("T-Y", LOCAL, "x", True, 4)),
    ),
}
REFUSED: dict[str, Make] = {
    "empty.csv": lambda _t, _s: b"",
    "only a mark.csv": lambda _t, _s: b"\xef\xbb\xbf",
    "only blanks.csv": lambda _t, _s: b" \r\n\t\r\n" * 100,
    "noise.csv": lambda _t, _s: random.Random(7).randbytes(50_000),
    "zeros.csv": lambda _t, _s: bytes(100_000),
    "a million columns.csv": lambda _t, _s: (
        ",".join(f"c{n}" for n in range(1_000_000)).encode() + b"\r\n1,2\r\n"
    ),
    "no headings.csv": lambda _t, _s: b"1,2,3\r\n4,5,6\r\n",
    "only headings.csv": lambda _t, _s: lines(),
    "heading twice.csv": lambda t, _s: f"{HEAD},ticket_no\r\n{good(t)},T-X\r\n".encode(),
    "packed.csv": lambda t, _s: gzip.compress(lines(good(t))),
    "print.pdf": lambda _t, _s: b"%PDF-1.7 ...",
    "old office.xls": lambda _t, _s: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "deep.json": lambda _t, _s: b"[" * 200_000,
    "cut.json": lambda t, _s: json.dumps([record(t)])[:-3].encode(),
    "a word.json": lambda _t, _s: b'["x"',
    "two lists.json": lambda t, _s: json.dumps({"a": [record(t)], "b": [1]}).encode(),
    "laughs.xml": lambda _t, _s: xml("<tickets><ticket_no>&j;</ticket_no></tickets>", LAUGHS + "]>"),
    "secret.xml": lambda t, s: xml(
        f"<tickets><ticket_no>{t}</ticket_no><plate_no>&s;</plate_no></tickets>",
        f"<!DOCTYPE x [<!ENTITY s SYSTEM 'file://{s}'>]>",
    ),
    "deep.xml": lambda _t, _s: xml("<a>" * 100_000),
    "endless text.xml": lambda _t, _s: xml(
        "<tickets><ticket_no>" + "x" * 3_000_000 + "</ticket_no></tickets>"
    ),
    "many elements.xml": lambda _t, _s: xml("<tickets>" + "<a/>" * 100_000 + "</tickets>"),
    "another list.xml": lambda _t, _s: xml("<orders/>"),
    "bomb.xlsx": lambda _t, _s: zipped(**{SHEET: b"0" * (33 * 1024 * 1024)}),
    "many parts.xlsx": lambda _t, _s: zipped(**{f"{n}.xml": b"" for n in range(600)}),
    "lying directory.xlsx": lambda _t, _s: lying_archive(),
    "archive in archive.xlsx": lambda t, _s: zipped(inner=zipped(inner=lines(good(t)))),
    "half.xlsx": lambda t, _s: book(good_cells(t))[:-900],
    "laughs.xlsx": lambda t, _s: rewritten(
        book(good_cells(t)), SHEET, lambda text: LAUGHS.encode() + b"]>" + text
    ),
    "merged without end.xlsx": lambda t, _s: in_sheet(
        t, b"</sheetData>", b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    ),
    "cells without end.xlsx": lambda t, _s: in_sheet(
        t, b"</sheetData>", b"<row>" + b"<c/>" * 700_000 + b"</row></sheetData>"
    ),
    "the last row.xlsx": lambda t, _s: in_sheet(
        t, b"</sheetData>", b'<row r="1048576"><c r="A1048576"><v>1</v></c></row></sheetData>'
    ),
    "no such string.xlsx": lambda t, _s: in_sheet(
        t, b't="inlineStr"><is><t>ticket_no</t></is>', b't="s"><v>999999</v>'
    ),
    "no such cell.xlsx": lambda t, _s: in_sheet(t, b'r="A1"', b'r="ZZZZ0"'),
}


def hostile_files(secret: str) -> Iterator[Hostile]:
    """Every file, one after the other, clean ones first.

    Args:
        secret: the path of a file whose content must turn up nowhere, and beside which nothing may be made.
    """
    number = 0
    for lands, is_refused, kind in ((True, False, CLEAN), (True, False, ROWS), (False, True, REFUSED)):
        for name, made in kind.items():
            number += 1
            ticket = f"T-{number:04}"
            wrong, make = made if isinstance(made, tuple) else (int(is_refused), made)
            yield Hostile(name, make(ticket, secret), lands, wrong, is_refused, ticket)
