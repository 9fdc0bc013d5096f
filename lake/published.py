"""Published Parquet: the newest version of a table as plain files, switched as a whole.

`published/<table>` is a link to one directory a version; switching it is one rename, so no reader ever lists
a file of another version. A file holds one partition and keeps its name over versions, so that a reader who
listed before the switch and opens after it finds every file. Unchanged partitions are hard links, which makes
a new version cost only what changed. Older versions stay for readers that resolved the link before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from lake import tables
from lake.datasets import dataset_of
from lake.layout import LakePaths

_KEPT_VERSIONS = 4
_WHOLE = "all"
_EMPTY = "empty"


def refresh_published(
    lake: LakePaths, layer: str, table: str, *, changed: Iterable[str] | None = None, since: int | None = None
) -> Path:
    """Bring `published/<table>` to the newest Delta version.

    Args:
        lake: the paths.
        layer: the table's layer.
        table: its name.
        changed: partition values changed after version `since`; where it is not given, or the published
            version is not `since`, every file is written anew.
        since: the Delta version before the change.

    Returns:
        The directory of the version now published.
    """
    path = lake.table(layer, table)
    delta = DeltaTable(path)
    link = lake.published(table)
    current = link.resolve() if link.is_symlink() else None
    if current is not None and _version_of(current) == delta.version():
        return current
    target = lake.published_root / ".versions" / table / str(delta.version())
    shutil.rmtree(target, ignore_errors=True)  # left by a killed publication
    target.mkdir(parents=True)
    can_link = current is not None and changed is not None and _version_of(current) == since
    if can_link and current is not None and changed is not None:
        _write_changed(delta, current, target, set(changed))
    else:
        _write_all(delta, target)
    _switch(link, target)
    _remove_old(target.parent, keep=target)
    return target


def _version_of(folder: Path) -> int | None:
    return int(folder.name) if folder.name.isdecimal() else None


def _write_all(delta: DeltaTable, target: Path) -> None:
    columns = delta.metadata().partition_columns
    rows = tables.read(Path(delta.table_uri), version=delta.version())
    if not columns:
        _write(rows, target / f"{_WHOLE}.parquet")
        return
    for value in pc.unique(rows.column(columns[0])):
        _write(rows.filter(pc.equal(rows.column(columns[0]), value)), target / f"{value}.parquet")
    _write_empty_if_none(delta, target)


def _write_changed(delta: DeltaTable, current: Path, target: Path, changed: set[str]) -> None:
    column = delta.metadata().partition_columns[0]
    for file in current.glob("*.parquet"):
        if file.stem not in changed and file.stem != _EMPTY:
            os.link(file, target / file.name)
    for value in changed:
        dataset = dataset_of(delta, only=f"{column} = '{value}'")
        rows = dataset.to_table()
        if rows.num_rows:
            _write(rows, target / f"{value}.parquet")
    _write_empty_if_none(delta, target)


def _write_empty_if_none(delta: DeltaTable, target: Path) -> None:
    """A table without rows is still readable, with its columns."""
    if not any(target.iterdir()):
        _write(pa.schema(delta.schema().to_arrow()).empty_table(), target / f"{_EMPTY}.parquet")


def _write(rows: pa.Table, file: Path) -> None:
    with file.open("wb") as sink:
        pq.write_table(rows, sink, compression="zstd")
        sink.flush()
        os.fsync(sink.fileno())


def _switch(link: Path, target: Path) -> None:
    """Point the link at the target in one rename; relative, so that the site directory can be moved."""
    beside = link.with_name(f".{link.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(os.path.relpath(target, link.parent))
    beside.replace(link)


def _remove_old(versions: Path, *, keep: Path) -> None:
    newest_first = sorted(
        (entry for entry in versions.iterdir() if entry.name.isdecimal()),
        key=lambda entry: int(entry.name),
        reverse=True,
    )
    for entry in newest_first[_KEPT_VERSIONS:]:
        if entry != keep:
            shutil.rmtree(entry)
