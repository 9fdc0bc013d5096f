"""What can go wrong while data comes in; whether trying again helps is the type.

IngestionError
├── PermanentError             the same call will fail again until someone acts
│   ├── RegistryError          system files that cannot be used
│   ├── ContractBreachError    the source no longer is what its contract says
│   ├── ShrunkenSourceError    far fewer rows than last time: a truncated source must not delete ours
│   └── RefusedFileError       a workbook that cannot or must not be read
└── TransientError             the same call may succeed later
    └── SourceUnavailableError the source did not answer
"""

from __future__ import annotations

from collections.abc import Sequence


class IngestionError(Exception):
    """Root of every error of bringing data in."""


class PermanentError(IngestionError):
    """The same call will fail again until someone changes something."""


class TransientError(IngestionError):
    """The same call may succeed later."""


class RegistryError(PermanentError):
    """System files that cannot be used; `faults` has one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"loading systems: {len(self.faults)} fault(s); correct and load again\n{listed}")


class ContractBreachError(PermanentError):
    """The source no longer is what its contract says; nothing of the extract landed."""

    def __init__(self, table: str, problems: Sequence[str]) -> None:
        self.table = table
        self.problems = tuple(problems)
        super().__init__(
            f"{table}: {len(self.problems)} breach(es) of the contract, nothing landed: "
            f"{'; '.join(self.problems)}. Correct the source, or change the contract and raise its version."
        )


class ShrunkenSourceError(PermanentError):
    """The source has far fewer rows than the last extract saw."""

    def __init__(self, table: str, *, found: int, last: int, least_share: float) -> None:
        self.table = table
        self.found = found
        self.last = last
        super().__init__(
            f"{table}: the source has {found} row(s), the last extract left {last}; expected at least "
            f"{least_share:.0%} of it. A truncated source would delete our rows, so nothing landed. If they "
            f"are truly gone, say so once: chemlink extract {table} --accept-shrink"
        )


class RefusedFileError(PermanentError):
    """A file that cannot or must not be read, with the reason in both languages."""

    def __init__(self, reason_zh: str, reason_en: str) -> None:
        self.reason_zh = reason_zh
        self.reason_en = reason_en
        super().__init__(f"{reason_en} / {reason_zh}")


class SourceUnavailableError(TransientError):
    """The source did not answer."""
