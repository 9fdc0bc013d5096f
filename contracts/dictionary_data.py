"""What the dictionary site shows, as values: tables, their columns, and where each comes from and goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from contracts.access import Treatment
from contracts.model import Code

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Words:
    """One text in both languages."""

    zh: str
    en: str

    def text(self, language: Language) -> str:
        """The text in one language; the other where that one is missing."""
        return (self.zh or self.en) if language == "zh" else (self.en or self.zh)


@dataclass(frozen=True)
class Link:
    """A column of another table, or of a source."""

    table: str
    column: str


@dataclass(frozen=True)
class DictionaryColumn:
    """One column.

    Attributes:
        name: in the lake.
        label: what it is.
        data_type: as stored.
        unit: with its words; empty for what has none.
        classes: category and grade in words, one line each; more than one where sources differ.
        is_personal: whether it is about a person.
        is_required: whether it is never empty.
        is_key: whether it is part of the key.
        note: more about it.
        codes: the values it may have.
        source: the source's own column, of raw tables.
        origins: columns it is made from.
        readers: columns made from it.
        treatments: by role, what a reader gets of it.
    """

    name: str
    label: Words
    data_type: str
    unit: str
    classes: tuple[Words, ...]
    is_personal: bool = False
    is_required: bool = False
    is_key: bool = False
    note: str = ""
    codes: tuple[Code, ...] = ()
    source: str = ""
    origins: tuple[Link, ...] = ()
    readers: tuple[Link, ...] = ()
    treatments: tuple[tuple[Words, Treatment], ...] = ()


@dataclass(frozen=True)
class DictionaryTable:
    """One table.

    Attributes:
        name: also the name of its page.
        layer: raw, staging, intermediate, marts, regulatory, ops.
        label: what it is.
        description: what it is for, and what one row is.
        group: the system of a raw table, the owner's group of a model.
        domain: 分类 of a raw table, the layer's domain otherwise.
        facts: further facts, each a name and a value.
        columns: in their order.
        parents: tables it is made from.
        children: tables made from it.
    """

    name: str
    layer: str
    label: Words
    description: Words
    group: Words
    domain: Words
    facts: tuple[tuple[Words, str], ...]
    columns: tuple[DictionaryColumn, ...]
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dictionary:
    """Everything on the site.

    Attributes:
        tables: every table.
        schemes: what category and grade mean and where that is laid down, a paragraph each.
    """

    tables: tuple[DictionaryTable, ...]
    schemes: tuple[Words, ...] = field(default=())
