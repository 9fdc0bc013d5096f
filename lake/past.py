"""Reading a table as it was at an older version, or saying that retention removed it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lake import tables
from lake.encodings import Storage
from lake.errors import VersionGoneError


def read_at(path: Path, version: int, *, filters: tables.Filters) -> pa.Table:
    """The rows of a table as of `version`.

    Raises:
        VersionGoneError: there is no such table any more, or retention removed that version.
    """
    if not tables.exists(path):
        msg = f"{path.name} version {version}: there is no table {path.name} any more"
        raise VersionGoneError(msg)
    try:
        return tables.read(path, version=version, filters=filters)
    except (DeltaError, OSError) as error:
        delta = DeltaTable(path)
        kept = Storage.from_configuration(delta.metadata().configuration)
        msg = (
            f"{path.name} version {version}: it can no longer be read ({error}); the newest is "
            f"{delta.version()}, and the table keeps the log of old versions {kept.log_retention_days} days "
            f"and their files {kept.retention_days} days"
        )
        raise VersionGoneError(msg) from error
