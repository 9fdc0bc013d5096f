"""Reading contract files: strict, and every fault of every file told at once.

Where the Open Data Contract Standard has a place for a thing, that place is used: labels are `businessName`
(English) and a synonym of locale `zh-CN`, the owner is `team.name`, cadence and retention are
`slaProperties`, clauses are `authoritativeDefinitions` of type `clause`, code lists are `enum`, ranges are
`logicalTypeOptions`, the source's names are `physicalName`. What the standard lacks is a custom property,
listed in `fields.py`.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

from open_data_contract_standard.model import OpenDataContractStandard

from contracts.columns import read_column
from contracts.documents import read_document
from contracts.errors import ContractError, Fault
from contracts.fields import (
    CATEGORY_ENGLISH,
    CATEGORY_LABELS,
    PERIOD_SECONDS,
    TABLE_PROPERTIES,
    FaultList,
    chinese_label,
    custom_properties,
)
from contracts.model import Contract, ExtractMode
from contracts.placeholders import is_placeholder, placeholder_faults
from contracts.standard import parse, standard_faults
from contracts.table_rules import TABLE_PLACE, check_whole

CONTRACT_SUFFIX = ".odcs.yaml"


def load_contract(path: Path) -> Contract:
    """The contract of one file.

    Raises:
        ContractError: the file breaks the standard or our rules; every fault is listed with its line.
    """
    contract, faults = _load(path)
    if contract is None or faults:
        raise ContractError(faults)
    return contract


def read_as_it_is(path: Path) -> Contract | None:
    """The contract of one file for comparison, though it may break rules that came after it."""
    document, _ = read_document(path)
    odcs = parse(document)[0] if document is not None else None
    return _interpret(odcs, FaultList(document)) if document is not None and odcs is not None else None


def load_contracts(root: Path) -> tuple[Contract, ...]:
    """Every contract below `root` (files `*.odcs.yaml` at any depth), ordered by system and table.

    Raises:
        ContractError: a file is faulty or two files describe the same table; every fault is told.
    """
    faults: list[Fault] = []
    contracts: list[Contract] = []
    for path in sorted(root.rglob(f"*{CONTRACT_SUFFIX}")):
        contract, found = _load(path)
        faults += found
        if contract is not None:
            contracts.append(contract)
    faults += _duplicates(contracts)
    if faults:
        raise ContractError(faults)
    return tuple(sorted(contracts, key=lambda contract: (contract.system_id, contract.table)))


def _duplicates(contracts: list[Contract]) -> list[Fault]:
    counts = Counter(contract.name for contract in contracts)
    return [
        Fault(contract.path, None, f"{contract.name} is described by {counts[contract.name]} files; keep one")
        for contract in contracts
        if counts[contract.name] > 1 and contract.path is not None
    ]


def _load(path: Path) -> tuple[Contract | None, list[Fault]]:
    """The contract of a file, interpreted again only when the file has changed."""
    try:
        status = path.stat()
    except OSError:
        return _interpret_file(path)
    contract, faults = _load_version(path, status.st_mtime_ns, status.st_size)
    return contract, list(faults)


@lru_cache(maxsize=512)
def _load_version(path: Path, _mtime_ns: int, _size: int) -> tuple[Contract | None, tuple[Fault, ...]]:
    contract, faults = _interpret_file(path)
    return contract, tuple(faults)


def _interpret_file(path: Path) -> tuple[Contract | None, list[Fault]]:
    document, faults = read_document(path)
    if document is None:
        return None, faults
    faults += standard_faults(document)
    odcs, found = parse(document)
    faults += [] if faults else found  # the same departures, in the model's words
    faults += placeholder_faults(document)
    if odcs is None:
        return None, faults
    # Our own rules are tried even where the standard is broken, so that one reading tells everything.
    problems = FaultList(document)
    contract = _interpret(odcs, problems)
    faults += problems.faults
    return (None if faults else contract), faults


def _interpret(odcs: OpenDataContractStandard, problems: FaultList) -> Contract | None:
    """The contract, or None where the table itself is missing; every other fault is noted in `problems`."""
    if odcs.schema_ is None or len(odcs.schema_) != 1:
        problems.add(("schema",), f"expected exactly one table, found {len(odcs.schema_ or [])}")
        return None
    table = odcs.schema_[0]
    properties = custom_properties(table.customProperties, TABLE_PROPERTIES, TABLE_PLACE, problems)
    category = _category(odcs.domain, problems)
    columns = tuple(
        read_column(column, category, (*TABLE_PLACE, "properties", index), problems)
        for index, column in enumerate(table.properties or [])
    )
    contract = Contract(
        system_id=problems.required(odcs.dataProduct, ("dataProduct",), "the system id"),
        table=table.name or "",
        version=odcs.version or "",
        label_zh=chinese_label(table, TABLE_PLACE, problems),
        label_en=problems.required(table.businessName, (*TABLE_PLACE, "businessName"), "the English label"),
        description=problems.required(
            table.description, (*TABLE_PLACE, "description"), "what the table is for"
        ),
        grain=problems.required(
            table.dataGranularityDescription, (*TABLE_PLACE, "dataGranularityDescription"), "what one row is"
        ),
        owner=problems.required(getattr(odcs.team, "name", None), ("team", "name"), "the owner"),
        category=category,
        mode=_mode(properties.get("extractMode"), problems),
        columns=columns,
        cadence_s=_service_level(odcs, "frequency", problems),
        retention_days=_service_level(odcs, "retention", problems) // PERIOD_SECONDS["d"],
        source_name=table.physicalName or table.name or "",
        clauses=tuple(d.url or "" for d in odcs.authoritativeDefinitions or [] if d.type == "clause"),
        cursor=properties.get("cursorColumn"),
        overlap=int(properties.get("cursorOverlap", 0)),
        operation=properties.get("operationColumn"),
        delete_codes=tuple(str(code) for code in properties.get("deleteCodes", ())),
        least_share=properties.get("leastShare", Contract.least_share),
        mass_balance_tolerance_pct=properties.get("massBalanceTolerancePct"),
        path=problems.document.path,
    )
    check_whole(contract, odcs.id, problems)
    return contract


def _category(found: str | None, problems: FaultList) -> str:
    category = found or ""
    if category not in CATEGORY_ENGLISH and not is_placeholder(category):
        problems.add(("domain",), f"expected one of {CATEGORY_LABELS} (category of 7.2.2 a), found {found!r}")
    return category


def _mode(found: object, problems: FaultList) -> ExtractMode:
    try:
        return ExtractMode(str(found))
    except ValueError:
        modes = [mode.value for mode in ExtractMode]
        problems.add(TABLE_PLACE, f"customProperty extractMode: expected one of {modes}, found {found!r}")
        return ExtractMode.FULL


def _service_level(odcs: OpenDataContractStandard, name: str, problems: FaultList) -> int:
    """The period of a service level in seconds; its absence or an unknown unit is a fault."""
    for index, level in enumerate(odcs.slaProperties or []):
        if level.property == name and is_placeholder(level.value):
            return 0  # told as what it is
        if level.property == name:
            unit_s = PERIOD_SECONDS.get(level.unit or "")
            if unit_s is None or not isinstance(level.value, int):
                units = sorted(PERIOD_SECONDS)
                found = f"{level.value!r} {level.unit!r}"
                problems.add(
                    ("slaProperties", index), f"{name}: expected a whole number of {units}, found {found}"
                )
                return 0
            return level.value * unit_s
    problems.add(("slaProperties",), f"no {name}; add {{property: {name}, value: …, unit: …}}")
    return 0
