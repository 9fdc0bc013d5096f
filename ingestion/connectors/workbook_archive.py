"""Where workbooks lie: the inbox they come from, the answers, and the archive of originals by hash."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ingestion.connectors.workbook_file import WorkbookFile, read_workbook_file
from ingestion.context import ExtractContext

_UNFINISHED = (".part", ".tmp", ".crdownload")
_OWN_LOCKS = ("~$", ".")  # spreadsheet programs lock an open file with one of these beside it


@dataclass(frozen=True)
class Intake:
    """The three folders of one system."""

    inbox: Path
    results: Path
    archive: Path

    @classmethod
    def of(cls, system_id: str, context: ExtractContext) -> Intake:
        """The folders of a system of this site; made where they are missing."""
        intake = cls(
            inbox=context.site_dir / "manual_inbox" / system_id,
            results=context.site_dir / "manual_results" / system_id,
            archive=context.lake.root / "manual_archive" / system_id,
        )
        for folder in (intake.inbox, intake.results, intake.archive):
            folder.mkdir(parents=True, exist_ok=True)
        return intake


def inbox_files(inbox: Path) -> list[Path]:
    """What was dropped, in the order it was dropped: a correction comes after what it corrects."""
    found = [
        path
        for path in inbox.iterdir()
        if not path.name.startswith(_OWN_LOCKS) and not path.name.lower().endswith(_UNFINISHED)
    ]
    return sorted(found, key=lambda path: (path.lstat().st_mtime_ns, path.name))


def was_archived(file: WorkbookFile, intake: Intake) -> str | None:
    """The name under which the same bytes were received before, or None."""
    folder = intake.archive / file.sha256
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return names[0] if names else None


def answer(file: WorkbookFile, content: bytes, intake: Intake) -> Path:
    """Write the result workbook; the hash in its name keeps answers to files of one name apart."""
    stem = file.name.rsplit(".", 1)[0]
    path = intake.results / f"{stem}.{file.sha256[:8]}.result.xlsx"
    _write(path, content)
    return path


def archive(file: WorkbookFile, path: Path, intake: Intake) -> None:
    """Keep the original under its hash and take it out of the inbox, unless it was replaced meanwhile."""
    kept = intake.archive / file.archive_name
    if not kept.exists() and was_archived(file, intake) is None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        _write(kept, file.content)
    if path.is_file() and read_workbook_file(path).sha256 == file.sha256:
        path.unlink()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a killed run leaves no half a file under the real name."""
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    unfinished.replace(path)
