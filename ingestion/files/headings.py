"""Which column of a file is which of the contract: found by its headings, wherever their row stands.

Titles above the headings, groups over them (merged cells) and units behind them are understood. A unit that
is not the contract's refuses the file: its numbers would be wrong by a factor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.model import Column, Contract
from contracts.template import REQUIRED_MARK, entered_columns
from ingestion.connectors.workbook_cells import plain
from ingestion.errors import RefusedFileError
from ingestion.files.cells import shown
from ingestion.files.records import MAX_COLUMNS, visible

HEADING_ROWS = 30  # titles above the headings are never longer
_UNIT_BEHIND = re.compile(r"^(.+?)\s*[(\[（【/]\s*([^()\[\]（）【】]{1,20}?)\s*[)\]）】]?$")
_MOST_NAMED = 8


@dataclass(frozen=True)
class Headings:
    """Where each column stands.

    Attributes:
        row: the index of the heading row among those looked at.
        texts: the headings as written.
        positions: for each column of the contract the index of its cell; None where the file lacks it.
        unknown: headings that the contract does not know.
        wrong_units: headings whose unit is not the contract's.
        twice: headings that mean a column which an earlier one means too.
    """

    row: int
    texts: tuple[str, ...]
    positions: tuple[int | None, ...]
    unknown: tuple[str, ...]
    wrong_units: tuple[tuple[str, Column], ...] = ()
    twice: tuple[str, ...] = ()

    @property
    def found(self) -> int:
        """How many columns of the contract were found."""
        return sum(position is not None for position in self.positions)


def best_headings(
    rows: Sequence[Sequence[object]], contract: Contract, words: Mapping[str, Sequence[str]]
) -> Headings | None:
    """The row that names the most columns of the contract; None where no row names any.

    Args:
        rows: the first rows of the file.
        contract: what is looked for.
        words: other words for a column, by its name.
    """
    vocabulary = _vocabulary(contract, words)
    best = None
    above: Sequence[str] = ()
    for index, cells in enumerate(rows[:HEADING_ROWS]):
        texts = [visible(plain(cell)) for cell in cells[: MAX_COLUMNS + 1]]
        found = _matched(index, texts, above, vocabulary, contract)
        if found.found and (best is None or found.found > best.found):
            best = found
        above = _spread(texts)
    return best


def require_headings(found: Headings | None, contract: Contract, width: int) -> Headings:
    """The headings, if rows can be read by them.

    Raises:
        RefusedFileError: too many columns, no heading row, a required column missing or twice, a foreign
            unit.
    """
    if width > MAX_COLUMNS:
        raise RefusedFileError(
            reason_zh=f"文件有 {width} 列，最多 {MAX_COLUMNS} 列；请检查分隔符与文件内容",
            reason_en=f"the file has {width} columns, at most {MAX_COLUMNS}; check delimiter and file",
        )
    required = [column for column in entered_columns(contract) if column.required]
    if found is None:
        listed = "、".join(column.source_name for column in required)
        raise RefusedFileError(
            reason_zh=f"没有找到表头行，应含：{listed}；请检查分隔符、编码与表头",
            reason_en=f"no heading row was found; expected {listed}; check delimiter, encoding and headings",
        )
    missing = [
        column
        for column, position in zip(contract.columns, found.positions, strict=True)
        if position is None and column in required
    ]
    if missing:
        seen = ", ".join(shown(text) for text in found.texts[:_MOST_NAMED])
        raise RefusedFileError(
            reason_zh=f"缺少必填列：{'、'.join(c.label_zh for c in missing)}；文件的表头是：{seen}",
            reason_en=f"required columns are missing: {', '.join(c.source_name for c in missing)}; "
            f"the file's headings are: {seen}",
        )
    if found.twice:
        named = "、".join(shown(text) for text in found.twice[:_MOST_NAMED])
        raise RefusedFileError(
            reason_zh=f"表头重复：{named}；无法判断取哪一列，请删除或改名",
            reason_en=f"headings stand twice: {named}; delete or rename one, it is not clear which counts",
        )
    if found.wrong_units:
        told = "; ".join(f"{text} ≠ {column.unit}" for text, column in found.wrong_units)
        raise RefusedFileError(
            reason_zh=f"表头的单位与合同不同：{told}；请换算后重交或修改合同",
            reason_en=f"units in the headings are not the contract's: {told}; convert them",
        )
    return found


def by_position(contract: Contract) -> Headings:
    """Columns in the contract's order, for files without headings."""
    entered = entered_columns(contract)
    places = {column.name: index for index, column in enumerate(entered)}
    return Headings(
        row=-1,
        texts=tuple(column.source_name for column in entered),
        positions=tuple(places.get(column.name) for column in contract.columns),
        unknown=(),
    )


def _vocabulary(contract: Contract, words: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    known: dict[str, Column] = {}
    for column in entered_columns(contract):
        own = (column.source_name, column.name, column.label_zh, column.label_en)
        for word in (*own, *words.get(column.name, ())):
            known.setdefault(_squeezed(word), column)
    return known


def _matched(
    index: int, texts: Sequence[str], above: Sequence[str], known: Mapping[str, Column], contract: Contract
) -> Headings:
    positions: dict[str, int] = {}
    unknown, wrong, twice = [], [], []
    for place, text in enumerate(texts):
        group = above[place] if place < len(above) else ""
        column, unit = _column_of(text, group, known)
        if column is None or (column.name in positions and not text):
            unknown += [text] if text else []
            continue
        if column.name in positions:
            twice.append(text)
            continue
        positions[column.name] = place
        if unit and column.unit and column.unit != "1" and _squeezed(unit) != _squeezed(column.unit):
            wrong.append((text, column))
    return Headings(
        row=index,
        texts=tuple(texts),
        positions=tuple(positions.get(column.name) for column in contract.columns),
        unknown=tuple(unknown),
        wrong_units=tuple(wrong),
        twice=tuple(twice),
    )


def _column_of(text: str, group: str, known: Mapping[str, Column]) -> tuple[Column | None, str | None]:
    """The column that a heading means, with the unit that stands behind it."""
    bare = text.removesuffix(REQUIRED_MARK.strip()).strip()
    # A heading merged over two rows stands in the upper one; a group makes equal headings distinct.
    for words in (bare, f"{group}{bare}" if bare else group):
        column = known.get(_squeezed(words)) if words else None
        if column is not None:
            return column, None
    behind = _UNIT_BEHIND.match(bare)
    return (known.get(_squeezed(behind[1])), behind[2]) if behind else (None, None)


def _spread(texts: Sequence[str]) -> list[str]:
    """A group's heading stands in its first cell and counts until the next one."""
    spread, last = [], ""
    for text in texts:
        last = text or last
        spread.append(last)
    return spread


def _squeezed(text: str) -> str:
    return "".join(text.split()).lower()
