"""XML, B2MML among it → records; no document type, no entity, nothing fetched.

A column's source name is a path inside the record's element, without prefixes: `ID`, `@id`,
`Quantity/QuantityString`, `MaterialLotProperty[ID='Density']/Value/ValueString`; `../ID` is said by an
element around the record, before it.
Source: B2MML V0600 (ANSI/ISA-95.00.02 as XML), whose documents are lists of such elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element
from xml.parsers import expat

from contracts.model import Contract
from ingestion.connectors.workbook_cells import CellFault
from ingestion.errors import PermanentError, RefusedFileError
from ingestion.files.layout import TableLayout
from ingestion.files.records import UNREADABLE, Reading, Record

MAX_DEPTH = 64
MAX_RECORD_ELEMENTS = 5_000
MAX_OUTSIDE_ELEMENTS = 50_000
MAX_TEXT_LETTERS = 100_000
_PIECE = 65_536
_DECLARED = re.compile(
    rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["'](?:gbk|gb2312|gb18030|cp936)["'][^>]{0,200}\?>""", re.I
)
_PATH = re.compile(r"(?:\.\./)*(?:[^/@\[\]]+(?:\[[^\[\]]+\])?/)*(?:@?[^/@\[\]]+(?:\[[^\[\]]+\])?)")


def read_xml(content: bytes, contract: Contract, layout: TableLayout) -> Reading:
    """The records of a document.

    Args:
        content: the file; it says its encoding itself.
        contract: its columns' source names are paths.
        layout: names the record's element; the contract's source name by default.

    Raises:
        PermanentError: a source name is no path.
    """
    for column in contract.columns:
        if not _PATH.fullmatch(column.source_name):
            msg = f"{contract.contract_id}.{column.name}: {column.source_name!r} is no path of elements"
            raise PermanentError(msg)
    name = layout.record or contract.source_name
    return Reading(records=_records(_readable(content), name, contract), form=f"XML, {name}")


def _readable(content: bytes) -> bytes:
    """The document in UTF-8 where it says a Chinese encoding, which the parser does not know."""
    said = _DECLARED.match(content[:_PIECE])
    if said is None:
        return content
    text = content[said.end() :].decode("gb18030", errors="surrogateescape")
    return UNREADABLE.sub("\ufffd", text).encode()


def _records(content: bytes, name: str, contract: Contract) -> Iterator[Record]:
    walk = _Walk(name)
    parser = _parser(walk)
    place = 0
    fault: CellFault | None
    for start in range(0, max(len(content), 1), _PIECE):
        piece = content[start : start + _PIECE]
        fault = None
        try:
            parser.Parse(piece, start + _PIECE >= len(content))
        except (expat.ExpatError, ValueError, LookupError) as error:
            fault = _broken(error, parser)
        for element, around in walk.taken():
            place += 1
            yield _record(place, element, around, contract)
        if fault is not None:
            if not place:
                raise RefusedFileError(fault.reason_zh, fault.reason_en)
            # What came before the break is whole and lands; that there was more is told.
            yield Record(place + 1, (), [], fault)
            return
    if not place:
        raise RefusedFileError(
            reason_zh=f"没有找到元素 {name}；请在 files.yml 的 record 中写明记录元素",
            reason_en=f"no element {name} was found; say the record's element as record in files.yml",
        )


@dataclass
class _Walk:
    """Builds the elements of records, and around them only what may say something of them."""

    name: str
    open: list[Element] = field(default_factory=list)
    inside: int = 0  # depth inside a record
    elements: int = 0
    outside: int = 0
    letters: int = 0
    finished: list[tuple[Element, tuple[Element, ...]]] = field(default_factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if len(self.open) >= MAX_DEPTH:
            msg = f"nested deeper than {MAX_DEPTH} elements"
            raise ValueError(msg)
        element = Element(_local(tag), {_local(key): value for key, value in attributes.items()})
        self.letters = 0
        if self.inside or element.tag == self.name:
            self.elements = self.elements + 1 if self.inside else 1
            self.inside += 1
        else:
            self.outside += 1
        if self.elements > MAX_RECORD_ELEMENTS or self.outside > MAX_OUTSIDE_ELEMENTS:
            msg = (
                f"more than {MAX_RECORD_ELEMENTS} elements in a record or {MAX_OUTSIDE_ELEMENTS} around them"
            )
            raise ValueError(msg)
        if self.open and self.inside != 1:
            self.open[-1].append(element)
        self.open.append(element)

    def text(self, piece: str) -> None:
        """Letters of the element that is open."""
        self.letters += len(piece)
        if self.letters > MAX_TEXT_LETTERS:
            msg = f"a text of more than {MAX_TEXT_LETTERS} letters"
            raise ValueError(msg)
        self.open[-1].text = (self.open[-1].text or "") + piece

    def end(self, _tag: str) -> None:
        """An element is whole."""
        element = self.open.pop()
        if self.inside:
            self.inside -= 1
            if not self.inside:
                self.finished.append((element, tuple(reversed(self.open))))

    def taken(self) -> list[tuple[Element, tuple[Element, ...]]]:
        """The records finished since the last call, each with the elements around it, the nearest first."""
        found, self.finished = self.finished, []
        return found


def _parser(walk: _Walk) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = walk.start
    parser.CharacterDataHandler = walk.text
    parser.EndElementHandler = walk.end
    return parser


def _refuse_doctype(*_: Any) -> None:
    raise RefusedFileError(
        reason_zh="含文档类型声明（DOCTYPE），可能有害；请导出不带 DTD 的 XML",
        reason_en="it declares a document type (DOCTYPE), which may be hostile; export XML without a DTD",
    )


def _record(place: int, element: Element, around: tuple[Element, ...], contract: Contract) -> Record:
    cells: list[str | None] = []
    fault = None
    for column in contract.columns:
        found = _found(element, around, column.source_name)
        if len(found) > 1 and fault is None:
            path = column.source_name
            fault = CellFault(
                f"{path} 出现 {len(found)} 次，应为一次", f"{path} stands {len(found)} times, expected once"
            )
        cells.append(found[0] if found else None)
    written = {c.source_name: cell for c, cell in zip(contract.columns, cells, strict=True) if cell}
    return Record(place, () if fault else tuple(cells), written, fault)


def _found(element: Element, around: tuple[Element, ...], path: str) -> list[str]:
    """The texts that a path leads to."""
    up = path.count("../")
    here: Element | None = element if not up else around[up - 1] if up <= len(around) else None
    if here is None:
        return []
    *steps, last = path.replace("../", "").split("/")
    at = "/".join(steps)
    if last.startswith("@"):
        owners = here.findall(at) if at else [here]
        return [value for owner in owners if (value := owner.get(last[1:])) is not None]
    return [found.text or "" for found in here.findall(f"{at}/{last}" if at else last)]


def _local(tag: str) -> str:
    return tag.rsplit(" ", 1)[-1]


def _broken(error: Exception, parser: expat.XMLParserType) -> CellFault:
    line = parser.CurrentLineNumber
    return CellFault(
        f"XML 在第 {line} 行中断：{error}；其后的内容未读取，请检查文件是否完整",
        f"the XML breaks at line {line}: {error}; nothing after it was read, check that the file is complete",
    )
