"""The dictionary as a static site: a page a table and an index, in Chinese and English, with a search.

Everything is in the files themselves: no server, no address outside, so that it opens from a folder, a share
or a USB stick in a closed network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from html import escape

from contracts.dictionary_data import Dictionary, DictionaryColumn, DictionaryTable, Language, Link, Words
from contracts.dictionary_style import SCRIPT, STYLE

LANGUAGES: tuple[Language, ...] = ("zh", "en")
_TITLE = Words("ChemLink 数据字典", "ChemLink data dictionary")
_SEARCH = Words("搜索表、列、中文名、单位…", "Search tables, columns, labels, units …")
_BY_SYSTEM = Words("按系统", "By system")
_BY_DOMAIN = Words("按业务分类", "By domain")
_LAYERS = {
    "raw": Words("原始层", "Raw"),
    "staging": Words("整理层", "Staging"),
    "intermediate": Words("中间层", "Intermediate"),
    "marts": Words("集市层", "Marts"),
    "regulatory": Words("监管层", "Regulatory"),
    "ops": Words("运行层", "Operations"),
}
_HEADINGS = (
    Words("列", "Column"),
    Words("名称", "Label"),
    Words("类型", "Type"),
    Words("单位", "Unit"),
    Words("分类 · 分级", "Category · grade"),
    Words("代码", "Codes"),
    Words("来自", "Comes from"),
    Words("用于", "Used by"),
    Words("谁能看", "Who sees it"),
)
_KEY, _REQUIRED = Words("主键", "key"), Words("必填", "required")
_PERSONAL = Words("个人信息", "personal")
_MADE_FROM, _READ_BY = Words("上游表", "Made from"), Words("下游表", "Read by")
_OTHER = {"zh": "English", "en": "中文"}


def render_site(dictionary: Dictionary) -> Iterator[tuple[str, str]]:
    """Every file of the site: its path below the site's folder, and its text."""
    yield "style.css", STYLE
    yield "search.js", SCRIPT
    yield "index.html", _redirect()
    for language in LANGUAGES:
        yield f"{language}/search-index.js", _search_index(dictionary, language)
        yield f"{language}/index.html", _index(dictionary, language)
        known = {table.name for table in dictionary.tables}
        for table in dictionary.tables:
            yield f"{language}/{table.name}.html", _table_page(table, known, language)


def _redirect() -> str:
    return (
        '<!doctype html><html lang="zh"><meta charset="utf-8"><title>ChemLink</title>'
        '<meta http-equiv="refresh" content="0; url=zh/index.html">'
        '<a href="zh/index.html">中文</a> · <a href="en/index.html">English</a></html>\n'
    )


def _search_index(dictionary: Dictionary, language: Language) -> str:
    """What the search looks through: page, column, and everything one might type."""
    rows = []
    for table in dictionary.tables:
        rows.append([table.name, "", table.label.text(language), f"{table.label.zh} {table.label.en}"])
        for column in table.columns:
            words = f"{column.label.zh} {column.label.en} {column.unit} {column.source}"
            rows.append([table.name, column.name, column.label.text(language), words])
    return f"window.DICTIONARY = {json.dumps(rows, ensure_ascii=False)};\n"


def _index(dictionary: Dictionary, language: Language) -> str:
    schemes = "".join(f"<p class=scheme>{escape(text.text(language))}</p>" for text in dictionary.schemes)
    groups = [
        _grouped(_BY_SYSTEM, dictionary.tables, lambda table: table.group, "by-system", language),
        _grouped(_BY_DOMAIN, dictionary.tables, lambda table: table.domain, "by-domain", language),
    ]
    return _page(_TITLE.text(language), schemes + "".join(groups), "index.html", language)


def _grouped(
    title: Words,
    tables: Iterable[DictionaryTable],
    key: Callable[[DictionaryTable], Words],
    anchor: str,
    language: Language,
) -> str:
    groups: dict[str, list[DictionaryTable]] = {}
    for table in tables:
        groups.setdefault(key(table).text(language), []).append(table)
    parts = [f"<section id={anchor}><h2>{escape(title.text(language))}</h2>"]
    for name in sorted(groups):
        parts.append(f"<h3>{escape(name)}</h3><ul>")
        for table in sorted(groups[name], key=lambda found: found.name):
            label = escape(table.label.text(language))
            layer = escape(_LAYERS[table.layer].text(language))
            link = f'<a href="{table.name}.html"><code>{table.name}</code></a>'
            parts.append(f"<li>{link} {label} <small>{layer}</small></li>")
        parts.append("</ul>")
    return "".join([*parts, "</section>"])


def _table_page(table: DictionaryTable, known: set[str], language: Language) -> str:
    facts = [(_words.text(language), escape(value)) for _words, value in table.facts if value]
    facts += [
        (words.text(language), ", ".join(_table_link(name, known) for name in names))
        for words, names in ((_MADE_FROM, table.parents), (_READ_BY, table.children))
        if names
    ]
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts)
    heading = "".join(f"<th>{escape(words.text(language))}</th>" for words in _HEADINGS)
    rows = "".join(_column_row(column, known, language) for column in table.columns)
    body = (
        f"<h1>{escape(table.label.text(language))}</h1><p><code>{table.name}</code> · "
        f"{escape(_LAYERS[table.layer].text(language))} · {escape(table.group.text(language))} · "
        f"{escape(table.domain.text(language))}</p><p>{escape(table.description.text(language))}</p>"
        f"<dl>{listed}</dl><table id=columns><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"
    )
    return _page(table.label.text(language), body, f"{table.name}.html", language)


def _column_row(column: DictionaryColumn, known: set[str], language: Language) -> str:
    marks = [
        words.text(language)
        for words, is_set in ((_KEY, column.is_key), (_REQUIRED, column.is_required))
        if is_set
    ]
    name = f"<code>{escape(column.name)}</code>" + "".join(f"<small>{escape(mark)}</small>" for mark in marks)
    label = escape(column.label.text(language)) + (
        f"<small>{escape(column.note)}</small>" if column.note else ""
    )
    classes = [escape(words.text(language)) for words in column.classes]
    classes += [escape(_PERSONAL.text(language))] if column.is_personal else []
    codes = [
        f"<code>{escape(str(code.value))}</code> {escape(Words(code.label_zh, code.label_en).text(language))}"
        for code in column.codes
    ]
    origins = [f"<code>{escape(column.source)}</code>"] if column.source else []
    origins += [_column_link(link, known) for link in column.origins]
    readers = [_column_link(link, known) for link in column.readers]
    seen = [
        f"{escape(role.text(language))}: {escape(_one(treatment.label, language))}"
        for role, treatment in column.treatments
    ]
    cells = (
        name,
        label,
        escape(column.data_type),
        escape(column.unit),
        *map("<br>".join, (classes, codes, origins, readers, seen)),
    )
    return f'<tr id="{escape(column.name)}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _one(both: str, language: Language) -> str:
    """One language of a label written as `中文 English`."""
    zh, _, en = both.partition(" ")
    return zh if language == "zh" else en


def _table_link(name: str, known: set[str]) -> str:
    return (
        f'<a href="{name}.html"><code>{name}</code></a>' if name in known else f"<code>{escape(name)}</code>"
    )


def _column_link(link: Link, known: set[str]) -> str:
    text = f"<code>{escape(link.table)}.{escape(link.column)}</code>"
    return f'<a href="{link.table}.html#{escape(link.column)}">{text}</a>' if link.table in known else text


def _page(title: str, body: str, path: str, language: Language) -> str:
    other = "en" if language == "zh" else "zh"
    search = escape(_SEARCH.text(language), quote=True)
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="../style.css">'
        '<script src="search-index.js" defer></script><script src="../search.js" defer></script></head><body>'
        f'<header><a href="index.html">{escape(_TITLE.text(language))}</a>'
        f'<input id="search" type="search" placeholder="{search}" autocomplete="off">'
        f'<a id="language" href="../{other}/{path}">{_OTHER[language]}</a></header>'
        f'<ol id="found" hidden></ol><main>{body}</main></body></html>\n'
    )
