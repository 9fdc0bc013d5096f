"""Change logs of master data → dimensions with history: corrections, deletions, words that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from tests.fakes.dbt_lake import DbtLake

TABLE = "raw_erp_main__customers"


def day(number: int) -> datetime:
    return datetime(2026, 11, number, 4, tzinfo=UTC)


def customer(number: int, name: str, changed: int) -> dict[str, object]:
    return {
        "customer_id": f"000020100{number}",
        "customer_name": name,
        "city_name": "常州",
        "credit_code": "91320400MA1N000A1X",
        "deletion_mark_code": "",
        "created_date": date(2025, 1, 1),
        "updated_at_utc": day(changed),
    }


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("versions")
    first = [customer(number, "甲", changed=1) for number in (1, 2, 3, 4)]
    lake.append_changes(TABLE, first, extracted_at=day(1))
    # 1: renamed on the 3rd; on the 5th the ERP says that another name stood from the 2nd on.
    # 2: deleted, found on the 4th, there again from the 6th. 3: touched, nothing changed.
    # 4: deleted for good.
    lake.append_changes(
        TABLE, [customer(1, "乙", changed=3), customer(3, "甲", changed=3)], extracted_at=day(3)
    )
    lake.append_changes(TABLE, [first[1], first[3]], op="delete", extracted_at=day(4))
    lake.append_changes(TABLE, [customer(1, "丙", changed=2)], extracted_at=day(5))
    lake.append_changes(TABLE, [customer(2, "甲", changed=6)], extracted_at=day(7))
    lake.dbt("build", "--select", "+dim_customer", "--exclude-resource-type", "unit_test")
    return lake


def versions(lake: DbtLake, customer_id: str) -> list[tuple[object, ...]]:
    rows = lake.query(
        "select version_number, customer_name, day(valid_from_at_utc) as valid_from,"
        " day(valid_to_at_utc) as valid_to, is_current from marts.dim_customer"
        " where customer_id = ? order by version_number",
        customer_id,
    )
    return [tuple(row.values()) for row in rows]


def test_a_late_correction_moves_the_border_and_supersedes_what_was_said_of_that_time(built: DbtLake) -> None:
    assert versions(built, "201001") == [(1, "甲", 1, 2, False), (2, "丙", 2, None, True)]


def test_a_deleted_row_leaves_a_hole_until_it_comes_again(built: DbtLake) -> None:
    assert versions(built, "201002") == [(1, "甲", 1, 4, False), (2, "甲", 6, None, True)]
    assert versions(built, "201004") == [(1, "甲", 1, 4, False)]


def test_a_word_that_changes_nothing_makes_no_version(built: DbtLake) -> None:
    assert versions(built, "201003") == [(1, "甲", 1, None, True)]
