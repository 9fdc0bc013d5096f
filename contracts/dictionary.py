"""Contract set → the data dictionary in Markdown, one page in Chinese and one in English."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from contracts.fields import CATEGORY_ENGLISH, GRADES
from contracts.model import Column, Contract

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class _Words:
    """The fixed words of one language."""

    title: str
    note: str
    facts: tuple[str, ...]
    headings: tuple[str, ...]
    yes: str
    days: str


_WORDS: dict[Language, _Words] = {
    "zh": _Words(
        "数据字典：原始层",
        "由合同生成，请勿手工修改。",
        ("一行", "责任部门", "分类", "读取方式", "周期", "保存期限", "主键", "条款"),
        ("列", "名称", "类型", "单位", "必填", "分级", "个人信息", "代码", "说明"),
        "是",
        "天",
    ),
    "en": _Words(
        "Data dictionary: raw layer",
        "Generated from the contracts; do not edit by hand.",
        ("One row", "Owner", "Category", "Read by", "Cadence", "Kept for", "Key", "Clauses"),
        ("Column", "Label", "Type", "Unit", "Required", "Grade", "Personal", "Codes", "Notes"),
        "yes",
        "days",
    ),
}


def render_dictionary(contracts: Iterable[Contract], language: Language) -> str:
    """The dictionary page of these contracts in one language."""
    words = _WORDS[language]
    ordered = sorted(contracts, key=lambda contract: contract.contract_id)
    lines = [f"# {words.title}", "", words.note, ""]
    lines += [f"- [{c.name}](#{c.name}) {_label(c, language)}" for c in ordered]
    for contract in ordered:
        lines += ["", *_table(contract, language, words)]
    return "\n".join(lines) + "\n"


def _table(contract: Contract, language: Language, words: _Words) -> list[str]:
    category = contract.category if language == "zh" else CATEGORY_ENGLISH[contract.category]
    facts = (
        contract.grain,
        contract.owner,
        category,
        contract.mode.value,
        f"{contract.cadence_s} s",
        f"{contract.retention_days} {words.days}",
        ", ".join(contract.primary_key),
        ", ".join(contract.clauses),
    )
    lines = [f'## <a id="{contract.name}"></a>{contract.name}', "", f"**{_label(contract, language)}**", ""]
    lines += [contract.description, ""]
    lines += [f"- {name}: {fact}" for name, fact in zip(words.facts, facts, strict=True) if fact]
    lines += ["", _row(words.headings), _row("---" for _ in words.headings)]
    return lines + [_row(_cells(column, language, words)) for column in contract.columns]


def _cells(column: Column, language: Language, words: _Words) -> Iterable[str]:
    codes = [f"{c.value} {c.label_zh if language == 'zh' else c.label_en}" for c in column.codes]
    grade = column.grade if language == "zh" else GRADES[column.grade]
    return (
        f"`{column.name}`",
        _label(column, language),
        column.logical_type,
        column.unit or (f"→ `{column.unit_column}`" if column.unit_column else ""),
        words.yes if column.required else "",
        grade,
        words.yes if column.is_personal else "",
        "<br>".join(codes),
        column.description,
    )


def _label(labelled: Contract | Column, language: Language) -> str:
    return labelled.label_zh if language == "zh" else labelled.label_en


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
