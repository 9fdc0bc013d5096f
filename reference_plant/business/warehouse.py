"""The WMS's part of the story: receipts, issues to batches, one split and one blend a day, shipments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from reference_plant.business.catalogue import (
    CATALYST,
    MIXED_AMINES,
    MIXED_AMINES_BLEND,
    STILL_RESIDUE,
    SUPPLIER_OF,
    Material,
)
from reference_plant.business.journal import Journal
from reference_plant.business.plans import Delivery, Plan
from reference_plant.business.sales import Order
from reference_plant.business.stock import (
    Lot,
    Posting,
    stock_quantity,
    stock_unit,
    write_stock,
)
from reference_plant.business.tables import Row

RELEASE_AFTER = timedelta(hours=2)
SPLIT_AFTER = timedelta(hours=3)
BLEND_AFTER = timedelta(hours=3, minutes=30)
NEXT_SCAN = timedelta(seconds=2)
SPLIT_KG = 2000.0
BLEND_KG = (2000.0, 2500.0)
DRIVERS = (("张建国", "苏D58213"), ("李海峰", "苏E90177"), ("王志强", "浙B33620"))

Pick = tuple[str, Material, float]


def write_warehouse(
    journal: Journal,
    plans: Sequence[Plan],
    deliveries: Sequence[Delivery],
    orders: Sequence[Order],
    until: datetime,
) -> None:
    """Lots, movements and shipments of all plans."""
    lots = [_delivered(delivery) for delivery in deliveries]
    postings = [Posting(d.at_utc, "101", d.lot_no, d.material, d.kg, f"DN{d.lot_no}") for d in deliveries]
    for plan in plans:
        lots += _made(plan)
        postings += _issued(plan)
    firsts = {plan.batch.batch_id[:-2]: plan for plan in plans if plan.number == 1}
    for order in orders:
        first = firsts.get(order.plan.batch.batch_id[:-2])
        lots += _regrouped_lots(order.plan, first)
        postings += _regrouped(order.plan, first)
        picks = list(_picks(order))
        postings += [
            Posting(order.gone_at_utc, "601", lot_no, material, kg, ship_no(order))
            for lot_no, material, kg in picks
        ]
        _write_shipment(journal, order, picks)
    write_stock(journal, lots, postings, until)


def _delivered(delivery: Delivery) -> Lot:
    supplier = SUPPLIER_OF[delivery.material.sku]
    return Lot(
        delivery.lot_no,
        delivery.material,
        delivery.at_utc,
        delivery.at_utc + RELEASE_AFTER,
        bin_loc="TK-01" if delivery.material is not CATALYST else "A-03-2",
        vendor_no=supplier.number.lstrip("0"),
        vendor_lot_no=f"V{delivery.lot_no[::-1]}",
    )


def _made(plan: Plan) -> list[Lot]:
    at, released = plan.output_at_utc, plan.output_at_utc + RELEASE_AFTER
    year = timedelta(days=365)
    return [
        Lot(plan.output_lot, MIXED_AMINES, at, released, "TK-05", keeps=year),
        Lot(plan.residue_lot, STILL_RESIDUE, at, released, "HW-01"),
    ]


def _issued(plan: Plan) -> list[Posting]:
    batch_id = plan.batch.batch_id
    soon = timedelta(minutes=2)
    issues = [Posting(c.at_utc + soon, "261", c.lot_no, c.material, c.kg, batch_id) for c in plan.charges]
    if plan.number == 1:
        catalyst = next(charge for charge in plan.charges if charge.material is CATALYST)
        posted = plan.batch.start_utc + timedelta(minutes=35)
        # Posted twice by mistake, found an hour later, deleted without a trace.
        withdrawn = posted + timedelta(minutes=50)
        twice = Posting(
            posted, "261", catalyst.lot_no, CATALYST, catalyst.kg, batch_id, withdrawn_at_utc=withdrawn
        )
        issues.append(twice)
    at = plan.output_at_utc + soon
    return [
        *issues,
        Posting(at, "131", plan.output_lot, MIXED_AMINES, plan.batch.product_kg, batch_id),
        Posting(at + NEXT_SCAN, "131", plan.residue_lot, STILL_RESIDUE, plan.residue_kg, batch_id),
    ]


def _split_lots(plan: Plan) -> tuple[str, str]:
    return f"{plan.output_lot}-A", f"{plan.output_lot}-B"


def _blend_lot(plan: Plan) -> str:
    return f"BL{plan.batch.batch_id[3:9]}"


def _regrouped_lots(plan: Plan, first: Plan | None) -> list[Lot]:
    if plan.number == 1:
        at = plan.output_at_utc + SPLIT_AFTER
        return [Lot(lot_no, MIXED_AMINES, at, at, "B-01-4") for lot_no in _split_lots(plan)]
    if plan.number == 2 and first is not None:
        at = plan.output_at_utc + BLEND_AFTER
        return [Lot(_blend_lot(plan), MIXED_AMINES_BLEND, at, at, "TK-06")]
    return []


def _regrouped(plan: Plan, first: Plan | None) -> list[Posting]:
    """The first batch's lot is split in two; the rest of it and the second's are blended."""
    moves: list[tuple[datetime, str, float, str]] = []
    if plan.number == 1:
        at = plan.output_at_utc + SPLIT_AFTER
        moves = [(at, plan.output_lot, SPLIT_KG, lot_no) for lot_no in _split_lots(plan)]
    elif plan.number == 2 and first is not None:
        at = plan.output_at_utc + BLEND_AFTER
        sources = (first.output_lot, plan.output_lot)
        moves = [(at, lot_no, kg, _blend_lot(plan)) for lot_no, kg in zip(sources, BLEND_KG, strict=True)]
    reference = f"TR{plan.batch.batch_id[3:9]}-{plan.number}"
    return [
        Posting(at + place * NEXT_SCAN, "309", lot_no, MIXED_AMINES, kg, reference, dest_lot_no=dest)
        for place, (at, lot_no, kg, dest) in enumerate(moves)
    ]


def _picks(order: Order) -> Iterator[Pick]:
    for line in order.lines:
        if line.material is MIXED_AMINES_BLEND:
            yield _blend_lot(order.plan), MIXED_AMINES_BLEND, line.kg
        elif order.plan.number == 1:
            for lot_no in _split_lots(order.plan):
                yield lot_no, MIXED_AMINES, SPLIT_KG
        else:
            yield order.plan.output_lot, MIXED_AMINES, line.kg


def ship_no(order: Order) -> str:
    """The WMS number of the shipment that fulfils an order."""
    return f"SH{order.plan.order_no}"


def _write_shipment(journal: Journal, order: Order, picks: Sequence[Pick]) -> None:
    gone, number = order.gone_at_utc, ship_no(order)
    row: Row = {
        "ship_no": number,
        "so_no": order.plan.order_no,
        "cust_no": order.customer.number.lstrip("0"),
        "status_cd": 0,
        "planned_dt": gone.astimezone(journal.zone).date(),
        "gone_at_local": None,
        "truck_no": None,
        "driver_name": None,
    }
    journal.insert("wms.shipments", order.ordered_at_utc + timedelta(hours=2), row)
    picked = gone - timedelta(minutes=90)
    journal.update("wms.shipments", picked, (number,), {"status_cd": 10})
    for line_no, (lot_no, material, kg) in enumerate(picks, start=1):
        line: Row = {
            "ship_no": number,
            "line_no": line_no,
            "lot_no": lot_no,
            "sku": material.sku,
            "qty": stock_quantity(material, kg),
            "uom": stock_unit(material),
        }
        journal.insert("wms.shipment_lines", picked + timedelta(seconds=line_no), line)
    driver, truck = order.plan.draw("driver").choice(DRIVERS)
    loaded: Row = {"status_cd": 20, "truck_no": truck, "driver_name": driver}
    journal.update("wms.shipments", gone - timedelta(minutes=30), (number,), loaded)
    left: Row = {"status_cd": 90, "gone_at_local": f"{gone.astimezone(journal.zone):%Y/%m/%d %H:%M:%S}"}
    journal.update("wms.shipments", gone, (number,), left)
