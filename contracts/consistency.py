"""Rules between contracts: a reference leads to a column that exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.documents import read_document
from contracts.errors import Fault
from contracts.model import Contract

_REFERENCE_STEPS = 3  # <system>.<table>.<column>


def dangling_references(contracts: Iterable[Contract], known: Iterable[Contract]) -> list[Fault]:
    """A fault for each column of `contracts` that refers to a column which none of `known` has."""
    columns = {f"{contract.contract_id}.{column.name}" for contract in known for column in contract.columns}
    return [fault for contract in contracts for fault in _dangling(contract, columns)]


def _dangling(contract: Contract, columns: set[str]) -> Iterator[Fault]:
    for index, column in enumerate(contract.columns):
        if column.references is None or column.references in columns:
            continue
        steps = column.references.split(".")
        table = ".".join(steps[: _REFERENCE_STEPS - 1])
        there = sorted(name for name in columns if name.startswith(f"{table}."))
        expected = f"one of {there}" if there else "<system>.<table>.<column> of a contract that exists"
        message = f"{column.name}: references {column.references!r} leads nowhere; expected {expected}"
        yield column_fault(contract, index, message)


def column_fault(contract: Contract, index: int, message: str) -> Fault:
    """A fault at the line of one of the contract's columns."""
    assert contract.path is not None, "the contract was loaded from a file"
    document, _ = read_document(contract.path)
    place = ("schema", 0, "properties", index)
    return Fault(contract.path, document.line(place) if document else None, message)
