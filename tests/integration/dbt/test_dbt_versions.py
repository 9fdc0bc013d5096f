"""Change logs of master data → dimensions with history: corrections, deletions, words that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.fakes.dbt_lake import DbtLake

TABLE = "raw_erp_main__customers"
ORDERS = (  # customer, plant day of the order, name as that day began; things change at noon here
    (1, date(2026, 10, 1), "甲"),  # older than all that is known: the first name
    (1, date(2026, 11, 2), "甲"),  # renamed at noon of that day
    (1, date(2026, 11, 3), "丙"),  # as corrected later
    (2, date(2026, 11, 4), "甲"),  # deleted at noon of that day
    (2, date(2026, 11, 5), None),  # in the hole
    (2, date(2026, 11, 7), "甲"),  # there again
)


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


def material(unit: str, changed: int) -> dict[str, object]:
    return {
        "material_code": "000000000000100002",
        "material_name": "甲醇",
        "material_type_code": "ROH ",
        "base_unit_code": unit,
        "cas_number": "67-56-1",
        "hazard_mark_code": "X",
        "deletion_mark_code": "",
        "created_date": date(2025, 1, 1),
        "updated_at_utc": day(changed),
    }


def supplier(permit: str, block: str, changed: int) -> dict[str, object]:
    return {
        "supplier_id": "0000100002",
        "supplier_name": "南京甲醇",
        "city_name": "南京",
        "credit_code": "91320100MA1N000B2Y",
        "hazardous_permit_no": permit,
        "block_code": block,
        "deletion_mark_code": "",
        "created_date": date(2025, 1, 1),
        "updated_at_utc": day(changed),
    }


def sales_orders() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """One order of one line for each of `ORDERS`, numbered from 1."""
    heads: list[dict[str, object]] = [
        {
            "sales_order_id": f"000000000{number}",
            "customer_id": f"000020100{customer_number}",
            "order_date": ordered,
            "requested_date": ordered,
            "status_code": "A",
            "net_value": Decimal("27200.00"),
            "currency_code": "CNY  ",
            "deletion_mark_code": "",
            "updated_at_utc": day(8),
        }
        for number, (customer_number, ordered, _) in enumerate(ORDERS, 1)
    ]
    lines: list[dict[str, object]] = [
        {
            "sales_order_id": head["sales_order_id"],
            "line_number": 10,
            "material_code": "000000000000500001",
            "quantity": Decimal("4.000"),
            "unit_code": "TO ",
            "delivery_status_code": "A",
            "rejection_code": "",
            "updated_at_utc": day(8),
        }
        for head in heads
    ]
    return heads, lines


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("versions")
    lake.load_registers()
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
    heads, lines = sales_orders()
    lake.append_changes("raw_erp_main__sales_orders", heads, extracted_at=day(8))
    lake.append_changes("raw_erp_main__sales_order_lines", lines, extracted_at=day(8))
    # The material's unit changes on the 3rd; the supplier is blocked then, with a new permit on the 5th.
    lake.append_changes("raw_erp_main__materials", [material("TO ", changed=1)], extracted_at=day(1))
    lake.append_changes("raw_erp_main__materials", [material("KG ", changed=3)], extracted_at=day(4))
    for permit, block, changed in (("苏A-1", "", 1), ("苏A-1", "X", 3), ("苏A-2", "", 5)):
        lake.append_changes(
            "raw_erp_main__suppliers", [supplier(permit, block, changed)], extracted_at=day(changed)
        )
    wanted = ("+dim_customer", "+dim_material", "+dim_supplier", "+fct_sales_order_lines")
    lake.dbt("build", "--select", *wanted, "--exclude-resource-type", "unit_test")
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


def test_an_order_line_carries_the_customers_name_of_its_day(built: DbtLake) -> None:
    rows = built.query(
        "select customer_name_at_order from marts.fct_sales_order_lines order by sales_order_id"
    )
    assert [row["customer_name_at_order"] for row in rows] == [name for _, _, name in ORDERS]


def test_a_material_keeps_each_base_unit_with_its_time_and_its_standard_code(built: DbtLake) -> None:
    rows = built.query(
        "select version_number, material_id, base_unit_code, day(valid_from_at_utc) as valid_from,"
        " day(valid_to_at_utc) as valid_to, is_current from marts.dim_material order by version_number"
    )
    assert [tuple(row.values()) for row in rows] == [
        (1, "methanol", "TO", 1, 3, False),
        (2, "methanol", "KG", 3, None, True),
    ]


def test_a_supplier_keeps_each_block_and_permit_with_its_time(built: DbtLake) -> None:
    rows = built.query(
        "select version_number, hazardous_permit_no, is_blocked, day(valid_from_at_utc) as valid_from,"
        " day(valid_to_at_utc) as valid_to, is_current from marts.dim_supplier order by version_number"
    )
    assert [tuple(row.values()) for row in rows] == [
        (1, "苏A-1", False, 1, 3, False),
        (2, "苏A-1", True, 3, 5, False),
        (3, "苏A-2", False, 5, None, True),
    ]
