"""Bring a state store and a lake directory to what this program knows, or refuse newer ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from lake.engine import make_engine
from lake.errors import VersionError
from lake.layout import LakePaths
from lake.migrations.layouts import STEPS

LAYOUT_VERSION = max(STEPS)


@dataclass(frozen=True)
class MigrationReport:
    """From where to where the stored state was carried; equal ends mean that nothing was to do.

    Attributes:
        from_revision: the state store's revision before; nothing for a new one.
        to_revision: its revision now.
        from_layout: the lake directory's layout version before; nothing for a new one.
        to_layout: its layout version now; nothing where no lake was given.
    """

    from_revision: str | None
    to_revision: str
    from_layout: int | None
    to_layout: int | None

    @property
    def changed(self) -> bool:
        """Whether anything was carried forward."""
        return self.from_revision != self.to_revision or self.from_layout != self.to_layout


def migrate(url: str, lake: LakePaths | None = None) -> MigrationReport:
    """Create or upgrade the state store, and the lake's tables where one is given.

    Args:
        url: SQLAlchemy URL of the state store.
        lake: the lake whose layout is carried forward.

    Raises:
        VersionError: the state store or the layout is newer than this program.
    """
    from_layout = _check_layout(lake) if lake else None
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            from_revision, to_revision = _upgrade(connection)
    finally:
        engine.dispose()
    if lake:
        for version, step in sorted(STEPS.items()):
            if (from_layout or 0) < version:
                step(lake)
        _write_layout_version(lake.layout_version_file)
    return MigrationReport(from_revision, to_revision, from_layout, LAYOUT_VERSION if lake else None)


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    head = scripts.get_current_head()
    found = MigrationContext.configure(connection).get_current_revision()
    if head is None:
        msg = f"migrating the state store: found no revisions in {scripts.versions}; reinstall chemlink"
        raise VersionError(msg)
    if found is not None and found not in known:
        msg = (
            f"migrating the state store: found revision {found}, expected one up to {head}; a newer chemlink "
            "wrote it: install that version, or restore the backup made before its upgrade"
        )
        raise VersionError(msg)
    if found != head:
        command.upgrade(config, "head")
    return found, head


def _check_layout(lake: LakePaths) -> int | None:
    """The layout version on disk, refused when newer than known."""
    file = lake.layout_version_file
    if not file.exists():
        return None
    found = int(json.loads(file.read_text(encoding="utf-8"))["layout_version"])
    if found > LAYOUT_VERSION:
        msg = (
            f"{file}: found layout version {found}, expected at most {LAYOUT_VERSION}; a newer chemlink "
            "wrote this lake: install that version, or restore the backup made before its upgrade"
        )
        raise VersionError(msg)
    return found


def _write_layout_version(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps({"layout_version": LAYOUT_VERSION}) + "\n", encoding="utf-8")
    beside.replace(file)
