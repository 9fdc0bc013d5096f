"""The ERP's part of the story: master data and its changes, sales orders from order to delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from reference_plant.business.catalogue import (
    CUSTOMERS,
    MATERIALS,
    MIXED_AMINES,
    MIXED_AMINES_BLEND,
    SUPPLIERS,
    Material,
    Partner,
)
from reference_plant.business.journal import Journal
from reference_plant.business.plans import ORDER_LEAD, Plan
from reference_plant.business.tables import Row, yyyymmdd

PRICE_CNY_PER_KG = Decimal("6.80")
ORDER_BOOKING = timedelta(minutes=20)


@dataclass(frozen=True)
class OrderLine:
    """What a customer asks for in one line."""

    posnr: str
    material: Material
    kg: int
    unit: str  # as the ERP writes it


@dataclass(frozen=True)
class Order:
    """One sales order and when it leaves the plant."""

    plan: Plan
    customer: Partner
    lines: tuple[OrderLine, ...]
    ordered_at_utc: datetime
    gone_at_utc: datetime


def orders_of(plans: Sequence[Plan]) -> list[Order]:
    """One order a batch; that of the day's second batch also takes the day's blend."""
    firsts = {plan.batch.batch_id[:-2] for plan in plans if plan.number == 1}
    return [_order(plan, has_blend=plan.batch.batch_id[:-2] in firsts) for plan in plans]


def _order(plan: Plan, *, has_blend: bool) -> Order:
    kg = {1: 4000, 2: 3000, 3: 5000}[plan.number]
    lines = [OrderLine("000010", MIXED_AMINES, kg, "KG ")]
    if plan.number == 2 and has_blend:
        lines.append(OrderLine("000020", MIXED_AMINES_BLEND, 4500, "TO "))
    wait = {1: 360, 2: 390, 3: 570}[plan.number]
    return Order(
        plan=plan,
        customer=plan.draw("customer").choice(CUSTOMERS[:3]),
        lines=tuple(lines),
        ordered_at_utc=plan.batch.start_utc - ORDER_LEAD,
        gone_at_utc=plan.output_at_utc + timedelta(minutes=wait),
    )


def write_masters(journal: Journal, start_utc: datetime) -> None:
    """Customers, suppliers and materials from long ago, and what changes in them while we watch."""
    created = start_utc - timedelta(days=400)
    for customer in CUSTOMERS:
        buyer: Row = {"kunnr": customer.number}
        journal.insert("erp.customers", created, buyer | _partner(journal, customer, created))
    for supplier in SUPPLIERS:
        seller: Row = {"lifnr": supplier.number, "xkzh": supplier.permit, "sperr": " "}
        journal.insert("erp.suppliers", created, seller | _partner(journal, supplier, created))
    for material in MATERIALS:
        journal.insert("erp.materials", created, _material(journal, material, created))
    _change_masters(journal, start_utc)


def _change_masters(journal: Journal, start_utc: datetime) -> None:
    renamed, deleted = CUSTOMERS[1], CUSTOMERS[3]
    name = renamed.name_zh.replace("有限公司", "股份有限公司")
    journal.update("erp.customers", start_utc + timedelta(hours=10), (renamed.number,), {"name1": name})
    gone_at = start_utc + timedelta(hours=25, minutes=50)
    journal.update("erp.customers", gone_at, (deleted.number,), {"loevm": "X"})
    blocked_at = start_utc + timedelta(hours=26, minutes=15)
    journal.update("erp.suppliers", blocked_at, (SUPPLIERS[3].number,), {"sperr": "X"})


def _partner(journal: Journal, partner: Partner, created: datetime) -> Row:
    return {
        "name1": partner.name_zh,
        "ort01": partner.city_zh,
        "tyshxydm": partner.credit_code,
        "loevm": " ",
        "erdat": yyyymmdd(created, journal.zone),
    }


def _material(journal: Journal, material: Material, created: datetime) -> Row:
    return {
        "matnr": material.matnr,
        "maktx": material.name_zh,
        "mtart": material.mtart,
        "meins": material.meins,
        "casnr": material.cas,
        "whpbz": "X" if material.is_hazardous else " ",
        "loevm": " ",
        "erdat": yyyymmdd(created, journal.zone),
    }


def write_orders(journal: Journal, orders: Sequence[Order]) -> None:
    """Sales orders: entered, sometimes amended, delivered; one a day is cancelled and only marked so."""
    for order in orders:
        vbeln = f"00{order.plan.order_no}"
        _enter(journal, vbeln, order)
        if order.plan.draw("amend").random() < 0.4:
            _amend(journal, vbeln, order)
        _deliver(journal, vbeln, order)
        if order.plan.number == 1:
            _cancelled_order(journal, order)


def _enter(journal: Journal, vbeln: str, order: Order) -> None:
    value = sum(line.kg for line in order.lines) * PRICE_CNY_PER_KG
    header: Row = {
        "vbeln": vbeln,
        "kunnr": order.customer.number,
        "audat": yyyymmdd(order.ordered_at_utc, journal.zone),
        "vdatu": yyyymmdd(order.gone_at_utc, journal.zone),
        "gbstk": "A",
        "netwr": value.quantize(Decimal("0.01")),
        "waerk": "CNY  ",
        "loevm": " ",
    }
    journal.insert("erp.sales_orders", order.ordered_at_utc, header)
    for line in order.lines:
        journal.insert(
            "erp.sales_order_lines", order.ordered_at_utc + timedelta(seconds=2), _line(vbeln, line)
        )


def _line(vbeln: str, line: OrderLine) -> Row:
    quantity = Decimal(line.kg) / (1000 if line.unit == "TO " else 1)
    return {
        "vbeln": vbeln,
        "posnr": line.posnr,
        "matnr": line.material.matnr,
        "kwmeng": quantity.quantize(Decimal("0.001")),
        "vrkme": line.unit,
        "lfsta": "A",
        "abgru": "  ",
    }


def _amend(journal: Journal, vbeln: str, order: Order) -> None:
    at = order.ordered_at_utc + timedelta(hours=3)
    value = sum(line.kg for line in order.lines) * PRICE_CNY_PER_KG * Decimal("0.98")
    journal.update("erp.sales_orders", at, (vbeln,), {"netwr": value.quantize(Decimal("0.01"))})


def _deliver(journal: Journal, vbeln: str, order: Order) -> None:
    booked = order.gone_at_utc + ORDER_BOOKING
    for second, line in enumerate(order.lines):
        at = booked + timedelta(seconds=second)
        # The first line's transaction stays open longest: its stamp is the oldest and shows last.
        lag = timedelta(seconds=7 if second == 0 else 0)
        journal.update("erp.sales_order_lines", at, (vbeln, line.posnr), {"lfsta": "C"}, lag=lag)
    journal.update("erp.sales_orders", booked + timedelta(seconds=3), (vbeln,), {"gbstk": "C"})


def _cancelled_order(journal: Journal, order: Order) -> None:
    entered = order.plan.batch.start_utc + timedelta(minutes=90)
    vbeln = f"00{order.plan.order_no[:-2]}91"
    line = OrderLine("000010", MIXED_AMINES, 1000, "KG ")
    cancelled = Order(order.plan, CUSTOMERS[0], (line,), entered, entered + timedelta(days=2))
    _enter(journal, vbeln, cancelled)
    at = entered + timedelta(minutes=50)
    journal.update("erp.sales_order_lines", at, (vbeln, line.posnr), {"abgru": "00"})
    journal.update("erp.sales_orders", at + timedelta(seconds=1), (vbeln,), {"loevm": "X"})
