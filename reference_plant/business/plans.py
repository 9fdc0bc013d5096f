"""What is planned around each batch: its order, the lots it draws, the lots it makes.

Plans follow the batches in order, because a raw lot is drawn until it is empty and then the
next one is opened.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reference_plant.business.catalogue import AMMONIA, CATALYST, CHLORINE, METHANOL, Material
from reference_plant.plant.batches import Batch, PhaseCode, batches_between

# No event of a batch lies further before its start than its sales order, the delivery it waits for, and that
# delivery's purchase order.
LOOK_AHEAD = timedelta(days=3)
ORDER_LEAD = timedelta(hours=14)
DELIVERY_LEAD = timedelta(hours=5)

LOT_KG = {METHANOL.sku: 14_000.0, AMMONIA.sku: 4_000.0, CHLORINE.sku: 1_000.0, CATALYST.sku: 500.0}
LOT_PREFIX = {METHANOL.sku: "ME", AMMONIA.sku: "AM", CHLORINE.sku: "CYL", CATALYST.sku: "CA"}
CATALYST_KG = 15.0


@dataclass(frozen=True)
class Delivery:
    """A raw-material lot on its way in."""

    lot_no: str
    material: Material
    kg: float
    at_utc: datetime


@dataclass(frozen=True)
class Charge:
    """Part of one lot put into a batch."""

    lot_no: str
    material: Material
    kg: float
    at_utc: datetime


@dataclass(frozen=True)
class Plan:
    """One batch with everything the business systems say about it."""

    batch: Batch
    number: int  # 1 to 3 in its day
    order_no: str  # ERP order without leading zeros
    charges: tuple[Charge, ...]
    output_lot: str
    output_at_utc: datetime
    residue_lot: str
    residue_kg: float

    def draw(self, topic: str) -> random.Random:
        """A generator of this batch's own, so that no batch disturbs another's numbers."""
        return random.Random(f"{self.batch.batch_id}:{self.batch.product_kg}:{topic}")


@dataclass
class RawStores:
    """Raw lots in the order they are drawn; orders a new one when what is there will not do."""

    zone: ZoneInfo
    deliveries: list[Delivery] = field(default_factory=list)
    _left: dict[str, float] = field(default_factory=dict)
    _open: dict[str, Delivery] = field(default_factory=dict)

    def take(self, material: Material, kg: float, batch: Batch, at_utc: datetime) -> list[Charge]:
        """Charges that together weigh `kg`, from the open lot and, if that runs out, the next."""
        charges = []
        wanted = kg
        while wanted > 0:
            if self._left.get(material.sku, 0.0) <= 0:
                self._order(material, batch.start_utc - DELIVERY_LEAD)
            part = round(min(wanted, self._left[material.sku]), 1)
            self._left[material.sku] = round(self._left[material.sku] - part, 1)
            wanted = round(wanted - part, 1)
            charges.append(Charge(self._open[material.sku].lot_no, material, part, at_utc))
        return charges

    def _order(self, material: Material, at_utc: datetime) -> None:
        ordinal = sum(delivery.material is material for delivery in self.deliveries) + 1
        lot_no = f"{LOT_PREFIX[material.sku]}{at_utc.astimezone(self.zone):%y%m%d}-{ordinal:03d}"
        delivery = Delivery(lot_no, material, LOT_KG[material.sku], at_utc)
        self.deliveries.append(delivery)
        self._open[material.sku] = delivery
        self._left[material.sku] = delivery.kg


def plan_batches(
    seed: int, zone: ZoneInfo, start_utc: datetime, end_utc: datetime
) -> tuple[list[Plan], list[Delivery]]:
    """Plans of every batch begun since `start_utc` that can cause an event before `end_utc`."""
    stores = RawStores(zone)
    batches = batches_between(seed, zone, start_utc, end_utc + LOOK_AHEAD)
    plans = [_plan(batch, stores) for batch in batches if batch.start_utc >= start_utc]
    return plans, stores.deliveries


def _plan(batch: Batch, stores: RawStores) -> Plan:
    day, number = batch.batch_id[1:9], int(batch.batch_id[-1])
    charging = batch.phase(PhaseCode.CHARGING).start_utc
    doses = (
        (CATALYST, CATALYST_KG, 3),
        (METHANOL, batch.methanol_kg, 6),
        (AMMONIA, batch.ammonia_kg, 30),
        (CHLORINE, batch.chlorine_kg, 48),
    )
    charges = [
        charge
        for material, kg, minute in doses
        for charge in stores.take(material, kg, batch, charging + timedelta(minutes=minute))
    ]
    return Plan(
        batch=batch,
        number=number,
        order_no=f"{day[2:]}{number:02d}",
        charges=tuple(charges),
        output_lot=f"P{day[2:]}{number}",
        output_at_utc=batch.phase(PhaseCode.DISCHARGING).end_utc,
        residue_lot=f"HW11-{day[2:]}{number}",
        residue_kg=round((batch.methanol_kg + batch.ammonia_kg) * 0.017, 1),
    )
