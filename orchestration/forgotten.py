"""What a system of the product still lacks beyond its contracts: each forgotten piece by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from contracts.model import Contract, ExtractMode
from ingestion.registry import QUARANTINE, SystemSpec
from orchestration.location import DBT_PROJECT

STAGING = DBT_PROJECT / "models" / "staging"


def forgotten_pieces(systems: Iterable[SystemSpec], staging: Path = STAGING) -> list[str]:
    """One sentence for each piece that is missing, with the file that should be written.

    Tables of streams are read by models of many systems, and refused rows by people: they need no model.
    """
    return [piece for system in systems for piece in _of_system(system, staging)]


def _of_system(system: SystemSpec, staging: Path) -> Iterator[str]:
    quirks = system.folder / "quirks.md"
    if not quirks.is_file():
        yield f"{quirks}: missing; say what is odd about the source 缺少来源说明"
    for contract in system.tables:
        if not contract.clauses:
            yield f"{contract.path}: names no clause; add authoritativeDefinitions of type clause 缺少条款"
        if _needs_model(contract):
            name = f"stg_{contract.system_id}__{contract.table}"
            for path in (staging / f"{name}.sql", staging / f"{name}.yml"):
                if not path.is_file():
                    yield f"{path}: missing; {contract.name} has no staging model 缺少整理层模型"


def _needs_model(contract: Contract) -> bool:
    return contract.mode is not ExtractMode.STREAM and contract.table != QUARANTINE
