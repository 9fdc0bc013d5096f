"""The quality department's part of the story: what did not keep to its specification, and complaints.

- A product that passes when repeated is closed so; wet methanol is accepted by concession.
- Each day's second shipment is complained of, every other time with a lot number that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from reference_plant.business.journal import Journal
from reference_plant.business.laboratory_samples import QUALITY_HEAD, Sample, material_no
from reference_plant.business.sales import Order
from reference_plant.business.tables import Row
from reference_plant.business.warehouse import ship_no

COMPLAINED_AFTER = timedelta(hours=20)


def write_quality(journal: Journal, samples: Sequence[Sample], orders: Sequence[Order]) -> None:
    """Non-conformities of samples and complaints of customers."""
    for sample in samples:
        if sample.is_repeated or sample.is_wet:
            _write_nonconformity(journal, sample)
    for order in orders:
        if order.plan.number == 2:
            _write_complaint(journal, order)


def _write_nonconformity(journal: Journal, sample: Sample) -> None:
    found = sample.times_utc[1] + timedelta(minutes=1)
    nc_no = f"NC{sample.number}"
    row: Row = {
        "nc_no": nc_no,
        "source": sample.sample_type,
        "sample_no": sample.sample_id,
        "lot_no": sample.lot_no,
        "batch_id": sample.batch_id,
        "material_no": material_no(sample.material),
        "parameter": "WATER",
        "severity": 1 if sample.is_repeated else 2,
        "description": "水分超过上限",
        "cause": None,
        "disposition": "OP",
        "responsible": QUALITY_HEAD,
        "opened_at": found,
        "closed_at": None,
    }
    journal.insert("qms.nonconformities", found, row)
    closed = sample.times_utc[2]
    outcome: Row = {
        "disposition": "RT" if sample.is_repeated else "CO",
        "cause": "ANALYSIS" if sample.is_repeated else "SUPPLIER",
        "closed_at": closed,
    }
    journal.update("qms.nonconformities", closed, (nc_no,), outcome)


def _write_complaint(journal: Journal, order: Order) -> None:
    received = order.gone_at_utc + COMPLAINED_AFTER
    number = f"KS{order.plan.order_no}"
    is_misread = int(order.plan.order_no[4:6]) % 2 == 0
    row: Row = {
        "complaint_no": number,
        "customer_no": order.customer.number.lstrip("0"),
        "order_no": order.plan.order_no,
        "shipment_no": ship_no(order),
        "lot_no": f"{order.plan.output_lot}?" if is_misread else order.plan.output_lot,
        "kind": "QUAL",
        "description": "客户反映水分偏高",
        "claimed_qty": Decimal("500.0000"),
        "uom": "kg",
        "received_at": received,
        "answered_at": None,
        "closed_at": None,
        "verdict": "OP",
        "nc_no": None,
    }
    journal.insert("qms.complaints", received, row)
    answered = received + timedelta(hours=6)
    journal.update("qms.complaints", answered, (number,), {"answered_at": answered, "verdict": "UN"})
    closed = answered + timedelta(hours=2)
    journal.update(
        "qms.complaints", closed, (number,), {"closed_at": closed, "lot_no": order.plan.output_lot}
    )
