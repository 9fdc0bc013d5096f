"""The dbt command line on our project, in the lean form that a tick needs."""

import sys
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from dagster_dbt import DbtCliResource
from packaging.version import Version

from orchestration.location import DBT_PROJECT


class LeanDbtCliResource(DbtCliResource):
    """Asks dbt for nothing that is known already.

    The original starts `dbt --version` and builds dbt's adapter in this process before each command: 13 s on
    a busy machine, for lookups of columns in the build database that we do not make.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(installed_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Any) -> Any:
        return None


def dbt_resource() -> DbtCliResource:
    """Dbt from this environment, on our project and its profile."""
    return LeanDbtCliResource(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=str(Path(sys.executable).parent / "dbt"),
    )
