"""The dictionary site: raw tables from contracts, models from dbt's manifest, lineage from compiled SQL."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.access import DataClass, Role, load_roles
from contracts.arrow import arrow_type
from contracts.dictionary_data import Dictionary, DictionaryColumn, DictionaryTable, Link, Words
from contracts.dictionary_pages import render_site
from contracts.fields import CATEGORY_ENGLISH, GRADES
from contracts.model import Column, Contract
from contracts.vocabulary import category_scheme, grade_scheme, units
from ingestion.registry import PRODUCT_SYSTEMS, SystemSpec, discover_systems
from orchestration.column_lineage import Lineage
from orchestration.data_classes import Classes, classes_of
from orchestration.dbt_manifest import ManifestError
from orchestration.dbt_translator import layer_of
from orchestration.location import DBT_PROJECT
from orchestration.settings import silent_environment

TARGET = DBT_PROJECT / "target" / "dictionary"
_NUMERIC = re.compile(r"int|double|decimal|float|numeric|real", re.IGNORECASE)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_MARK = {"verified": Words("已核对原文", "verified"), "memory": Words("待核对原文", "to be verified")}


def compile_models(target: Path = TARGET) -> Path:
    """Compile every model into `target`, so that its SQL can be followed; no table is opened.

    Raises:
        ManifestError: dbt found the project wrong.
    """
    target.mkdir(parents=True, exist_ok=True)
    places = {
        "CHEMLINK_LAKE": "lake",
        "CHEMLINK_CODE": str(DBT_PROJECT.parent),
        "CHEMLINK_BUILD_DB": str(target / "empty.duckdb"),
    }
    command = [sys.executable, "-m", "dbt.cli.main", "compile", "--project-dir", ".", "--profiles-dir", "."]
    done = subprocess.run(
        [*command, "--target-path", str(target), "--log-path", str(target)],
        cwd=DBT_PROJECT,
        env=silent_environment(places),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"dbt compile failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
        raise ManifestError(msg)
    return target


def write_site(
    folder: Path,
    manifest: Mapping[str, Any],
    lineage: Mapping[tuple[str, str], Lineage],
    site_dir: Path | None,
) -> int:
    """Write the site and remove pages of tables that are no more; how many tables it describes."""
    roots = [PRODUCT_SYSTEMS, *([site_dir / "systems"] if site_dir else [])]
    dictionary = build_dictionary(discover_systems(*roots), manifest, lineage, load_roles(site_dir))
    written = set()
    for name, text in render_site(dictionary):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.add(path)
    for path in (*folder.glob("zh/*.html"), *folder.glob("en/*.html")):
        if path not in written:
            path.unlink()
    return len(dictionary.tables)


def build_dictionary(
    systems: Sequence[SystemSpec],
    manifest: Mapping[str, Any],
    lineage: Mapping[tuple[str, str], Lineage],
    roles: Sequence[Role],
) -> Dictionary:
    """Everything that the site shows."""
    contracts = [contract for system in systems for contract in system.tables]
    classes = classes_of(contracts, manifest, lineage)
    readers: dict[Link, list[Link]] = defaultdict(list)
    for (_, model), columns in sorted(lineage.items()):
        for name, made_from in columns.items():
            for _, table, column in made_from:
                readers[Link(table, column)].append(Link(model, name))
    nodes = {**manifest["nodes"], **manifest["sources"]}
    children: dict[str, list[str]] = defaultdict(list)
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    for node in models:
        for parent in node["depends_on"]["nodes"]:
            if parent in nodes:
                children[nodes[parent]["name"]].append(node["name"])
    tables = [
        _raw_table(system, contract, readers, children, roles)
        for system in systems
        for contract in system.tables
    ]
    for node in models:
        origins = lineage.get((layer_of(node), node["name"]), {})
        parents = [nodes[name]["name"] for name in node["depends_on"]["nodes"] if name in nodes]
        known = classes.get(node["name"], {})
        tables.append(_model(node, known, origins, readers, parents, children[node["name"]], roles))
    return Dictionary(tuple(sorted(tables, key=lambda table: table.name)), tuple(_schemes()))


def _schemes() -> Iterable[Words]:
    for scheme in (category_scheme(), grade_scheme()):
        mark = _MARK[scheme.mark]
        yield Words(
            f"{scheme.label_zh}依据：《{scheme.title_zh}》（{scheme.document}，{mark.zh}）：{'、'.join(scheme.values)}",
            f"{scheme.label_en}: {scheme.title_en} ({scheme.document}, {mark.en}): "
            f"{', '.join(scheme.values.values())}",
        )


def _raw_table(
    system: SystemSpec,
    contract: Contract,
    readers: Mapping[Link, Sequence[Link]],
    children: Mapping[str, Sequence[str]],
    roles: Sequence[Role],
) -> DictionaryTable:
    facts = (
        (Words("一行", "One row"), contract.grain),
        (Words("责任部门", "Owner"), contract.owner),
        (Words("读取方式", "Read by"), contract.mode.value),
        (Words("周期", "Cadence"), f"{contract.cadence_s} s"),
        (Words("保存期限", "Kept for"), f"{contract.retention_days} d"),
        (Words("主键", "Key"), ", ".join(contract.primary_key)),
        (Words("条款", "Clauses"), ", ".join(contract.clauses)),
        (Words("合同版本", "Contract version"), contract.version),
    )
    columns = tuple(
        _raw_column(contract, column, tuple(readers.get(Link(contract.name, column.name), ())), roles)
        for column in contract.columns
    )
    return DictionaryTable(
        name=contract.name,
        layer="raw",
        label=Words(contract.label_zh, contract.label_en),
        description=Words(contract.description, contract.description),
        group=Words(f"{system.label_zh} {system.system_id}", f"{system.label_en} ({system.system_id})"),
        domain=Words(contract.category, CATEGORY_ENGLISH[contract.category]),
        facts=facts,
        columns=columns,
        children=tuple(sorted(set(children.get(contract.name, ())))),
    )


def _raw_column(
    contract: Contract, column: Column, readers: tuple[Link, ...], roles: Sequence[Role]
) -> DictionaryColumn:
    classes = frozenset({DataClass(column.category, column.grade, column.is_personal)})
    return DictionaryColumn(
        name=column.name,
        label=Words(column.label_zh, column.label_en),
        data_type=str(arrow_type(column)),
        unit=_unit_text(column.unit)
        if column.unit
        else (f"→ {column.unit_column}" if column.unit_column else ""),
        is_required=column.required,
        is_key=column.key_position is not None,
        note=column.description,
        codes=column.codes,
        source=f"{contract.system_id}: {contract.source_name}.{column.source_name}",
        readers=readers,
        **_seen(classes, roles),
    )


def _model(
    node: Mapping[str, Any],
    classes: Mapping[str, Classes],
    origins: Lineage,
    readers: Mapping[Link, Sequence[Link]],
    parents: Sequence[str],
    children: Sequence[str],
    roles: Sequence[Role],
) -> DictionaryTable:
    name = node["name"]
    description = split_words(node["description"])
    group = (node.get("group") or node["config"].get("group") or layer_of(node)).capitalize()
    columns = tuple(
        DictionaryColumn(
            name=column,
            label=split_words(found["description"]),
            data_type=found.get("data_type") or "",
            unit=_unit_of_name(column, found.get("data_type") or ""),
            origins=tuple(Link(table, source) for _, table, source in origins.get(column, ())),
            readers=tuple(readers.get(Link(name, column), ())),
            **_seen(classes.get(column, frozenset()), roles),
        )
        for column, found in node["columns"].items()
    )
    domains = sorted({entry.category for found in classes.values() for entry in found})
    english = ", ".join(CATEGORY_ENGLISH[category] for category in domains)
    return DictionaryTable(
        name=name,
        layer=layer_of(node),
        label=Words(description.zh.split("。")[0] or name, name),
        description=description,
        group=Words(f"模型 {group}", f"Models: {group}"),
        domain=Words("、".join(domains) or "参照数据", english or "reference data"),
        facts=((Words("责任部门", "Owner"), str(node["config"].get("meta", {}).get("owner", ""))),),
        columns=columns,
        parents=tuple(sorted(set(parents))),
        children=tuple(sorted(set(children))),
    )


def _seen(classes: Classes, roles: Sequence[Role]) -> dict[str, Any]:
    """Category and grade in words, and what each role gets; what has no source is general."""
    listed = sorted({(entry.category, entry.grade) for entry in classes})
    words = [Words(f"{a} · {b}", f"{CATEGORY_ENGLISH[a]} · {GRADES[b]}") for a, b in listed]
    return {
        "classes": tuple(words) or (Words("平台生成 · 一般", "made here · general"),),
        "is_personal": any(entry.is_personal for entry in classes),
        "treatments": tuple((Words(role.label_zh, role.label_en), role.treatment(classes)) for role in roles),
    }


def _unit_text(unit_id: str) -> str:
    unit = units()[unit_id]
    return f"{unit_id} {unit.label_zh} {unit.label_en}"


def _unit_of_name(column: str, data_type: str) -> str:
    """The unit that a number's name ends in; the longest ending wins."""
    if not _NUMERIC.search(data_type):
        return ""
    fitting = [unit for unit in units().values() if unit.suffix and column.endswith(unit.suffix)]
    return _unit_text(max(fitting, key=lambda unit: len(unit.suffix)).unit_id) if fitting else ""


def split_words(text: str) -> Words:
    """The two languages of a description, whichever comes first of `English / 中文`."""
    first, separator, second = text.partition(" / ")
    if not separator:
        return Words(text, text)
    return (
        Words(first, second)
        if _CHINESE.search(first) and not _CHINESE.search(second)
        else Words(second, first)
    )
