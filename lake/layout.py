"""Where everything that the platform stores lies. Paths only: nothing here reads or writes a table.

Names are checked because a table's name becomes a folder, a SQL identifier and an asset key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lake.errors import LayoutError

LAYERS = ("raw", "marts", "regulatory", "ops")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class LakePaths:
    """The paths below one site's `var/` directory.

    Attributes:
        root: the directory that holds everything produced (`<site>/var`).
    """

    root: Path

    def table(self, layer: str, name: str) -> Path:
        """The directory of one Delta table.

        Raises:
            LayoutError: the layer does not exist or the name is no identifier.
        """
        if layer not in LAYERS:
            msg = f"table {name!r}: found layer {layer!r}, expected one of {', '.join(LAYERS)}"
            raise LayoutError(msg)
        return self.root / "lake" / layer / _checked(name)

    def tables(self, layer: str) -> list[str]:
        """Names of the Delta tables that exist in a layer, sorted."""
        folder = self.root / "lake" / layer
        names = (entry.parent.name for entry in folder.glob("*/_delta_log"))
        return sorted(name for name in names if _NAME.fullmatch(name))

    def published(self, name: str) -> Path:
        """The directory of a mart's published Parquet: always complete, switched as a whole."""
        return self.root / "published" / _checked(name)

    @property
    def published_root(self) -> Path:
        """The directory of all published marts."""
        return self.root / "published"

    @property
    def catalog(self) -> Path:
        """The DuckDB file of views that analysts open."""
        return self.root / "lake.duckdb"

    @property
    def build_db(self) -> Path:
        """The private database of dbt; nobody but dbt and the publication opens it."""
        return self.root / "build.duckdb"

    @property
    def state_url(self) -> str:
        """SQLAlchemy URL of the default state store; a site may name a PostgreSQL URL instead."""
        return f"sqlite:///{self.root / 'state.db'}"

    @property
    def export_log(self) -> Path:
        """The folder of the exports' tamper-evident log: tiles, entries and checkpoint."""
        return self.root / "export_log"

    @property
    def leases(self) -> Path:
        """The directory of lock files, one a lease."""
        return self.root / "run" / "leases"

    @property
    def layout_version_file(self) -> Path:
        """The file that says which layout this directory has."""
        return self.root / "lake" / "layout_version.json"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        msg = f"table name {name!r}: expected lower-case letters, digits and underscores, letter first"
        raise LayoutError(msg)
    return name
