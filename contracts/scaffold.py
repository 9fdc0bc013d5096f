"""A new system's files, ready to be filled in: what can be found out is written, the rest is a placeholder.

The texts are sound YAML that the loader reads; `chemlink contract check` then names each placeholder with its
line. A label that the source already has in Chinese is taken over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.model import ExtractMode
from contracts.placeholders import CHINESE, ENGLISH

_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTERS = re.compile(r"[^a-z0-9]+")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_ENDINGS = {"timestamp": "_at_utc", "date": "_date"}
_MODES = {
    "sql": ExtractMode.SNAPSHOT_DIFF,
    "rest": ExtractMode.SNAPSHOT_DIFF,
    "webhook": ExtractMode.MANUAL,
    "workbook": ExtractMode.MANUAL,
    "files": ExtractMode.MANUAL,
}
_CORRECTION = (
    ("correction_reason", "Reason of the correction", "更正原因"),
    ("correction_author", "Author of the correction", "更正人"),
)


@dataclass(frozen=True)
class FoundColumn:
    """One column of a source, as its catalogue or a sample shows it.

    Attributes:
        source_name: as the source writes it.
        logical_type: one of the contract's types.
        source_type: in SQL's own words, where there is a catalogue.
        number_format: i8 … i64, f32 or f64, where the type does not say it.
        required: whether it is never empty.
        key_position: its place in the primary key, from 1.
        needs_zone: whether it is an instant without a zone.
    """

    source_name: str
    logical_type: str
    source_type: str | None = None
    number_format: str | None = None
    required: bool = False
    key_position: int | None = None
    needs_zone: bool = False


NOTHING_KNOWN = (FoundColumn("TODO", "string", required=True, key_position=1),)

# What every event brings beside its content.
EVENT_COLUMNS = (
    FoundColumn("webhook-id", "string", required=True, key_position=1),
    FoundColumn("webhook-timestamp", "timestamp", required=True),
)


def render_system(system_id: str, kind: str) -> str:
    """The text of `system.yml`."""
    return (
        f"schema_version: 1\nsystem_id: {system_id}\nkind: {kind}\n"
        f"label_zh: {CHINESE}系统名称\nlabel_en: {ENGLISH} name of the system\n"
        f"owner: {ENGLISH} team that answers for it\narea: {ENGLISH} area of the plant\n"
    )


def render_quirks(system_id: str) -> str:
    """The text of `quirks.md`."""
    return (
        f"# {system_id}: what to know before touching it\n\n"
        f"- {ENGLISH}: what is odd about the source (zones, padded codes, deleted rows, units as typed).\n"
        f"- {CHINESE}：该来源系统的特殊之处（时区、补零编码、删除方式、计量单位写法）。\n"
    )


def render_layouts(table: str) -> str:
    """The text of `files.yml`."""
    return (
        "# What the contracts cannot say of the files; every key has a default.\n"
        "# 合同之外的文件约定，均有默认值。\n"
        "# pattern, form (delimited, workbook, xml, json, fixed_width), encoding, delimiter, has_headings,\n"
        "# headings, sheet, record, fields, width_in (characters, bytes), settle_s, needs_marker\n"
        f'schema_version: 1\ntables:\n  {table}: {{pattern: "{table}*"}}\n'
    )


def render_rest(table: str) -> str:
    """The text of `rest.yml`."""
    return (
        "# How the tables are asked for; the path is the contract's physicalName.\n"
        "# 各表的请求方式；路径写在合同的 physicalName。\n"
        "# profile (json, odata), record, paging (none, link, page, offset, token), next_field,\n"
        "# page_parameter, size_parameter, page_size, first_page, since_parameter, parameters\n"
        f"schema_version: 1\ntables:\n  {table}: {{profile: json}}\n"
    )


def render_contract(
    system_id: str, table: str, *, kind: str, source_name: str, columns: Sequence[FoundColumn]
) -> str:
    """The text of `<table>.odcs.yaml`.

    Args:
        system_id: the system, which is also its folder.
        table: our name of the table.
        kind: how the system is read.
        source_name: the source's name of the table.
        columns: what is known of its columns; a key column is required.
    """
    mode = _MODES.get(kind, ExtractMode.FULL)
    lines = [
        "apiVersion: v3.2.0",
        "kind: DataContract",
        f"id: {system_id}.{table}",
        "version: 1.0.0",
        "status: draft",
        f"dataProduct: {system_id}",
        f"domain: {CHINESE}分类  # 研发, 生产, 运维, 管理 or 外部",
        f"team: {{name: {ENGLISH} owner}}",
        "authoritativeDefinitions:",
        f'  - {{type: clause, url: "{ENGLISH} DB32/T 4765-2024#clause"}}',
        "slaProperties:",
        f"  - {{property: frequency, value: {ENGLISH}, unit: m}}",
        f"  - {{property: retention, value: {ENGLISH}, unit: d}}",
        "schema:",
        f"  - name: {table}",
        f"    physicalName: {_text(source_name)}",
        f"    businessName: {ENGLISH} English label",
        f"    synonyms: [{{synonym: {CHINESE}中文名称, locale: zh-CN}}]",
        f"    description: {ENGLISH} what the table is for",
        f"    dataGranularityDescription: {ENGLISH} one row is",
        "    customProperties:",
        f"      - {{property: extractMode, value: {mode.value}}}",
        "    properties:",
    ]
    for position, column in enumerate(_keyed(columns), start=1):
        lines += _column_lines(column, position)
    if kind == "workbook":
        lines += _correction_lines()
    return "\n".join(lines) + "\n"


def column_name(column: FoundColumn, position: int) -> str:
    """Our name of a column: the source's in small letters with the ending that its type asks for."""
    words = _WORD_STARTS.sub("_", column.source_name.strip())
    name = _NO_LETTERS.sub("_", words.lower()).strip("_") if words.isascii() else ""
    if not name or not name[0].isalpha() or column.source_name == ENGLISH:
        return f"{ENGLISH}_{position}"
    if column.logical_type == "boolean":
        return name if name.startswith(("is_", "has_")) else f"is_{name}"
    ending = _ENDINGS.get(column.logical_type, "")
    if name.endswith(ending):
        return name
    # updated_at → updated_at_utc, orderdate → orderdate_date: a person chooses the better word.
    return f"{name.removesuffix('_at')}{ending}"


def _keyed(columns: Sequence[FoundColumn]) -> list[FoundColumn]:
    """The columns; where none is known to be a key, the first is proposed."""
    if any(column.key_position is not None for column in columns):
        return list(columns)
    first, *others = columns
    return [replace(first, key_position=1, required=True), *others]


def _column_lines(column: FoundColumn, position: int) -> list[str]:
    name = column_name(column, position)
    lines = [f"- name: {name}", f"  physicalName: {_text(column.source_name)}"]
    if column.source_type:
        lines.append(f"  physicalType: {_text(column.source_type)}")
    lines.append(f"  logicalType: {column.logical_type}")
    if column.number_format:
        lines.append(f"  logicalTypeOptions: {{format: {column.number_format}}}")
    if column.needs_zone:
        zone = f"{ENGLISH} zone of the source, as Asia/Shanghai"
        lines.append(f'  logicalTypeOptions: {{timezone: false, defaultTimezone: "{zone}"}}')
    label = f"{CHINESE}中文名称" if column.source_name.isascii() else column.source_name.strip()
    lines.append(f"  businessName: {ENGLISH} English label")
    lines.append(f"  synonyms: [{{synonym: {_text(label)}, locale: zh-CN}}]")
    if column.key_position is not None:
        lines += ["  primaryKey: true", f"  primaryKeyPosition: {column.key_position}"]
    if column.required or column.key_position is not None:
        lines.append("  required: true")
    lines.append(f"  classification: {CHINESE}分级  # 一般, 重要 or 核心")
    if column.logical_type in {"integer", "number"}:
        lines.append(f'  customProperties: [{{property: unit, value: "{ENGLISH} unit of units.csv"}}]')
    return [f"      {line}" for line in lines]


def _correction_lines() -> list[str]:
    """The columns with which people correct what they filled in."""
    return [
        f"      {line}"
        for name, label, label_zh in _CORRECTION
        for line in (
            f"- name: {name}",
            "  logicalType: string",
            f"  businessName: {label}",
            f"  synonyms: [{{synonym: {label_zh}, locale: zh-CN}}]",
            "  classification: 一般",
        )
    ]


def _text(value: str) -> str:
    """A text as YAML reads it back, whatever is in it."""
    is_plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _YAML_WORDS
    return value if is_plain else json.dumps(value, ensure_ascii=False)
