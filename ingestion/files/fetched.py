"""What was fetched from a remote folder before: each version of a file once, also after a sudden end."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RemoteFile:
    """One version of a file as the server lists it; the time is in whole seconds."""

    name: str
    size: int
    modified_s: int


@dataclass
class FetchLedger:
    """The last version taken of each name, with the hash of its bytes; kept in one small file."""

    path: Path
    taken: dict[str, dict[str, object]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> FetchLedger:
        """The ledger as it was left."""
        return cls(path, json.loads(path.read_text(encoding="ascii")) if path.exists() else {})

    def has(self, file: RemoteFile) -> bool:
        """Whether this very version was taken: name, size and time."""
        found = self.taken.get(file.name)
        return found is not None and asdict(file).items() <= found.items()

    def hash_of(self, name: str) -> object:
        """The hash of what was last taken under this name; None where nothing was."""
        return self.taken.get(name, {}).get("sha256")

    def note(self, file: RemoteFile, sha256: str) -> None:
        """Remember a version; durable once this returns."""
        self.taken[file.name] = {**asdict(file), "sha256": sha256}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        with unfinished.open("w", encoding="ascii") as target:
            json.dump(self.taken, target)  # letters beyond ASCII escaped: a name may be no UTF-8
            target.flush()
            os.fsync(target.fileno())
        unfinished.replace(self.path)
