"""The only reader of the environment: a site directory and a few variables become one value, passed down.

Light on purpose: the command line imports it before anything else, and the collector's zone has no platform.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from orchestration.site import SettingsError, SiteSpec, read_site
from protocols.clock import Clock, load_clock

if TYPE_CHECKING:
    from lake.layout import LakePaths

SITE_VARIABLE = "CHEMLINK_SITE"
SECRET_PREFIX = "CHEMLINK_SECRET_"  # noqa: S105 - the name of variables, not a secret
RUN_ID_VARIABLE = "CHEMLINK_RUN_ID"

# Plants are closed networks: nothing we start may report home.
TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "GX_ANALYTICS_ENABLED": "False",
}


@dataclass(frozen=True)
class Secrets:
    """Secrets by name: the environment first, then one file each in the site's `secrets/`."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(self, name: str) -> str:
        """The secret called `name`.

        Raises:
            SettingsError: neither the variable nor the file exists; the message says how to give it.
        """
        variable = SECRET_PREFIX + name.upper()
        if variable in self.environment:
            return self.environment[variable]
        path = self.folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8").strip()
        msg = f"secret {name!r} is missing: put it in {path} (mode 0600) or in the environment as {variable}"
        raise SettingsError(msg)

    def overrides(self) -> dict[str, str]:
        """The secrets that the environment gives, by lower-case name."""
        length = len(SECRET_PREFIX)
        return {
            name[length:].lower(): value
            for name, value in self.environment.items()
            if name.startswith(SECRET_PREFIX)
        }

    def __repr__(self) -> str:
        """Where secrets are looked for, never what they are."""
        return f"Secrets({self.folder})"


@dataclass(frozen=True)
class Settings:
    """Everything a process of the business zone must be told."""

    site_dir: Path
    site: SiteSpec
    secrets: Secrets

    @property
    def clock(self) -> Clock:
        """The plant's clock, read anew: a simulated plant sets it when it starts.

        Raises:
            SettingsError: its file is wrong.
        """
        try:
            return load_clock(self.site_dir / "clock.json")
        except ValueError as error:
            raise SettingsError(str(error)) from error

    @property
    def zone(self) -> ZoneInfo:
        """The plant's time zone: regulatory periods, partition dates and due times are in it."""
        return ZoneInfo(self.site.zone)

    @property
    def environment(self) -> str:
        """`demo` or `production`: an endpoint is active only where its own file says so."""
        return self.site.environment

    @property
    def var(self) -> Path:
        """Everything the site produces."""
        return self.site_dir / "var"

    @property
    def run_dir(self) -> Path:
        """Process ids, locks and sockets."""
        return self.var / "run"

    @property
    def log_dir(self) -> Path:
        """One log file a process."""
        return self.var / "log"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage."""
        return self.var / "dagster"

    @property
    def lake(self) -> LakePaths:
        """Where the lake's tables, catalogue and publications are."""
        from lake.layout import LakePaths

        return LakePaths(self.var)

    @property
    def state_url(self) -> str:
        """The state store: SQLite under `var/` unless site.yml names another."""
        return self.site.state_url or f"sqlite:///{self.var / 'state.db'}"

    def child_environment(self) -> dict[str, str]:
        """The environment for processes we start: this site, its places, no telemetry."""
        return silent_environment(self._own_environment())

    def enter(self) -> None:
        """Give this process what Dagster and dbt read from the environment only."""
        os.environ.update(self._own_environment())

    def _own_environment(self) -> dict[str, str]:
        return {
            SITE_VARIABLE: str(self.site_dir),
            "DAGSTER_HOME": str(self.dagster_home),
            "CHEMLINK_LAKE": str(self.var / "lake"),
            "CHEMLINK_BUILD_DB": str(self.var / "build.duckdb"),
            "CHEMLINK_CODE": str(Path(__file__).parents[1]),
        }


def silent_environment(added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without telemetry, and with what is added: for processes we start."""
    return {**os.environ, **TELEMETRY_OFF, **added}


def find_site(site_dir: Path | None) -> Path:
    """The site directory meant: the one given, else CHEMLINK_SITE, else the present folder when it is a site.

    Raises:
        SettingsError: none of the three.
    """
    named = site_dir or os.environ.get(SITE_VARIABLE)
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    if (here / "site.yml").is_file():
        return here
    msg = (
        f"no site: {here} holds no site.yml, and neither --site nor {SITE_VARIABLE} names one; "
        "make one with `chemlink init DIR`"
    )
    raise SettingsError(msg)


def load_settings(site_dir: Path | None = None) -> Settings:
    """The settings of one site, and this process made silent towards the makers of its parts.

    Args:
        site_dir: the site directory; without it CHEMLINK_SITE or the present folder.

    Raises:
        SettingsError: there is no such site, or its files are wrong.
    """
    root = find_site(site_dir)
    os.environ.update(TELEMETRY_OFF)
    settings = Settings(root, read_site(root / "site.yml"), Secrets(root / "secrets", dict(os.environ)))
    _ = settings.clock  # a wrong clock file is told now and not in the middle of a run
    return settings
