"""The permitted values of columns that refer to a register of the site, read from the register itself."""

from __future__ import annotations

from pathlib import Path

from contracts.model import Contract
from ingestion.connectors.register import read_register
from ingestion.errors import PermanentError
from ingestion.registry import load_registry


def registered_values(contract: Contract, site_dir: Path) -> dict[str, frozenset[str]]:
    """The values by column; nothing for columns that refer to no register.

    Raises:
        PermanentError: the site lacks the system of a register, or the register cannot be read.
    """
    referring = {column.name: column.references for column in contract.columns if column.references}
    if not referring:
        return {}
    systems = {system.system_id: system for system in load_registry(site_dir)}
    known = {}
    for name, reference in referring.items():
        system_id, table, column = reference.split(".")
        if system_id not in systems:
            msg = f"{contract.name}.{name} refers to {reference}, but the site has no system {system_id!r}"
            raise PermanentError(msg)
        register = systems[system_id].contract(table)
        rows = read_register(site_dir / register.source_name, register)
        known[name] = frozenset(rows[column].to_pylist())
    return known
