"""DuckDB's delta extension from its wheel, so that reading Delta needs no network."""

from __future__ import annotations

from pathlib import Path

import duckdb
import duckdb_extension_delta

from lake.errors import LakeError


def extension_path() -> Path:
    """The extension file for the running DuckDB's version.

    Raises:
        LakeError: the wheel holds none for it; the message says which versions it has.
    """
    folder = Path(duckdb_extension_delta.__file__).parent / "extensions"
    path = folder / f"v{duckdb.__version__}" / "delta.duckdb_extension"
    if not path.is_file():
        found = ", ".join(sorted(entry.name for entry in folder.iterdir()))
        msg = (
            f"loading DuckDB's delta extension: DuckDB is v{duckdb.__version__}, the wheel "
            f"duckdb-extension-delta holds {found}; install both in the same version"
        )
        raise LakeError(msg)
    return path


def load_delta(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `delta_scan` known to the connection."""
    connection.load_extension(str(extension_path()))
