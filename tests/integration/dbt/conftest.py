from __future__ import annotations

from collections.abc import Callable

import pytest

from lake.layout import LakePaths
from tests.fakes.dbt_lake import DbtLake, all_contracts


@pytest.fixture(scope="session")
def new_dbt_lake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DbtLake]:
    """Makes a lake with empty raw tables; they share a dbt target, so that parsing is done once."""
    target = tmp_path_factory.mktemp("dbt_target")
    contracts = all_contracts()

    def make(name: str) -> DbtLake:
        lake = DbtLake(LakePaths(tmp_path_factory.mktemp(name)), target, contracts)
        lake.create_raw_tables()
        return lake

    return make
