"""JSON and NDJSON → records; numbers keep their digits, a name twice in one object is refused.

A column's source name is a name of the object, or a path of names with dots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from contracts.model import Contract
from ingestion.connectors.workbook_cells import CellFault
from ingestion.errors import RefusedFileError
from ingestion.files.cells import shown
from ingestion.files.layout import TableLayout
from ingestion.files.records import Reading, Record

MAX_DOCUMENT_LETTERS = 32 * 1024 * 1024  # of one document, which is in memory as a whole
MAX_LINE_LETTERS = 1024 * 1024
_TWICE = "\x00twice"


def read_json(text: str, encoding: str, contract: Contract, layout: TableLayout) -> Reading:
    """The records of a document, or of a document a line.

    Raises:
        RefusedFileError: it is no JSON, too large or too deep, or has no list of records where expected.
    """
    if _is_a_document_a_line(text):
        return Reading(records=_by_line(text, contract), form=f"{encoding}, NDJSON")
    if len(text) > MAX_DOCUMENT_LETTERS:
        raise RefusedFileError(
            reason_zh=f"JSON 文档超过 {MAX_DOCUMENT_LETTERS} 个字符；请改为每行一个对象（NDJSON）",
            reason_en=f"the JSON document has over {MAX_DOCUMENT_LETTERS} letters; send NDJSON",
        )
    try:
        document = load_document(text)
    except (ValueError, RecursionError) as error:
        raise RefusedFileError(
            reason_zh=f"不是可读的 JSON：{_told(error)}；请检查文件是否完整",
            reason_en=f"it is no readable JSON: {_told(error)}; check that the file is complete",
        ) from error
    return Reading(records=records_of(document, layout.record, contract), form=f"{encoding}, JSON")


def records_of(document: Any, path: str | None, contract: Contract, *, first: int = 1) -> Iterator[Record]:
    """The records of a document.

    Args:
        document: as `load_document` gives it.
        path: of names with dots to the list; the document itself or its only list by default.
        contract: says which cells.
        first: number of the first record.

    Raises:
        RefusedFileError: there is no list of records where expected; raised at once.
    """
    listed = enumerate(_listed(document, path), start=first)
    return (_record(place, value, contract) for place, value in listed)


def at_path(document: Any, path: str) -> Any:
    """What stands under a name, or under a path of names with dots; None where nothing does."""
    return _cell(document, path) if isinstance(document, dict) else None


def _is_a_document_a_line(text: str) -> bool:
    """Whether the first line is an object by itself and another line follows."""
    lines = (line for line in StringIO(text) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    if not first.lstrip().startswith("{") or not second or len(first) > MAX_LINE_LETTERS:
        return False
    if first.rstrip().endswith("}"):
        return True
    return second.lstrip().startswith("{")  # the first line is broken, not the form


def _by_line(text: str, contract: Contract) -> Iterator[Record]:
    for number, line in enumerate(StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE_LETTERS:
                msg = f"more than {MAX_LINE_LETTERS} letters"
                raise ValueError(msg)  # noqa: TRY301
            value = load_document(line)
        except (ValueError, RecursionError) as error:
            fault = CellFault(
                f"该行不是可读的 JSON：{_told(error)}", f"the line is no readable JSON: {_told(error)}"
            )
            yield Record(number, (), [line.rstrip("\r\n")], fault)
            continue
        yield _record(number, value, contract)


def load_document(text: str) -> Any:
    """A JSON document with its numbers as text; a name that stands twice in an object is marked.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    twice = [value.pop(_TWICE) for value in found.values() if isinstance(value, dict) and _TWICE in value]
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice.append(next(name for name in names if names.count(name) > 1))
    if twice:
        found[_TWICE] = twice[0]  # also what an object inside has twice is said of the whole
    return found


def _listed(document: Any, path: str | None) -> list[Any]:
    """The list of records: where the path says, the document itself, or its only list."""
    found = document
    for name in (path or "").split(".") if path else ():
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, dict) and not path:
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else [found] if not lists else None
    if not isinstance(found, list):
        where_zh, where_en = (f"“{path}”处", f"at {path!r}") if path else ("文档中", "in the document")
        raise RefusedFileError(
            reason_zh=f"{where_zh}没有唯一的记录列表；请在 files.yml 的 record 中写明路径",
            reason_en=f"no one list of records {where_en}; say its path as record in files.yml",
        )
    return found


def _record(place: int, value: Any, contract: Contract) -> Record:
    if not isinstance(value, dict):
        text = shown(str(value))
        fault = CellFault(f"不是 JSON 对象：{text}", f"it is no JSON object: {text}")
        return Record(place, (), [text], fault)
    twice = value.pop(_TWICE, None)
    if twice is not None:
        name = shown(twice)
        fault = CellFault(
            f"名称“{name}”在同一对象中出现两次", f"the name {name!r} stands twice in one object"
        )
        return Record(place, (), value, fault)
    return Record(place, tuple(_cell(value, c.source_name) for c in contract.columns), value)


def _cell(value: Mapping[str, Any], path: str) -> Any:
    found: Any = value.get(path)
    if found is None and "." in path:
        found = value
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, dict | list):
        return json.dumps(found, ensure_ascii=False)
    return found


def _told(error: Exception) -> str:
    return "nested too deep 嵌套过深" if isinstance(error, RecursionError) else shown(str(error))
