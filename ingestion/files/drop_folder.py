"""Where files are dropped, and where they go: `drop/<system>/inbox`, `done` and `quarantine` of the site.

A file is taken once it is whole: renamed to its real name, no longer growing, and with its marker where one
is asked for. What was taken keeps its name with the first letters of its hash, so that two files of one name
stay apart and the same file is known again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion.connectors.workbook_archive import inbox_files
from ingestion.connectors.workbook_file import WorkbookFile, read_workbook_file, readable_name
from ingestion.context import ExtractContext
from ingestion.errors import RefusedFileError
from ingestion.files.layout import TableLayout
from ingestion.files.opening import MAX_FILE_BYTES

MARKER = ".ok"
_LONGEST_STEM = 180  # bytes; what is told of a file has a longer name still
_LONGEST_ENDING = 10
_PROBE = ".chemlink-clock"


@dataclass(frozen=True)
class DropFolder:
    """The three folders of one system."""

    inbox: Path
    done: Path
    quarantine: Path

    @classmethod
    def of(cls, system_id: str, context: ExtractContext) -> DropFolder:
        """The folders of a system of this site; made where they are missing."""
        root = context.site_dir / "drop" / system_id
        folder = cls(root / "inbox", root / "done", root / "quarantine")
        for path in (folder.inbox, folder.done, folder.quarantine):
            path.mkdir(parents=True, exist_ok=True)
        return folder

    def taken_before(self, file: WorkbookFile) -> str | None:
        """The name under which the same bytes were taken before, or None."""
        names = sorted(path.name for path in self.done.glob(f"*.{_mark(file)}.*"))
        return names[0] if names else None

    def finish(self, file: WorkbookFile, path: Path, *, is_refused: bool) -> Path:
        """Move a file out of the inbox, unless it was replaced meanwhile."""
        target = (self.quarantine if is_refused else self.done) / kept_name(file)
        if path.is_file() and read_workbook_file(path, most=MAX_FILE_BYTES).sha256 == file.sha256:
            os.replace(path, target)  # noqa: PTH105  (whole or not at all, also over an earlier one)
        marker = path.with_name(path.name + MARKER)
        marker.unlink(missing_ok=True)
        return target

    def tell(self, file: WorkbookFile, ending: str, content: bytes) -> Path:
        """Write what is to be said of a file into the quarantine folder, whole or not at all."""
        path = self.quarantine / f"{kept_name(file)}{ending}"
        unfinished = path.with_name(f"{path.name}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)
        return path


def kept_name(file: WorkbookFile) -> str:
    """The file's name with the mark of its bytes before the ending; cut where it is endless."""
    stem, dot, ending = file.name.rpartition(".")
    if not dot or not stem or len(ending) > _LONGEST_ENDING:
        stem, ending = file.name, "file"
    short = stem.encode(errors="surrogateescape")[:_LONGEST_STEM].decode(errors="ignore")
    return f"{short}.{_mark(file)}.{ending}"


def whole_files(
    folder: DropFolder,
    layout_of: Callable[[str], TableLayout | None],
) -> tuple[list[Path], dict[str, RefusedFileError]]:
    """The files that are whole, in the order they were dropped, and why entries are none.

    A file that changed a moment ago is looked at again after its time of settling; one that grew meanwhile is
    left to the next run.

    Args:
        folder: of the system.
        layout_of: the layout of a file name; None where it is of no table.
    """
    entries = [path for path in inbox_files(folder.inbox) if not path.name.lower().endswith(MARKER)]
    strange = {
        readable_name(path): RefusedFileError(reason_zh="不是普通文件", reason_en="it is not a regular file")
        for path in entries
        if path.is_symlink() or not path.is_file()
    }
    files = [path for path in entries if path.is_file() and not path.is_symlink()]
    layouts = {path: layout_of(path.name) or TableLayout() for path in files}
    whole = settled(files, lambda path: layouts[path].settle_s)
    return [path for path in whole if not layouts[path].needs_marker or _has_marker(path)], strange


def settled(paths: Sequence[Path], settle_s: Callable[[Path], float]) -> list[Path]:
    """The files that stay as they are; those that changed a moment ago are looked at again a little later.

    Args:
        paths: regular files.
        settle_s: how many seconds each must have stayed as it is.
    """
    if not paths:
        return []
    now = _folder_time(paths[0].parent)
    young = {path: _state(path) for path in paths if now - _changed_at(path) < settle_s(path)}
    if young:
        time.sleep(max(map(settle_s, young)))
    return [path for path in paths if path not in young or _state(path) == young[path]]


def _mark(file: WorkbookFile) -> str:
    return file.sha256[:12]


def _has_marker(path: Path) -> bool:
    return path.with_name(path.name + MARKER).is_file()


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _changed_at(path: Path) -> float:
    """When the file last changed, in seconds; nobody can set the change time of the inode back."""
    found = path.lstat()
    return max(found.st_mtime, found.st_ctime)


def _folder_time(folder: Path) -> float:
    """The time of the disk that the files lie on: a network drive has its own clock."""
    probe = folder / _PROBE
    probe.touch()
    seconds = probe.stat().st_mtime
    probe.unlink(missing_ok=True)
    return seconds
