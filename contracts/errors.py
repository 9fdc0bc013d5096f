"""Faults of contract files, told all together.

ContractError  one or more `Fault`s, each with its file and line
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with one contract file."""

    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.message}"


class ContractError(ValueError):
    """Contract files that cannot be used; `faults` holds every fault that was found."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(set(faults), key=lambda fault: (str(fault.path), fault.line or 0, fault.message))
        listed = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(
            f"loading contracts: {len(self.faults)} fault(s); correct the files and load again\n{listed}"
        )
