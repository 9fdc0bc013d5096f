"""Where refused files of the inbox are kept, each beside the reason, under names of our own making."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


LIMIT_BYTES = 2 * 1024**3
LIMIT_FILES = 5_000


@dataclass(frozen=True)
class Quarantined:
    """A refused file: what it was called, why, and where it lies now."""

    name: str
    reason: str
    kept_as: Path


class Quarantine:
    """A folder of refused files. Names given by others stand in the reason, and are never used as a path.

    Args:
        directory: the folder.
        limit_bytes: how much is kept; whoever sends rubbish without end must not fill the disk, so beyond it
            the oldest goes. What was refused and why stays in the findings.
        limit_files: how many files are kept, reasons included.
    """

    def __init__(
        self, directory: Path, *, limit_bytes: int = LIMIT_BYTES, limit_files: int = LIMIT_FILES
    ) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._limit_files = limit_files

    def take(self, path: Path, reason: str) -> Quarantined:
        """Move a file, folder or link here, the link itself and not what it points to."""
        name = f"{path.parent.name}/{path.name}"
        now = datetime.now(UTC)
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        kept_as = self._directory / f"{now:%Y%m%dT%H%M%S.%f}-{digest}"
        self._directory.mkdir(parents=True, exist_ok=True)
        content = {"name": ascii(name), "reason": ascii(reason), "quarantined_at_real_utc": now.isoformat()}
        kept_as.with_suffix(kept_as.suffix + ".reason.json").write_text(json.dumps(content), encoding="utf-8")
        shutil.move(path, kept_as)  # the gateway's folder may be a disk of its own
        self._drop_oldest()
        return Quarantined(name, reason, kept_as)

    def take_segment(self, manifest: Path, reason: str) -> Quarantined:
        """Move a manifest and its payload here."""
        payload = manifest.with_suffix(".parquet")
        if payload.exists() or payload.is_symlink():
            self.take(payload, f"the payload of {manifest.name}: {reason}")
        return self.take(manifest, reason)

    def _drop_oldest(self) -> None:
        """Names begin with the time, so their order is the order of arrival; the newest stays in any case."""
        files = sorted(self._directory.iterdir())
        sizes = [file.lstat().st_size for file in files]
        total, count = sum(sizes), len(files)
        for file, size in zip(files[:-2], sizes, strict=False):
            if total <= self._limit_bytes and count <= self._limit_files:
                return
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink()
            total, count = total - size, count - 1
