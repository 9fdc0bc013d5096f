"""Change logs of ERP, MES, WMS and laboratory → orders, batches, lots, shipments, with a real dbt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from lake import tables
from orchestration.code_corrections import USED_SQL, preview, read_mappings
from tests.fakes.dbt_lake import SITE, DbtLake

AT = datetime(2026, 11, 16, 4, tzinfo=UTC)
GONE_AT = datetime(2026, 11, 16, 13, 30, tzinfo=UTC)
AMINES_ERP, BLEND_ERP = "000000000000500001", "000000000000500002"
METHANOL_MES, AMMONIA_MES, AMINES_MES = "M-1002", "M-1001", "M-5001"
UNMAPPED_MES = "M-7734X"
LADDER_STEPS = 30

Row = dict[str, Any]

CUSTOMER = {
    "customer_id": "0000201001",
    "customer_name": "常州恒远农化有限公司",
    "city_name": "常州",
    "credit_code": "91320400MA1N000A1X",
    "deletion_mark_code": "",
    "created_date": date(2025, 1, 1),
    "updated_at_utc": AT,
}


def material(code: str, name: str) -> Row:
    return {
        "material_code": code,
        "material_name": name,
        "material_type_code": "FERT",
        "base_unit_code": "KG ",
        "hazard_mark_code": "X",
        "deletion_mark_code": "",
        "created_date": date(2025, 1, 1),
        "updated_at_utc": AT,
    }


def order(sales_order_id: str) -> Row:
    return {
        "sales_order_id": sales_order_id,
        "customer_id": "0000201001",
        "order_date": date(2026, 11, 15),
        "requested_date": date(2026, 11, 16),
        "status_code": "A",
        "net_value": Decimal("27200.00"),
        "currency_code": "CNY  ",
        "deletion_mark_code": "",
        "updated_at_utc": AT,
    }


def order_line(sales_order_id: str, line: int, code: str, quantity: str, unit: str) -> Row:
    return {
        "sales_order_id": sales_order_id,
        "line_number": line,
        "material_code": code,
        "quantity": Decimal(quantity),
        "unit_code": unit,
        "delivery_status_code": "A",
        "rejection_code": "",
        "updated_at_utc": AT,
    }


def batch_rows(number: int) -> dict[str, list[Row]]:
    """One batch of one order: what went in (one material that no mapping knows), product and residue."""
    batch_id, order_id = f"B20261116-{number}", f"2611160{number}"
    production_order_id = f"PO-{number}"
    stamped = {"updated_at_utc": AT}

    def charge(place: int, lot: str, code: str, quantity: str, unit: str) -> Row:
        return {
            "consumption_id": number * 10 + place,
            "batch_id": batch_id,
            "lot_id": lot,
            "material_code": code,
            "quantity": Decimal(quantity),
            "unit_code": unit,
            "charged_at_utc": AT,
            "operator_code": "OP017",
            **stamped,
        }

    def output(place: int, lot: str, code: str, kind: str, quantity: str) -> Row:
        return {
            "output_id": number * 10 + place,
            "batch_id": batch_id,
            "lot_id": lot,
            "material_code": code,
            "output_type": kind,
            "quantity": Decimal(quantity),
            "unit_code": "kg",
            "produced_at_utc": AT,
            **stamped,
        }

    return {
        "production_orders": [
            {
                "production_order_id": production_order_id,
                "sales_order_id": order_id,
                "sales_order_line_number": 10,
                "material_code": AMINES_MES,
                "planned_quantity": Decimal(7000),
                "unit_code": "kg",
                "status_code": "CLOSED",
                "planned_start_at_utc": AT,
                "planned_end_at_utc": AT,
                **stamped,
            }
        ],
        "batches": [
            {
                "batch_id": batch_id,
                "production_order_id": production_order_id,
                "equipment_id": "R301",
                "status_code": 50,
                "started_at_utc": AT,
                "ended_at_utc": AT,
                "actual_quantity": Decimal(7100),
                "unit_code": "kg",
                **stamped,
            }
        ],
        "batch_materials": [
            charge(1, "ME-1", METHANOL_MES, "6.0", "t"),
            charge(2, f"AM-{number}", AMMONIA_MES, "1600", "KG "),
            charge(3, "DEFOAM", UNMAPPED_MES, "3.5", "Kg"),
        ],
        "batch_outputs": [
            output(1, f"P{number}", AMINES_MES, "PRODUCT", "7000"),
            output(2, f"HW{number}", "M-9001", "WASTE", "130"),
        ],
    }


def transfer(movement_id: int, source: str, destination: str) -> Row:
    return {
        "movement_id": movement_id,
        "movement_type_code": "309",
        "lot_id": source,
        "destination_lot_id": destination,
        "material_code": "MA-MIX",
        "quantity": Decimal(2000),
        "unit_code": "KG",
        "reference_id": f"TR-{movement_id}",
        "posted_at_utc": AT,
        "updated_at_utc": AT,
    }


def shipment(number: int, lines: list[tuple[str, str, str, str]]) -> tuple[dict[str, Any], list[Row]]:
    shipment_id = f"SH{number}"
    head = {
        "shipment_id": shipment_id,
        "sales_order_id": f"2611160{number}",
        "customer_id": "201001",
        "status_code": 90,
        "planned_date": date(2026, 11, 16),
        "shipped_at_utc": GONE_AT,
        "updated_at_utc": AT,
    }
    body = [
        {
            "shipment_id": shipment_id,
            "line_number": place,
            "lot_id": lot,
            "material_code": sku,
            "quantity": Decimal(quantity),
            "unit_code": unit,
            "updated_at_utc": AT,
        }
        for place, (lot, sku, quantity, unit) in enumerate(lines, start=1)
    ]
    return head, body


def lab_result(value: float, reason: str | None = None) -> Row:
    return {
        "sample_id": "W20261116-01",
        "factor_code": "w01018",
        "outlet_id": "DW001",
        "sampled_at_utc": AT,
        "result_value": value,
        "unit_code": "mg/L",
        "is_below_detection": False,
        "result_text": str(value),
        "method_no": "HJ 828-2017",
        "analyst_name": "陈静",
        "correction_reason": reason,
    }


def append(lake: DbtLake, table: str, rows: list[Row], **how: Any) -> None:
    lake.append_changes(f"raw_{table}", rows, **how)


def load(lake: DbtLake) -> None:
    append(lake, "erp_main__customers", [CUSTOMER])
    append(
        lake, "erp_main__materials", [material(AMINES_ERP, "混合甲胺"), material(BLEND_ERP, "混合甲胺(调和)")]
    )
    append(lake, "erp_main__sales_orders", [order(f"002611160{number}") for number in (1, 2, 3)])
    lines = [
        order_line("0026111601", 10, AMINES_ERP, "4000", "KG "),
        order_line("0026111602", 10, AMINES_ERP, "3000", "KG "),
        order_line("0026111602", 20, BLEND_ERP, "4.5", "TO "),
        order_line("0026111603", 10, AMINES_ERP, "1000", "KG "),
    ]
    append(lake, "erp_main__sales_order_lines", lines)
    append(lake, "erp_main__sales_order_lines", [{**lines[3], "rejection_code": "00"}])
    for number in (1, 2):
        for table, rows in batch_rows(number).items():
            append(lake, f"mes_main__{table}", rows)
    moves = [transfer(1, "P1", "P1-A"), transfer(2, "P1", "BL1"), transfer(3, "P2", "BL1")]
    misposted = transfer(4, "P2", "P1-A")
    append(lake, "wms_main__stock_movements", [*moves, misposted])
    append(lake, "wms_main__stock_movements", [misposted], op="delete")
    for number, picked in (
        (1, [("P1-A", "MA-MIX", "4000", "KG")]),
        (2, [("P2", "MA-MIX", "3000", "KG"), ("BL1", "MA-MIX-B", "4.5", "T")]),
    ):
        head, body = shipment(number, picked)
        append(lake, "wms_main__shipments", [head])
        append(lake, "wms_main__shipment_lines", body)
    append(lake, "lab_manual__water_results", [lab_result(6.1)])
    append(lake, "lab_manual__water_results", [lab_result(61.0, "稀释倍数录入错误")])


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("business")
    lake.load_registers()
    load(lake)
    lake.dbt("build", "--exclude-resource-type", "unit_test")
    return lake


def test_each_order_line_leads_to_its_batches_lots_and_shipments(built: DbtLake) -> None:
    chains = built.query(
        "select sales_order_id, line_number, batch_id, lot_id, shipment_id, stage_code"
        " from marts.fct_order_to_shipment order by all"
    )
    assert [tuple(chain.values()) for chain in chains] == [
        ("26111601", 10, "B20261116-1", "P1-A", "SH1", "shipped"),
        ("26111602", 10, "B20261116-2", "P2", "SH2", "shipped"),
        ("26111602", 20, "B20261116-1", "BL1", "SH2", "shipped"),
        ("26111602", 20, "B20261116-2", "BL1", "SH2", "shipped"),
        ("26111603", 10, None, None, None, "cancelled"),
    ]


def test_tonnes_and_every_spelling_of_kilogram_become_kilograms(built: DbtLake) -> None:
    batches = built.query(
        "select charged_kg, product_kg, waste_kg, actual_kg from marts.fct_production_batches"
    )
    assert (
        batches == [{"charged_kg": 7603.5, "product_kg": 7000.0, "waste_kg": 130.0, "actual_kg": 7100.0}] * 2
    )
    blend = built.query("select quantity_kg from marts.fct_sales_order_lines where line_number = 20")
    assert blend == [{"quantity_kg": 4500.0}]


def test_a_raw_lot_is_followed_forward_to_every_lot_it_is_in(built: DbtLake) -> None:
    found = built.query(
        "select descendant_lot_id, is_direct from marts.fct_lot_genealogy"
        " where ancestor_lot_id = 'ME-1' order by is_direct desc, descendant_lot_id"
    )
    assert [tuple(row.values()) for row in found] == [
        ("HW1", True),
        ("HW2", True),
        ("P1", True),
        ("P2", True),
        ("BL1", False),
        ("P1-A", False),
    ]


def test_a_shipped_lot_is_followed_backward_without_what_was_mis_posted(built: DbtLake) -> None:
    def ancestors(lot_id: str) -> set[str]:
        rows = built.query(
            "select ancestor_lot_id from marts.fct_lot_genealogy where descendant_lot_id = ?", lot_id
        )
        return {row["ancestor_lot_id"] for row in rows}

    assert ancestors("P1-A") == {"P1", "ME-1", "AM-1", "DEFOAM"}
    assert ancestors("BL1") == {"P1", "P2", "ME-1", "AM-1", "AM-2", "DEFOAM"}


def test_a_code_without_a_mapping_is_a_finding_and_its_rows_stay(built: DbtLake) -> None:
    found = built.query("select * exclude (first_seen_at_utc) from ops.ops_unmapped_codes")
    assert found == [
        {
            "system_id": "mes_main",
            "code_type": "material",
            "source_code": UNMAPPED_MES,
            "row_count": 2,
            "table_count": 1,
            "first_table_name": "batch_materials",
            "quantity_kg": 7.0,
            "amount_cny": None,
            "quantity_in_unit": None,
        }
    ]
    into = built.query(
        "select descendant_lot_id from marts.fct_lot_genealogy where ancestor_lot_id = 'DEFOAM' and is_direct"
    )
    assert {row["descendant_lot_id"] for row in into} == {"P1", "P2", "HW1", "HW2"}


def test_a_mapping_for_it_would_map_its_rows_and_nothing_else(built: DbtLake, tmp_path: Path) -> None:
    mappings = SITE / "mappings" / "code_mappings.csv"
    corrected = tmp_path / "corrected.csv"
    added = f"mes_main,material,{UNMAPPED_MES},defoamer,2020-01-01,\n"
    corrected.write_text(mappings.read_text(encoding="utf-8") + added, encoding="utf-8")
    contract = built.contracts["raw_site_register__code_mappings"]
    found = preview(corrected, contract, built.query(USED_SQL), read_mappings(mappings, contract))
    (effect,) = found.effects
    assert (effect.table_name, effect.before, effect.after) == ("batch_materials", None, "defoamer")
    assert (effect.row_count, effect.quantity_kg, effect.amount_cny) == (2, 7.0, None)


def test_a_correction_of_the_laboratory_supersedes_and_the_first_word_is_kept(built: DbtLake) -> None:
    current = built.query("select lab_value, is_corrected, correction_reason from marts.fct_lab_vs_online")
    assert current == [{"lab_value": 61.0, "is_corrected": True, "correction_reason": "稀释倍数录入错误"}]
    raw = tables.read(built.paths.table("raw", "raw_lab_manual__water_results"), columns=["result_value"])
    assert sorted(raw["result_value"].to_pylist()) == [6.1, 61.0]


def ladder(first_movement: int) -> list[Row]:
    """Two lots blended into two, again and again: twice as many ways at each step."""
    ends = [
        (f"R{step}-{source}", f"R{step + 1}-{destination}")
        for step in range(LADDER_STEPS)
        for source, destination in product("AB", repeat=2)
    ]
    return [transfer(number, *pair) for number, pair in enumerate(ends, start=first_movement)]


def test_a_cycle_in_the_genealogy_ends_and_is_told_by_its_documents(built: DbtLake) -> None:
    assert built.query("select * from ops.ops_lot_cycles") == []
    append(built, "wms_main__stock_movements", [transfer(9, "BL1", "P1"), *ladder(first_movement=100)])
    done = built.run_dbt("build", "--select", "int_production__lot_edges+")
    assert done.returncode == 0, done.stdout
    told = built.query("select parent_lot_id, child_lot_id from ops.ops_lot_cycles order by all")
    assert [tuple(row.values()) for row in told] == [("BL1", "P1"), ("P1", "BL1")]
    own = built.query("select * from marts.fct_lot_genealogy where ancestor_lot_id = descendant_lot_id")
    assert own == []
    reached = built.query(
        "select descendant_lot_id from marts.fct_lot_genealogy where ancestor_lot_id = 'R0-A'"
    )
    assert len(reached) == 2 * LADDER_STEPS
