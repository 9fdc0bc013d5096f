"""A collector that dies at one exact step: `python -m tests.fakes.kill_at_step FILE STEP COUNT CONFIG`.

It is the real collector; only the calls that reach the disk are watched, and at the chosen one the process
is killed as `kill -9` does: nothing is flushed, closed or told.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from ingestion.collector import run, sealing

FILES = ("payload", "manifest", "marks", "sent", "dropped payload", "dropped manifest")
# Of one file written durably, in order; `write` leaves half of it.
STEPS = ("write", "before fsync", "before rename", "after rename", "after fsync of the folder")
_SEGMENT = re.compile(r"\d{12}\.(?P<suffix>\w+)")
_fsync, _open, _replace = os.fsync, Path.open, Path.replace


class Killer:
    """Counts the passes through one step of one kind of file and kills the process at the chosen one."""

    def __init__(self, file: str, step: str, count: int) -> None:
        self._wanted = (file, step)
        self._left = count
        self._paths: dict[int, str] = {}
        self._folder_kind: str | None = None

    def passes(self, kind: str | None, step: str) -> bool:
        """Whether this is the pass to die at."""
        if (kind, step) == self._wanted:
            self._left -= 1
        return (kind, step) == self._wanted and self._left == 0

    def die_at(self, kind: str | None, step: str) -> None:
        """Die if this is the pass."""
        if self.passes(kind, step):
            os.kill(os.getpid(), signal.SIGKILL)

    def open(self, path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """Path.open, with a torn write where one is due."""
        kind = kind_of(path)
        if mode != "wb" or kind is None:
            return _open(path, mode, *args, **kwargs)
        file = _Watched(path, lambda: self.passes(kind, "write"))
        self._paths[file.fileno()] = kind
        return file

    def fsync(self, descriptor: int) -> None:
        """os.fsync of a file, or of the folder after the rename."""
        kind = self._paths.pop(descriptor, None)
        if kind is not None:
            self.die_at(kind, "before fsync")
        _fsync(descriptor)
        if kind is None and self._folder_kind is not None:
            self.die_at(self._folder_kind, "after fsync of the folder")
            self._folder_kind = None

    def replace(self, path: Path, target: Path) -> Path:
        """Path.replace of a temporary file."""
        kind = kind_of(path)
        self.die_at(kind, "before rename")
        renamed = _replace(path, target)
        self.die_at(kind, "after rename")
        self._folder_kind = kind
        return cast("Path", renamed)


class _Watched(io.BufferedWriter):
    def __init__(self, path: Path, is_torn: Callable[[], bool]) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._is_torn = is_torn

    def write(self, content: Any) -> int:
        if self._is_torn():
            super().write(content[: len(content) // 2])
            self.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(content)


def kind_of(path: Path) -> str | None:
    """Which of `FILES` a path or its temporary name is of; None: another."""
    name = path.name.removeprefix(".").removesuffix(".tmp")
    if name in ("marks.json", "sent.json"):
        return name.removesuffix(".json")
    segment = _SEGMENT.fullmatch(name)
    if segment is None:
        return None
    kind = "manifest" if segment["suffix"] == "json" else "payload"
    return f"dropped {kind}" if "drop" in path.parts else kind


def main() -> None:
    """Watch and run."""
    file, step, count, config = sys.argv[1:]
    killer = Killer(file, step, int(count))
    os.fsync = killer.fsync
    Path.open = lambda path, *args, **kwargs: killer.open(path, *args, **kwargs)  # type: ignore[method-assign]
    Path.replace = lambda path, target: killer.replace(path, target)  # type: ignore[method-assign]
    sealing.CHECKPOINT_EVERY = 3
    run.main(Path(config))


if __name__ == "__main__":
    main()
