"""Credentials by name: a file of the site, or a value that the settings took from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exports.errors import MissingSecretError, SpecError


@dataclass(frozen=True)
class SiteSecrets:
    """Reads `secrets/<name>` of a site.

    Args:
        folder: one file a secret, readable by its owner alone.
        overrides: values by lower-case name that win over the files (`CHEMLINK_SECRET_<NAME>`).
    """

    folder: Path
    overrides: Mapping[str, str] = field(default_factory=dict, repr=False)

    def read(self, name: str) -> str:
        """The secret called `name`, without the line end an editor leaves.

        Raises:
            MissingSecretError: no such file and no override, or it is empty.
            SpecError: the file can be read by others than its owner.
        """
        if found := self.overrides.get(name):
            return found
        path = self.folder / name
        if not path.is_file():
            raise MissingSecretError(name, str(self.folder))
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            msg = f"{path}: mode is {mode:04o}, so others can read it; expected 0600; run chmod 600 on it"
            raise SpecError(msg)
        value = path.read_text(encoding="utf-8").strip()
        if not value:
            raise MissingSecretError(name, str(path))
        return value
