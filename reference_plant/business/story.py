"""The whole history of the business systems, from the seed alone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from reference_plant.business.crews import write_crews
from reference_plant.business.execution import write_execution
from reference_plant.business.journal import Event, Journal
from reference_plant.business.laboratory_samples import samples_of, write_laboratory
from reference_plant.business.plans import plan_batches
from reference_plant.business.production import write_production
from reference_plant.business.purchasing import purchases_of, write_purchasing
from reference_plant.business.quality import write_quality
from reference_plant.business.sales import orders_of, write_masters, write_orders
from reference_plant.business.warehouse import write_warehouse


def events(seed: int, zone: ZoneInfo, start_utc: datetime, end_utc: datetime) -> list[Event]:
    """Every change visible before `end_utc`, in order of commit.

    A longer window only adds events at its end: the story of the same seed and start never changes.
    What happened before `start_utc` (master data, orders taken, material received) is visible at the start.
    """
    plans, deliveries = plan_batches(seed, zone, start_utc, end_utc)
    orders = orders_of(plans)
    journal = Journal(zone, start_utc)
    write_masters(journal, start_utc)
    write_orders(journal, orders)
    write_purchasing(journal, purchases_of(deliveries, seed, journal))
    write_production(journal, plans)
    write_warehouse(journal, plans, deliveries, orders, end_utc)
    write_execution(journal, plans, start_utc)
    write_crews(journal, plans, start_utc, end_utc)
    samples = samples_of(plans, deliveries)
    write_laboratory(journal, samples, plans, start_utc)
    write_quality(journal, samples, orders)
    return journal.events(end_utc)
