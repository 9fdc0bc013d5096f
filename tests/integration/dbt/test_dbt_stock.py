"""Change logs of the WMS → perpetual stock per lot and location, and where it differs from what is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.dbt_lake import DbtLake

MOVEMENTS, LOTS = "raw_wms_main__stock_movements", "raw_wms_main__lots"

Row = dict[str, Any]


def at(hour: int) -> datetime:
    return datetime(2026, 11, 16, hour, tzinfo=UTC)


def movement(
    number: int, kind: str, lot: str, quantity: str, hour: int, *, unit: str = "KG", to: str | None = None
) -> Row:
    return {
        "movement_id": number,
        "movement_type_code": kind,
        "lot_id": lot,
        "destination_lot_id": to,
        "material_code": "MA-MIX",
        "quantity": Decimal(quantity),
        "unit_code": unit,
        "reference_id": f"DOC-{number}",
        "posted_at_utc": at(hour),
        "updated_at_utc": at(hour),
    }


def lot(lot_id: str, quantity: str, status: str, *, unit: str = "KG", expiry_day: int = 1) -> Row:
    return {
        "lot_id": lot_id,
        "material_code": "MA-MIX",
        "made_date": date(2026, 11, 16),
        "expiry_date": date(2027, 5, expiry_day),
        "quantity_on_hand": Decimal(quantity),
        "unit_code": unit,
        "status_code": status,
        "location_code": "F-01",
    }


def charged(number: int, batch_id: str, lot_id: str) -> Row:
    return {
        "consumption_id": number,
        "batch_id": batch_id,
        "lot_id": lot_id,
        "material_code": "M-5001",
        "quantity": Decimal(300),
        "unit_code": "kg",
        "charged_at_utc": at(0),
        "operator_code": "OP017",
        "updated_at_utc": at(0),
    }


def output(number: int, batch_id: str, lot_id: str, kind: str = "PRODUCT") -> Row:
    return {
        "output_id": number,
        "batch_id": batch_id,
        "lot_id": lot_id,
        "material_code": "M-5001",
        "output_type": kind,
        "quantity": Decimal(280),
        "unit_code": "kg",
        "produced_at_utc": at(1),
        "updated_at_utc": at(1),
    }


def shipment(shipment_id: str, gone: datetime | None) -> Row:
    return {
        "shipment_id": shipment_id,
        "sales_order_id": "26111601",
        "customer_id": "201001",
        "status_code": 90 if gone else 20,
        "planned_date": date(2026, 11, 16),
        "shipped_at_utc": gone,
        "updated_at_utc": at(5),
    }


def shipment_line(shipment_id: str, lot_id: str, tonnes: str) -> Row:
    return {
        "shipment_id": shipment_id,
        "line_number": 1,
        "lot_id": lot_id,
        "material_code": "MA-MIX",
        "quantity": Decimal(tonnes),
        "unit_code": "T",
        "updated_at_utc": at(5),
    }


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("stock")
    lake.load_registers()
    misposted = movement(9, "601", "BLEND", "2000", 8)
    posted = [
        movement(1, "131", "MADE", "7.0", 1, unit="T"),
        movement(2, "309", "MADE", "2000", 6, to="BLEND"),
        movement(3, "131", "BLEND", "0.5", 7, unit="T"),
        movement(4, "101", "BOUGHT", "300", 1),
        movement(5, "261", "BOUGHT", "300", 2),
        movement(6, "261", "EARLY", "100", 4),
        movement(7, "101", "EARLY", "100", 5),
        movement(8, "999", "STRANGE", "50", 5),
        misposted,
    ]
    lake.append_changes(MOVEMENTS, posted)
    lake.append_changes(MOVEMENTS, [misposted], op="delete")
    # Confirmed late: it left at five o'clock, before the transfer, and shows after it.
    lake.append_changes(MOVEMENTS, [movement(10, "601", "MADE", "4000", 5)])
    held = [
        lot("MADE", "1000", "R", expiry_day=20),
        lot("BLEND", "2.4", "Q", unit="T"),
        lot("BOUGHT", "0", "R"),
        lot("EARLY", "0", "R"),
        lot("STRANGE", "50", "B", expiry_day=30),
    ]
    lake.append_changes(LOTS, held)
    lake.append_changes(LOTS, [held[2]], op="delete")
    # BOUGHT becomes MADE, MADE becomes FINE and a residue.
    lake.append_changes(
        "raw_mes_main__batch_materials", [charged(1, "B1", "BOUGHT"), charged(2, "B2", "MADE")]
    )
    outputs = [output(1, "B1", "MADE"), output(2, "B2", "FINE"), output(3, "B2", "RESIDUE", "WASTE")]
    lake.append_changes("raw_mes_main__batch_outputs", outputs)
    for shipment_id, lot_id, tonnes, gone in (("S1", "MADE", "4.0", at(5)), ("S2", "BLEND", "1.0", None)):
        lake.append_changes("raw_wms_main__shipments", [shipment(shipment_id, gone)])
        lake.append_changes("raw_wms_main__shipment_lines", [shipment_line(shipment_id, lot_id, tonnes)])
    models = "+fct_location_stock +fct_lot_tracking"
    lake.dbt("build", "--select", *models.split(), "--exclude-resource-type", "unit_test")
    return lake


def test_every_movement_leaves_a_balance_and_a_late_one_takes_its_place(built: DbtLake) -> None:
    ledger = built.query(
        "select movement_id, change_kg, balance_kg from marts.fct_stock_ledger where lot_id = 'MADE'"
        " order by posted_at_utc"
    )
    assert [tuple(row.values()) for row in ledger] == [
        (1, 7000.0, 7000.0),
        (10, -4000.0, 3000.0),
        (2, -2000.0, 1000.0),
    ]


def test_a_lot_whose_movements_do_not_account_for_what_is_there_is_told(built: DbtLake) -> None:
    lots = built.query(
        "select lot_id, received_kg, transferred_kg, consumed_kg, shipped_kg, booked_kg, on_hand_kg,"
        " difference_kg, balance_code from marts.fct_lot_stock order by lot_id"
    )
    # BLEND: 2,000 moved in and 500 made are 2,500, the WMS has 2,400; what was posted by mistake is gone.
    assert [tuple(row.values()) for row in lots] == [
        ("BLEND", 500.0, 2000.0, 0.0, 0.0, 2500.0, 2400.0, -100.0, "differs"),
        ("BOUGHT", 300.0, 0.0, 300.0, 0.0, 0.0, 0.0, 0.0, "emptied"),
        ("EARLY", 100.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0, "agrees"),
        ("MADE", 7000.0, -2000.0, 0.0, 4000.0, 1000.0, 1000.0, 0.0, "agrees"),
        ("STRANGE", 0.0, 0.0, 0.0, 0.0, 0.0, 50.0, 50.0, "not_comparable"),
    ]


def test_what_was_issued_before_it_came_in_is_told(built: DbtLake) -> None:
    found = built.query("select lot_id from marts.fct_lot_stock where is_ever_negative")
    assert found == [{"lot_id": "EARLY"}]


def test_a_location_shows_what_may_be_used_and_what_may_not(built: DbtLake) -> None:
    (place,) = built.query("select * exclude (material_id) from marts.fct_location_stock")
    assert place == {
        "location_code": "F-01",
        "material_code": "MA-MIX",
        "lot_count": 4,
        "on_hand_kg": 3450.0,
        "released_kg": 1000.0,
        "quarantined_kg": 2400.0,
        "blocked_kg": 50.0,
        "differing_lot_count": 1,
        "first_expiry_date": date(2027, 5, 1),
    }


def test_every_lot_is_raw_in_process_finished_or_waste_and_knows_its_raw_lots(built: DbtLake) -> None:
    tracked = built.query(
        "select lot_id, stage_code, parent_count, raw_lot_count, child_count, on_hand_kg"
        " from marts.fct_lot_tracking order by lot_id"
    )
    assert [tuple(row.values()) for row in tracked] == [
        ("BLEND", "finished", 1, 1, 0, 2400.0),
        ("BOUGHT", "raw", 0, 0, 1, 0.0),
        ("EARLY", "raw", 0, 0, 0, 0.0),
        ("FINE", "finished", 1, 1, 0, None),
        ("MADE", "in_process", 1, 1, 3, 1000.0),
        ("RESIDUE", "waste", 1, 1, 0, None),
        ("STRANGE", "raw", 0, 0, 0, 50.0),
    ]


def test_only_what_has_left_the_plant_counts_as_shipped(built: DbtLake) -> None:
    shipped = built.query(
        "select lot_id, shipped_kg, last_shipped_at_utc from marts.fct_lot_tracking"
        " where shipment_line_count > 0"
    )
    assert shipped == [{"lot_id": "MADE", "shipped_kg": 4000.0, "last_shipped_at_utc": at(5)}]
