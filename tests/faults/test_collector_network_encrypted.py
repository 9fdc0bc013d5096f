"""The collector behind networks that fail in every way, encrypted: nothing lost, wrong or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.network_matrix import CASES, OUTAGE, Case, run

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_every_value_is_sealed_once_after_the_network_failed(tmp_path: Path, case: Case) -> None:
    run(tmp_path, case, encrypted=True)


def test_a_server_that_was_gone_for_ten_minutes_is_filled_in_from_its_history(tmp_path: Path) -> None:
    run(tmp_path, OUTAGE, encrypted=True, seeds=(1,))
