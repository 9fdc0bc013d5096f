"""What was last released of a system's contracts, kept beside them in `released.json`.

A contract that was released promises something to readers; what changed since must show in its version.
`chemlink contract release` writes the file, never a person; a contract that is not in it may change freely.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from contracts.changes import ChangeClass, demanded_version, place_of, version_parts, worst
from contracts.comparison import compare
from contracts.documents import Place, read_document
from contracts.errors import Fault
from contracts.model import Code, Column, Contract, ExtractMode

RELEASED_FILE = "released.json"


def released_contracts(folder: Path) -> dict[str, Contract]:
    """The last released contracts of the system in `folder`, by id; none before the first release."""
    path = folder / RELEASED_FILE
    if not path.is_file():
        return {}
    found = (_restored(entry) for entry in json.loads(path.read_text(encoding="utf-8")))
    return {contract.contract_id: contract for contract in found}


def write_released(contracts: Iterable[Contract]) -> list[Path]:
    """Make these contracts the released ones; the files that changed."""
    by_folder: dict[Path, list[Contract]] = defaultdict(list)
    for contract in contracts:
        assert contract.path is not None, "released contracts are files"
        by_folder[contract.path.parent].append(contract)
    written = []
    for folder, found in sorted(by_folder.items()):
        path, text = folder / RELEASED_FILE, _text(found)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def version_faults(contracts: Iterable[Contract]) -> list[Fault]:
    """A fault for each contract that changed since its release without the version that demands.

    A released contract that is gone is a fault as well: whoever reads its table is left without notice.
    """
    faults: list[Fault] = []
    released: dict[Path, dict[str, Contract]] = {}
    present: dict[Path, set[str]] = defaultdict(set)
    for contract in contracts:
        assert contract.path is not None, "contracts come from files"
        folder = contract.path.parent
        known = released.setdefault(folder, released_contracts(folder))
        present[folder].add(contract.contract_id)
        if contract.contract_id in known:
            faults += _version_fault(known[contract.contract_id], contract)
    for folder, known in released.items():
        faults += [
            Fault(folder / RELEASED_FILE, None, f"{name} was released and its file is gone; put it back")
            for name in sorted(set(known) - present[folder])
        ]
    return faults


def _version_fault(released: Contract, contract: Contract) -> list[Fault]:
    assert contract.path is not None, "the caller has checked it"
    changes = compare(released, contract)
    kind = worst(changes)
    try:
        found, wanted = version_parts(contract.version), demanded_version(released.version, kind)
    except ValueError as error:
        return [_fault(contract, ("version",), str(error))]
    if kind is ChangeClass.NONE or found >= version_parts(wanted):
        return []
    faults = [
        _fault(
            contract,
            ("version",),
            f"{contract.contract_id} changed since its release as {released.version} ({kind.label}) and is "
            f"{contract.version}; make it {wanted} 版本号应为 {wanted}",
        )
    ]
    gravest = [change for change in changes if change.kind is kind]
    return faults + [_fault(contract, place_of(change, contract), str(change)) for change in gravest]


def _fault(contract: Contract, place: Place, message: str) -> Fault:
    assert contract.path is not None, "the caller has checked it"
    document, _ = read_document(contract.path)
    return Fault(contract.path, document.line(place) if document else None, message)


def _text(contracts: Iterable[Contract]) -> str:
    """One line a column, so that a change of one column is a change of one line."""
    entries = []
    for contract in sorted(contracts, key=lambda found: found.contract_id):
        plain = asdict(contract)
        plain.pop("path")
        columns = ",\n".join(_line(column) for column in plain.pop("columns"))
        head = _line(plain)
        entries.append(f'{head[:-1]}, "columns": [\n{columns}\n]}}')
    return "[\n" + ",\n".join(entries) + "\n]\n"


def _line(value: dict[str, Any]) -> str:
    kept = {name: item for name, item in value.items() if not _is_default(item)}
    return json.dumps(kept, ensure_ascii=False)


def _is_default(item: Any) -> bool:
    return item is None or item is False or item in ("", ())  # a minimum of 0 is none of these


def _restored(entry: dict[str, Any]) -> Contract:
    """A contract of the file; fields that came with a later version of ours have their defaults."""
    known = {field.name for field in fields(Contract)}
    values = {name: value for name, value in entry.items() if name in known}
    values["mode"] = ExtractMode(values["mode"])
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    values["columns"] = tuple(map(_restored_column, entry["columns"]))
    values = {"description": "", "grain": "", "owner": "", "source_name": ""} | values
    return Contract(**values)


def _restored_column(entry: dict[str, Any]) -> Column:
    known = {field.name for field in fields(Column)}
    values = {name: value for name, value in entry.items() if name in known}
    values["codes"] = tuple(
        Code(code["value"], code["label_zh"], code["label_en"]) for code in entry.get("codes", ())
    )
    return Column(**values)
