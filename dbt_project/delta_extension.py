"""dbt-duckdb plugin: loads DuckDB's delta extension from its wheel, so that no network is needed."""

from __future__ import annotations

from pathlib import Path

import duckdb
import duckdb_extension_delta
from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    """Makes `delta_scan` known to the connection on which dbt works."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Load the extension that was built for this very DuckDB."""
        conn.load_extension(str(extension_path()))


def extension_path() -> Path:
    """The extension file of the running DuckDB's version.

    Raises:
        FileNotFoundError: the wheel holds none for it; the message says which versions it has.
    """
    folder = Path(duckdb_extension_delta.__file__).parent / "extensions"
    path = folder / f"v{duckdb.__version__}" / "delta.duckdb_extension"
    if not path.is_file():
        found = sorted(entry.name for entry in folder.iterdir())
        msg = (
            f"loading DuckDB's delta extension: DuckDB is v{duckdb.__version__}, the wheel "
            f"duckdb-extension-delta holds {', '.join(found)}; install both in the same version"
        )
        raise FileNotFoundError(msg)
    return path
