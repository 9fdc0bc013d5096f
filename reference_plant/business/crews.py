"""The packing line and the crews: packing runs, what the camera takes out, standstills, handovers.

Wrong on purpose, all found again by tests of the story and of the marts:

- the camera takes one container of each day's second batch and two of its third, the last by a false alarm;
- a standstill of the reactor is entered by mistake each day and deleted, one of the packing line is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from datetime import time as wall_time
from decimal import Decimal

from reference_plant.business.catalogue import MIXED_AMINES
from reference_plant.business.execution import (
    CREWS,
    FILLED,
    LEADERS,
    PACKED_AFTER,
    PACKING_LINE,
    REACTOR,
    crew_of,
    record_number,
)
from reference_plant.business.journal import Journal
from reference_plant.business.plans import Plan
from reference_plant.business.production import kilograms
from reference_plant.business.tables import Row

SHIFTS = (("N", wall_time(0)), ("M", wall_time(8)), ("A", wall_time(16)))
IBC_KG = 800


def write_crews(journal: Journal, plans: Sequence[Plan], start: datetime, until: datetime) -> None:
    """What was packed and what stood still, and who handed over to whom."""
    for plan in plans:
        _write_packing(journal, plan)
        if plan.number == 2:
            _write_downtime(journal, plan)
    _write_handovers(journal, start, until)


def _write_packing(journal: Journal, plan: Plan) -> None:
    began = plan.output_at_utc + PACKED_AFTER
    ended = began + timedelta(minutes=5 * FILLED)
    rejected = plan.number - 1  # none, one, two
    key = f"PK-{plan.output_lot}"
    row: Row = {
        "packing_id": key,
        "batch_id": plan.batch.batch_id,
        "material_lot_id": plan.output_lot,
        "material_definition_id": MIXED_AMINES.definition_id,
        "packing_line": PACKING_LINE,
        "crew_code": crew_of(plan),
        "container_kind": "IBC1000",
        "filled": 0,
        "rejected": 0,
        "packed_quantity": kilograms(0),
        "quantity_uom": "kg",
        "started_at": began,
        "ended_at": None,
    }
    journal.insert("mes.packing_records", began, row)
    _write_rejects(journal, plan, key, began, rejected)
    good = FILLED - rejected
    done: Row = {
        "filled": FILLED,
        "rejected": rejected,
        "packed_quantity": kilograms(good * IBC_KG),
        "ended_at": ended,
    }
    journal.update("mes.packing_records", ended, (key,), done)


def _write_rejects(journal: Journal, plan: Plan, packing_id: str, began: datetime, rejected: int) -> None:
    for place in range(rejected):
        at = began + timedelta(minutes=5 * (place + 1))
        seen: Row = {
            "reject_id": record_number(plan) + place,
            "packing_id": packing_id,
            "camera_id": "CAM-501",
            "container_no": place + 1,
            "defect_code": ("LABEL", "LEVEL")[place],
            "confidence_pct": Decimal("97.50"),
            "verdict": "O",
            "detected_at": at,
        }
        journal.insert("mes.vision_rejects", at, seen)
        judged: Row = {"verdict": "F" if place else "C"}
        journal.update(
            "mes.vision_rejects", at + timedelta(minutes=40), (record_number(plan) + place,), judged
        )


def _write_downtime(journal: Journal, plan: Plan) -> None:
    stopped = plan.output_at_utc + timedelta(minutes=10)
    row: Row = {
        "downtime_id": record_number(plan),
        "equipment_id": PACKING_LINE,
        "started_at": stopped,
        "ended_at": None,
        "downtime_kind": "FAILURE",
        "cause_code": None,
    }
    journal.insert("mes.equipment_downtime", stopped, row)
    runs = stopped + timedelta(minutes=25)
    changes: Row = {"ended_at": runs, "cause_code": "SENSOR"}
    journal.update("mes.equipment_downtime", runs, (record_number(plan),), changes)
    mistaken = row | {
        "downtime_id": record_number(plan) + 1,
        "equipment_id": REACTOR,
        "downtime_kind": "WAITING",
    }
    journal.insert("mes.equipment_downtime", stopped + timedelta(minutes=1), mistaken)
    journal.delete("mes.equipment_downtime", stopped + timedelta(minutes=50), (record_number(plan) + 1,))


def _write_handovers(journal: Journal, start: datetime, until: datetime) -> None:
    day = start.astimezone(journal.zone).date()
    # The night crew comes before its day begins.
    while (midnight := datetime.combine(day, wall_time(), journal.zone)) < until + timedelta(days=1):
        for place, (code, hour) in enumerate(SHIFTS):
            began = datetime.combine(day, hour, journal.zone) - timedelta(minutes=10)
            if began >= start:
                _write_handover(journal, f"HO-{midnight:%Y%m%d}-{code}", place, began)
        day += timedelta(days=1)


def _write_handover(journal: Journal, key: str, place: int, began: datetime) -> None:
    to_crew, from_crew = CREWS[place], CREWS[place - 1]
    at = began.astimezone(journal.zone)
    row: Row = {
        "handover_id": key,
        "area_id": "workshop",
        "shift_code": SHIFTS[place][0],
        "from_crew": from_crew,
        "to_crew": to_crew,
        "from_leader": LEADERS[from_crew],
        "to_leader": None,
        "started_at": at,
        "ended_at": None,
        "open_items": place,
        "remarks": None,
    }
    journal.insert("mes.shift_handovers", at, row)
    ended = at + timedelta(minutes=12 + 3 * place)
    changes: Row = {"ended_at": ended, "to_leader": LEADERS[to_crew]}
    journal.update("mes.shift_handovers", ended, (key,), changes)
