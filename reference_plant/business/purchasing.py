"""The ERP's purchasing: an order for each delivery, its receipt, the supplier's invoice and its payment.

Wrong on purpose, all found again by tests of the story and of the marts:

- every second ammonia receipt is posted with ten times its quantity, reversed 40 minutes later,
  and posted right;
- every third methanol invoice is 4 % dearer than ordered: blocked, reversed after 26 hours and made anew;
- every second chlorine or catalyst and every third ammonia invoice names an order that does not exist,
  until somebody corrects it five hours later;
- every second methanol order has a line that is cancelled, and the receipts of every third delivery are
  entered in a form that stays open: their stamps are older than what shows before them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from reference_plant.business.catalogue import AMMONIA, CATALYST, CHLORINE, METHANOL, SUPPLIER_OF, Partner
from reference_plant.business.journal import Journal
from reference_plant.business.plans import Delivery
from reference_plant.business.tables import Row, Value, yyyymmdd

ORDERED_AHEAD = timedelta(hours=50)
RECEIPT_ENTERED = timedelta(minutes=25)
REVERSED_AFTER = timedelta(minutes=40)
INVOICED_AFTER = timedelta(hours=20)
INVOICE_CORRECTED_AFTER = timedelta(hours=5)
INVOICE_REPLACED_AFTER = timedelta(hours=26)
TAX = Decimal("0.13")
LIST_PRICE_CNY_T = {
    AMMONIA: Decimal(2980),
    METHANOL: Decimal(2450),
    CHLORINE: Decimal(410),
    CATALYST: Decimal(86000),
}
DAYS_TO_PAY = {AMMONIA: 1, METHANOL: 30, CHLORINE: 30, CATALYST: 1}
_CENT, _GRAM = Decimal("0.01"), Decimal("0.001")
_NO_SUCH_ORDER = "4599999999"


@dataclass(frozen=True)
class Purchase:
    """One order line with the delivery that fulfils it."""

    delivery: Delivery
    ordinal: int  # counts the deliveries of its material from 1
    number: str  # eight digits that its documents share
    price_cny_t: Decimal
    ordered_kg: float
    is_promised_earlier: bool

    @property
    def order_id(self) -> str:
        """The purchase order's number."""
        return f"45{self.number}"

    @property
    def supplier(self) -> Partner:
        """Who delivers."""
        return SUPPLIER_OF[self.delivery.material.sku]

    @property
    def unit(self) -> str:
        """The purchasing unit as the ERP writes it."""
        return self.delivery.material.meins

    @property
    def has_wrong_receipt(self) -> bool:
        """Whether the receipt is first posted with ten times its quantity."""
        return self.delivery.material is AMMONIA and self.ordinal % 2 == 0

    @property
    def has_dear_invoice(self) -> bool:
        """Whether the first invoice is 4 % dearer than ordered."""
        return self.delivery.material is METHANOL and self.ordinal % 3 == 2

    @property
    def has_stray_invoice(self) -> bool:
        """Whether the invoice first names an order that does not exist."""
        every = {AMMONIA: 3, CHLORINE: 2, CATALYST: 2}.get(self.delivery.material)
        return every is not None and self.ordinal % every == 0

    def quantity(self, kg: float) -> Decimal:
        """A mass in the purchasing unit."""
        return (Decimal(str(kg)) / (1000 if self.unit == "TO " else 1)).quantize(_GRAM)

    def net_cny(self, price_cny_t: Decimal | None = None) -> Decimal:
        """What the delivered mass costs without tax."""
        price = self.price_cny_t if price_cny_t is None else price_cny_t
        return (Decimal(str(self.delivery.kg)) / 1000 * price).quantize(_CENT)


def purchases_of(deliveries: Sequence[Delivery], seed: int, journal: Journal) -> list[Purchase]:
    """One purchase a delivery, in their order."""
    of_material: Counter[str] = Counter()
    of_day: Counter[str] = Counter()
    found = []
    for delivery in deliveries:
        sku = delivery.material.sku
        day = f"{delivery.at_utc.astimezone(journal.zone):%y%m%d}"
        place = list(LIST_PRICE_CNY_T).index(delivery.material) + 1
        of_material[sku] += 1
        of_day[sku + day] += 1
        draw = random.Random(f"{seed}:{delivery.lot_no}:purchase")
        price = LIST_PRICE_CNY_T[delivery.material] * Decimal(str(round(draw.uniform(0.98, 1.02), 4)))
        short = draw.random() < 0.15
        found.append(
            Purchase(
                delivery=delivery,
                ordinal=of_material[sku],
                number=f"{day}{place}{of_day[sku + day]}",
                price_cny_t=price.quantize(_CENT),
                ordered_kg=round(delivery.kg * 1.03, -1) if short else delivery.kg,
                is_promised_earlier=draw.random() < 0.2,
            )
        )
    return found


def write_purchasing(journal: Journal, purchases: Sequence[Purchase]) -> None:
    """Orders, receipts and invoices of all purchases."""
    for purchase in purchases:
        _order(journal, purchase)
        for at, lag, row in receipts_of(journal, purchase):
            journal.insert("erp.purchase_receipts", at, row, lag=lag)
        done = purchase.delivery.at_utc + RECEIPT_ENTERED + timedelta(minutes=1)
        journal.update("erp.purchase_order_lines", done, (purchase.order_id, "00010"), {"elikz": "X"})
        _invoice(journal, purchase)


def _order(journal: Journal, purchase: Purchase) -> None:
    at = purchase.delivery.at_utc - ORDERED_AHEAD
    header: Row = {
        "ebeln": purchase.order_id,
        "lifnr": purchase.supplier.number,
        "bedat": yyyymmdd(at, journal.zone),
        "frgke": "B",
        "zterm": f"Z{DAYS_TO_PAY[purchase.delivery.material]:03d}",
        "waers": "CNY  ",
        "loekz": " ",
    }
    journal.insert("erp.purchase_orders", at, header)
    released = at + timedelta(minutes=90)
    journal.update("erp.purchase_orders", released, (purchase.order_id,), {"frgke": "G"})
    lines = [("00010", purchase.ordered_kg)]
    if purchase.delivery.material is METHANOL and purchase.ordinal % 2 == 1:
        lines.append(("00020", 10_000.0))
    for second, (ebelp, kg) in enumerate(lines, start=2):
        journal.insert(
            "erp.purchase_order_lines",
            at + timedelta(seconds=second),
            _line(journal, purchase, ebelp, kg),
        )
    if len(lines) > 1:
        cancelled = at + timedelta(hours=3)
        journal.update("erp.purchase_order_lines", cancelled, (purchase.order_id, "00020"), {"loekz": "L"})


def _line(journal: Journal, purchase: Purchase, ebelp: str, kg: float) -> Row:
    promised = purchase.delivery.at_utc - timedelta(days=1 if purchase.is_promised_earlier else 0)
    return {
        "ebeln": purchase.order_id,
        "ebelp": ebelp,
        "matnr": purchase.delivery.material.matnr,
        "menge": purchase.quantity(kg),
        "meins": purchase.unit,
        "netpr": purchase.price_cny_t,
        "peinh": 1 if purchase.unit == "TO " else 1000,
        "waers": "CNY  ",
        "eindt": yyyymmdd(promised, journal.zone),
        "elikz": " ",
        "loekz": " ",
    }


def receipts_of(journal: Journal, purchase: Purchase) -> Iterator[tuple[datetime, timedelta, Row]]:
    """When each receipt document is entered, how much later it shows, and its row."""
    at = purchase.delivery.at_utc + RECEIPT_ENTERED
    lag = timedelta(seconds=6 if purchase.ordinal % 3 == 0 else 0)
    first = f"50{purchase.number}"
    if not purchase.has_wrong_receipt:
        yield at, lag, _receipt(journal, purchase, first, at, "101", purchase.delivery.kg)
        return
    typed_kg = purchase.delivery.kg * 10
    found = at + REVERSED_AFTER
    yield at, lag, _receipt(journal, purchase, first, at, "101", typed_kg)
    undone = _receipt(journal, purchase, f"51{purchase.number}", found, "102", typed_kg)
    yield found, lag, undone | {"smbln": first}
    again = found + timedelta(minutes=2)
    yield again, lag, _receipt(journal, purchase, f"52{purchase.number}", again, "101", purchase.delivery.kg)


def _receipt(
    journal: Journal, purchase: Purchase, mblnr: str, at_utc: datetime, bwart: str, kg: float
) -> Row:
    return {
        "mblnr": mblnr,
        "zeile": "0001",
        "bwart": bwart,
        "ebeln": purchase.order_id,
        "ebelp": "00010",
        "matnr": purchase.delivery.material.matnr,
        "charg": purchase.delivery.lot_no,
        "menge": purchase.quantity(kg),
        "meins": purchase.unit,
        "lfbnr": f"DN{purchase.delivery.lot_no}",
        "smbln": None,
        "budat": yyyymmdd(at_utc, journal.zone),
    }


def _invoice(journal: Journal, purchase: Purchase) -> None:
    at = purchase.delivery.at_utc + INVOICED_AFTER
    belnr = f"60{purchase.number}"
    if purchase.has_dear_invoice:
        dear = (purchase.price_cny_t * Decimal("1.04")).quantize(_CENT)
        blocked = _invoice_row(journal, purchase, belnr, at, dear) | {"zlspr": "R"}
        journal.insert("erp.purchase_invoices", at, blocked)
        at += INVOICE_REPLACED_AFTER
        undone, belnr = belnr, f"61{purchase.number}"
        journal.update("erp.purchase_invoices", at - timedelta(minutes=1), (undone,), {"stblg": belnr})
    row = _invoice_row(journal, purchase, belnr, at, purchase.price_cny_t)
    if purchase.has_stray_invoice:
        journal.insert("erp.purchase_invoices", at, row | {"ebeln": _NO_SUCH_ORDER})
        right: dict[str, Value] = {"ebeln": purchase.order_id}
        journal.update("erp.purchase_invoices", at + INVOICE_CORRECTED_AFTER, (belnr,), right)
    else:
        journal.insert("erp.purchase_invoices", at, row)
    paid = at + timedelta(days=DAYS_TO_PAY[purchase.delivery.material])
    journal.update("erp.purchase_invoices", paid, (belnr,), {"augdt": yyyymmdd(paid, journal.zone)})


def _invoice_row(
    journal: Journal, purchase: Purchase, belnr: str, at_utc: datetime, price_cny_t: Decimal
) -> Row:
    net = purchase.net_cny(price_cny_t)
    return {
        "belnr": belnr,
        "ebeln": purchase.order_id,
        "ebelp": "00010",
        "lifnr": purchase.supplier.number,
        "xblnr": f"FP{purchase.number}",
        "bldat": yyyymmdd(at_utc - timedelta(hours=6), journal.zone),
        "budat": yyyymmdd(at_utc, journal.zone),
        "menge": purchase.quantity(purchase.delivery.kg),
        "meins": purchase.unit,
        "wrbtr": net,
        "wmwst": (net * TAX).quantize(_CENT),
        "waers": "CNY  ",
        "zlspr": " ",
        "augdt": " " * 8,
        "stblg": " " * 10,
    }
