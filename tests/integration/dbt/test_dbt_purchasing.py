"""Purchase orders, receipts and invoices → what was ordered, came, is owed and was paid, with a real dbt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.dbt_lake import DbtLake

AT = datetime(2026, 11, 16, 4, tzinfo=UTC)
METHANOL = "000000000000100002"
Row = dict[str, Any]
MODELS = "+fct_purchase_order_lines +fct_purchase_invoices"


def order(number: int, **changes: Any) -> Row:
    return {
        "purchase_order_id": f"450000000{number}",
        "supplier_id": "0000100002",
        "order_date": date(2026, 11, 14),
        "release_code": "G",
        "payment_terms": "Z030",
        "currency_code": "CNY  ",
        "deletion_mark_code": "",
        "updated_at_utc": AT,
        **changes,
    }


def line(number: int, place: int = 10, **changes: Any) -> Row:
    """Thirty tonnes at 2,500 CNY a tonne."""
    return {
        "purchase_order_id": f"450000000{number}",
        "line_number": place,
        "material_code": METHANOL,
        "quantity": Decimal(30),
        "unit_code": "TO ",
        "net_price": Decimal(2500),
        "price_unit_quantity": 1,
        "currency_code": "CNY  ",
        "requested_date": date(2026, 11, 16),
        "delivery_mark_code": "",
        "deletion_mark_code": "",
        "updated_at_utc": AT,
        **changes,
    }


def receipt(name: str, number: int, tonnes: str, day: int, *, undoes: str | None = None) -> Row:
    return {
        "receipt_id": name,
        "line_number": 1,
        "movement_type_code": "102" if undoes else "101",
        "purchase_order_id": f"450000000{number}",
        "purchase_order_line_number": 10,
        "material_code": METHANOL,
        "lot_id": f"ME-{number}",
        "quantity": Decimal(tonnes),
        "unit_code": "TO ",
        "delivery_note_no": None,
        "reversed_receipt_id": undoes,
        "posting_date": date(2026, 11, day),
        "updated_at_utc": AT,
    }


def invoice(name: str, number: int, net: str, **changes: Any) -> Row:
    return {
        "purchase_invoice_id": name,
        "purchase_order_id": f"450000000{number}",
        "purchase_order_line_number": 10,
        "supplier_id": "0000100002",
        "supplier_invoice_no": f"FP{name}",
        "invoice_date": date(2026, 11, 17),
        "posting_date": date(2026, 11, 17),
        "quantity": Decimal(30),
        "unit_code": "TO ",
        "net_value": Decimal(net),
        "tax_value": Decimal(0),
        "currency_code": "CNY  ",
        "block_code": "",
        "paid_date": None,
        "reversed_by_id": "",
        "updated_at_utc": AT,
        **changes,
    }


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("purchasing")
    lake.load_registers()
    rows = {
        "purchase_orders": [
            order(1),
            order(2),
            order(3),
            order(4, release_code="B"),
            order(5),
            order(6, deletion_mark_code="L"),
            order(7),
            order(8),
        ],
        "purchase_order_lines": [
            line(1),
            line(1, 20, deletion_mark_code="L"),
            line(2),
            line(3, quantity=Decimal(30000), unit_code="KG ", price_unit_quantity=1000),
            line(4),
            line(5),
            line(6),
            line(7),
            line(8),
        ],
        "purchase_receipts": [
            receipt("50-1", 1, "30", 16),
            # Typed with ten times the quantity, taken back and posted right a day late.
            receipt("50-2", 2, "300", 16),
            receipt("51-2", 2, "300", 17, undoes="50-2"),
            receipt("52-2", 2, "29.5", 17),
            receipt("50-3", 3, "30", 15),
            # Two orders in one document, of which one is taken back.
            receipt("50-7", 7, "30", 16),
            {**receipt("50-7", 8, "10", 16), "line_number": 2},
            receipt("51-7", 7, "30", 16, undoes="50-7"),
            receipt("52-8", 8, "10", 18),
        ],
        "purchase_invoices": [
            invoice("60-1", 1, "75000", paid_date=date(2026, 11, 20)),
            # 4 % too dear, blocked, taken back and made anew.
            invoice("60-2", 2, "76700", quantity=Decimal("29.5"), block_code="R", reversed_by_id="61-2"),
            invoice("61-2", 2, "73750", quantity=Decimal("29.5")),
            invoice("60-3", 3, "78000", block_code="R"),
            invoice("60-7", 7, "75000"),
            # A third of the order is still to come, though all that was invoiced is paid.
            invoice("60-8", 8, "50000", quantity=Decimal(20), paid_date=date(2026, 11, 20)),
            invoice("60-9", 9, "410"),
        ],
    }
    for table, found in rows.items():
        lake.append_changes(f"raw_erp_main__{table}", found)
    lake.dbt("build", "--exclude-resource-type", "unit_test", "--select", *MODELS.split())
    return lake


def test_each_line_is_followed_from_order_to_payment(built: DbtLake) -> None:
    found = built.query(
        "select purchase_order_id, line_number, received_kg, first_received_date, is_received_late,"
        " invoiced_net_cny, invoiced_over_order_cny, is_invoice_blocked, stage_code"
        " from marts.fct_purchase_order_lines order by all"
    )
    assert [tuple(row.values()) for row in found] == [
        ("4500000001", 10, 30000.0, date(2026, 11, 16), False, 75000.0, 0.0, False, "paid"),
        ("4500000001", 20, 0.0, None, False, 0.0, 0.0, False, "cancelled"),
        ("4500000002", 10, 29500.0, date(2026, 11, 17), True, 73750.0, 0.0, False, "invoiced"),
        ("4500000003", 10, 30000.0, date(2026, 11, 15), False, 78000.0, 3000.0, True, "invoiced"),
        ("4500000004", 10, 0.0, None, False, 0.0, 0.0, False, "in_approval"),
        ("4500000005", 10, 0.0, None, False, 0.0, 0.0, False, "released"),
        ("4500000006", 10, 0.0, None, False, 0.0, 0.0, False, "cancelled"),
        ("4500000007", 10, 0.0, None, False, 75000.0, 0.0, False, "released"),
        ("4500000008", 10, 20000.0, date(2026, 11, 16), True, 50000.0, 0.0, False, "invoiced"),
    ]


def test_tonnes_and_kilograms_are_priced_alike(built: DbtLake) -> None:
    found = built.query(
        "select ordered_kg, price_cny_per_kg from marts.fct_purchase_order_lines"
        " where line_number = 10 and stage_code <> 'cancelled'"
    )
    assert {tuple(row.values()) for row in found} == {(30000.0, 2.5)}


def test_an_invoice_that_names_no_known_order_stands_and_is_marked(built: DbtLake) -> None:
    found = built.query(
        "select purchase_invoice_id, net_value from marts.fct_purchase_invoices where not is_order_known"
    )
    assert found == [{"purchase_invoice_id": "60-9", "net_value": 410.0}]


def test_an_invoice_before_any_goods_is_marked(built: DbtLake) -> None:
    found = built.query(
        "select purchase_order_id from marts.fct_purchase_order_lines where is_invoiced_without_receipt"
    )
    assert found == [{"purchase_order_id": "4500000007"}]
