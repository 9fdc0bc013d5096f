"""Every fault of the contracts, told at once: of the product, of a site's own systems, or of one path.

What needs the files of one folder alone is found by the loader; here come the rules between contracts, and
what changed since the last release.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.consistency import dangling_references
from contracts.errors import ContractError
from contracts.loading import CONTRACT_SUFFIX, load_contract
from contracts.model import Contract
from contracts.released import version_faults
from ingestion.errors import RegistryError
from ingestion.registry import PRODUCT_SYSTEMS, discover_systems
from orchestration.site import SettingsError


@dataclass(frozen=True)
class CheckReport:
    """How many contracts were looked at, and what is wrong, one sentence each with file and line."""

    contracts: int
    faults: tuple[str, ...]


def check_contracts(path: Path | None, site_dir: Path | None) -> CheckReport:
    """What is wrong with the contracts at `path`, else with those of the product and of the site.

    Args:
        path: one contract, one system's folder, or a folder of systems.
        site_dir: the site whose own systems belong to it; None where there is none.

    Raises:
        SettingsError: there is nothing at the path.
    """
    if path is not None and not path.exists():
        msg = f"{path}: no such file or folder; give a contract (*{CONTRACT_SUFFIX}) or a folder of systems"
        raise SettingsError(msg)
    own = [site_dir / "systems"] if site_dir is not None else []
    everything, elsewhere = _contracts_in([PRODUCT_SYSTEMS, *own])
    if path is None:
        found, faults = everything, elsewhere
    else:
        found, faults = _contracts_at(path.resolve())
    told = [*faults, *map(str, dangling_references(found, [*found, *everything]))]
    told += map(str, version_faults(found))
    return CheckReport(len(found), tuple(dict.fromkeys(told)))


def _contracts_at(path: Path) -> tuple[list[Contract], list[str]]:
    if path.is_dir():
        is_system = any(path.glob(f"*{CONTRACT_SUFFIX}")) or (path / "system.yml").exists()
        found, faults = _contracts_in([path.parent if is_system else path])
        if is_system:
            found = [contract for contract in found if contract.path and contract.path.parent == path]
            faults = [fault for fault in faults if fault.startswith(str(path))]
        return found, faults
    try:
        return [load_contract(path)], []
    except ContractError as error:
        return [], [str(fault) for fault in error.faults]


def _contracts_in(roots: list[Path]) -> tuple[list[Contract], list[str]]:
    """The sound systems' contracts below these folders, and every fault of the others."""
    found: list[Contract] = []
    try:
        found = [contract for system in discover_systems(*roots) for contract in system.tables]
    except RegistryError as error:
        return _sound(roots), list(error.faults)
    return found, []


def _sound(roots: list[Path]) -> list[Contract]:
    """What can be read where something cannot: the other rules are still tried on it."""
    contracts = []
    for path in (path for root in roots for path in sorted(root.rglob(f"*{CONTRACT_SUFFIX}"))):
        try:
            contracts.append(load_contract(path))
        except ContractError:
            continue
    return contracts
