"""The MES's part of the story: production orders, batches, what went in and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from reference_plant.business.catalogue import (
    AMMONIA,
    METHANOL,
    MIXED_AMINES,
    STILL_RESIDUE,
    UNMAPPED_MATERIAL,
    Material,
)
from reference_plant.business.journal import Journal
from reference_plant.business.plans import ORDER_LEAD, Charge, Plan
from reference_plant.business.tables import Row

RUNNING, HELD, COMPLETE = 20, 30, 50
OPERATORS = ("OP017", "OP023", "OP031")
# As typed at the panel; the trailing blank is really there.
KILOGRAM_SPELLINGS = ("kg", "KG ", "Kg")
CHARGES_ENTERED = timedelta(minutes=50)
ANTIFOAM_KG = Decimal("3.5000")


def write_production(journal: Journal, plans: Sequence[Plan]) -> None:
    """Every production order with its batch, consumption and output."""
    for plan in plans:
        _write_order(journal, plan)
        _write_batch(journal, plan)
        _write_consumption(journal, plan)
        _write_outputs(journal, plan)


def production_order_id(plan: Plan) -> str:
    """The MES number of the production order a batch belongs to."""
    return f"PO-{plan.batch.batch_id[1:9]}-{plan.number}"


def _write_order(journal: Journal, plan: Plan) -> None:
    created = plan.batch.start_utc - ORDER_LEAD + timedelta(hours=1)
    row: Row = {
        "production_order_id": production_order_id(plan),
        "sales_order_no": plan.order_no,
        "sales_order_item": 10,
        "material_definition_id": MIXED_AMINES.definition_id,
        "planned_quantity": Decimal("7000.0000"),
        "quantity_uom": "kg",
        "order_status": "CREATED",
        "planned_start_at": plan.batch.start_utc,
        "planned_end_at": plan.batch.start_utc + timedelta(hours=7, minutes=30),
    }
    journal.insert("mes.production_orders", created, row)
    steps = (
        (plan.batch.start_utc - timedelta(hours=2), "RELEASED"),
        (plan.batch.start_utc, "RUNNING"),
        (plan.batch.end_utc, "COMPLETED"),
        (plan.batch.end_utc + timedelta(hours=3), "CLOSED"),
    )
    for at, status in steps:
        changes: Row = {"order_status": status}
        journal.update("mes.production_orders", at, (production_order_id(plan),), changes)


def _write_batch(journal: Journal, plan: Plan) -> None:
    batch, key = plan.batch, (plan.batch.batch_id,)
    row: Row = {
        "batch_id": batch.batch_id,
        "production_order_id": production_order_id(plan),
        "equipment_id": "R301",
        "batch_state": RUNNING,
        "started_at": batch.start_utc,
        "ended_at": None,
        "actual_quantity": None,
        "quantity_uom": "kg",
    }
    journal.insert("mes.batches", batch.start_utc + timedelta(seconds=1), row)
    if plan.number == 1:
        held = batch.start_utc + timedelta(minutes=100)
        journal.update("mes.batches", held, key, {"batch_state": HELD})
        journal.update("mes.batches", held + timedelta(minutes=12), key, {"batch_state": RUNNING})
    # The operator reads the weight off the panel; the weighbridge's figure comes hours later.
    read = Decimal(round(batch.product_kg / 50) * 50).quantize(Decimal("0.0001"))
    ended: Row = {"batch_state": COMPLETE, "ended_at": batch.end_utc, "actual_quantity": read}
    journal.update("mes.batches", batch.end_utc, key, ended)
    weighed: Row = {"actual_quantity": kilograms(batch.product_kg)}
    journal.update("mes.batches", batch.end_utc + timedelta(minutes=150), key, weighed)


def _write_consumption(journal: Journal, plan: Plan) -> None:
    draw = plan.draw("consumption")
    first_id = int(f"{plan.batch.batch_id[1:9]}{plan.number}00")
    for place, charge in enumerate(plan.charges):
        row = _consumption(first_id + place, plan, charge)
        row["operator_code"] = draw.choice(OPERATORS)
        typed_wrongly = plan.number == 2 and charge.material is AMMONIA
        if typed_wrongly:
            row["quantity"] = kilograms(charge.kg + 90)
        # The shift enters its list at the end of charging; every other form stays open for a while, so
        # that rows with younger stamps are visible first.
        entered = plan.batch.start_utc + CHARGES_ENTERED + timedelta(seconds=3 * place)
        lag = timedelta(seconds=9 if place % 2 == 0 else 0)
        journal.insert("mes.batch_materials", entered, row, lag=lag)
        if typed_wrongly:
            right: Row = {"quantity": kilograms(charge.kg)}
            journal.update("mes.batch_materials", entered + timedelta(hours=4), (first_id + place,), right)
    if plan.number == 1:
        _write_antifoam(journal, plan, first_id + 90)


def _consumption(consumption_id: int, plan: Plan, charge: Charge) -> Row:
    quantity, unit = _typed(charge.material, charge.kg, plan)
    return {
        "consumption_id": consumption_id,
        "batch_id": plan.batch.batch_id,
        "material_lot_id": charge.lot_no,
        "material_definition_id": charge.material.definition_id,
        "quantity": quantity,
        "quantity_uom": unit,
        "consumed_at": charge.at_utc,
    }


def _typed(material: Material, kg: float, plan: Plan) -> tuple[Decimal, str]:
    if material is METHANOL:
        return (Decimal(str(kg)) / 1000).quantize(Decimal("0.0001")), "t"
    return kilograms(kg), plan.draw(material.sku).choice(KILOGRAM_SPELLINGS)


def _write_antifoam(journal: Journal, plan: Plan, consumption_id: int) -> None:
    at = plan.batch.start_utc + timedelta(minutes=34)
    row: Row = {
        "consumption_id": consumption_id,
        "batch_id": plan.batch.batch_id,
        "material_lot_id": "DEFOAM-0311",
        "material_definition_id": UNMAPPED_MATERIAL,
        "quantity": ANTIFOAM_KG,
        "quantity_uom": "KG ",
        "consumed_at": at,
        "operator_code": OPERATORS[0],
    }
    journal.insert("mes.batch_materials", at, row)


def _write_outputs(journal: Journal, plan: Plan) -> None:
    first_id = int(f"{plan.batch.batch_id[1:9]}{plan.number}0")
    outputs = (
        (plan.output_lot, MIXED_AMINES, "PRODUCT", plan.batch.product_kg),
        (plan.residue_lot, STILL_RESIDUE, "WASTE", plan.residue_kg),
    )
    for place, (lot_no, material, kind, kg) in enumerate(outputs):
        row: Row = {
            "output_id": first_id + place,
            "batch_id": plan.batch.batch_id,
            "material_lot_id": lot_no,
            "material_definition_id": material.definition_id,
            "output_kind": kind,
            "quantity": kilograms(kg),
            "quantity_uom": "kg",
            "produced_at": plan.output_at_utc,
        }
        journal.insert("mes.batch_outputs", plan.output_at_utc + timedelta(seconds=20 * place), row)


def kilograms(kg: float) -> Decimal:
    """A mass with the four decimals every quantity column has."""
    return Decimal(str(kg)).quantize(Decimal("0.0001"))
