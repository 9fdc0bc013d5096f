"""The MES's record of how batches were made: operations, phases, doses, documents, signatures.

Wrong on purpose, all found again by tests of the story and of the marts:

- the chlorine of each day's third batch is dosed 1.2 % over its target, the allowed deviation is 0.5 %;
- the reaction of each day's second batch runs two degrees above its recipe;
- the charging of each day's second batch is not signed by the one who should check it;
- the recipe of each day's third order is never acknowledged, each day's second order gets its on paper.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from reference_plant.business.catalogue import CATALYST, CHLORINE, MIXED_AMINES
from reference_plant.business.journal import Journal
from reference_plant.business.plans import Plan
from reference_plant.business.production import OPERATORS, kilograms, production_order_id
from reference_plant.business.tables import Row
from reference_plant.plant.batches import PhaseCode

REACTOR, PACKING_LINE = "R301", "PK501"
CREWS = ("C-A", "C-B", "C-C")
LEADERS = {"C-A": "OP101", "C-B": "OP102", "C-C": "OP103"}
PACKED_AFTER = timedelta(minutes=45)
FILLED = 5
RECIPE, RECIPE_VERSION = "RC-5001", 3
# Phase, parameter, unit, lower and upper limit of the recipe, and where a sound value lies.
_PARAMETERS = (
    (PhaseCode.REACTING, "TEMP", "Cel", "380", "400", (384.0, 396.0)),
    (PhaseCode.REACTING, "PRESSURE", "MPa", "2.0", "2.4", (2.1, 2.3)),
    (PhaseCode.COOLING, "TEMP", "Cel", "30", "60", (35.0, 50.0)),
)


def write_execution(journal: Journal, plans: Sequence[Plan], start: datetime) -> None:
    """The recipe, and how each batch was made by it."""
    _write_documents(journal, start)
    for plan in plans:
        _write_operations(journal, plan)
        _write_phases(journal, plan)
        _write_doses(journal, plan)
        _write_acknowledgement(journal, plan)
        _write_signatures(journal, plan)


def crew_of(plan: Plan) -> str:
    """The crew on duty when a batch begins."""
    return CREWS[plan.number - 1]


def record_number(plan: Plan) -> int:
    """The first of a hundred numbers that a batch's records share."""
    return int(f"{plan.batch.batch_id[1:9]}{plan.number}00")


def _write_documents(journal: Journal, start: datetime) -> None:
    for version in range(1, RECIPE_VERSION + 1):
        at = start - timedelta(days=400 - 100 * version)
        title = "混合甲胺工艺配方"
        row: Row = {
            "document_id": RECIPE,
            "version_no": version,
            "title": title,
            "document_kind": "RECIPE",
            "material_definition_id": MIXED_AMINES.definition_id,
            "approved_by": LEADERS["C-A"],
            "effective_at": at,
            "withdrawn_at": None,
            "content_sha256": hashlib.sha256(f"{title} {version}".encode()).hexdigest(),
        }
        journal.insert("mes.process_documents", at, row)
        if version < RECIPE_VERSION:
            until = at + timedelta(days=100)
            journal.update("mes.process_documents", until, (RECIPE, version), {"withdrawn_at": until})


def _write_operations(journal: Journal, plan: Plan) -> None:
    batch = plan.batch
    discharged = batch.phase(PhaseCode.DISCHARGING)
    packed = plan.output_at_utc + PACKED_AFTER
    steps = (
        (10, "加料与反应", REACTOR, batch.start_utc, batch.phase(PhaseCode.COOLING).end_utc),
        (20, "出料", REACTOR, discharged.start_utc, discharged.end_utc),
        (30, "包装", PACKING_LINE, packed, packed + timedelta(minutes=5 * FILLED)),
    )
    for number, name, equipment, began, ended in steps:
        key = f"{production_order_id(plan)}-{number}"
        planned = timedelta(minutes=7 * plan.number)  # later batches were planned earlier than they can begin
        row: Row = {
            "operation_id": key,
            "production_order_id": production_order_id(plan),
            "operation_no": number,
            "operation_name": name,
            "equipment_id": equipment,
            "crew_code": crew_of(plan),
            "planned_start_at": began - planned,
            "planned_end_at": ended - planned,
            "started_at": None,
            "ended_at": None,
            "operation_status": "PLANNED",
        }
        journal.insert("mes.operations", batch.start_utc - timedelta(hours=10), row)
        journal.update("mes.operations", began, (key,), {"started_at": began, "operation_status": "RUNNING"})
        journal.update("mes.operations", ended, (key,), {"ended_at": ended, "operation_status": "COMPLETED"})


def _write_phases(journal: Journal, plan: Plan) -> None:
    operator = plan.draw("phases").choice(OPERATORS)
    for phase in plan.batch.phases:
        key = f"{plan.batch.batch_id}-{int(phase.code)}"
        row: Row = {
            "phase_id": key,
            "batch_id": plan.batch.batch_id,
            "phase_code": int(phase.code),
            "equipment_id": REACTOR,
            "started_at": phase.start_utc,
            "ended_at": None,
            "operator_code": operator,
        }
        # A row of the batch itself is written a second after it begins.
        journal.insert("mes.batch_phases", phase.start_utc + timedelta(seconds=2), row)
        journal.update(
            "mes.batch_phases", phase.end_utc + timedelta(seconds=2), (key,), {"ended_at": phase.end_utc}
        )
    _write_parameters(journal, plan)


def _write_parameters(journal: Journal, plan: Plan) -> None:
    draw = plan.draw("parameters")
    for place, (code, name, unit, lower, upper, sound) in enumerate(_PARAMETERS):
        phase = plan.batch.phase(code)
        value = Decimal(str(round(draw.uniform(*sound), 2)))
        if plan.number == 2 and place == 0:
            value = Decimal(upper) + 2
        row: Row = {
            "parameter_record_id": record_number(plan) + place,
            "phase_id": f"{plan.batch.batch_id}-{int(code)}",
            "parameter_code": name,
            "parameter_value": value.quantize(Decimal("0.0001")),
            "lower_limit": Decimal(lower).quantize(Decimal("0.0001")),
            "upper_limit": Decimal(upper).quantize(Decimal("0.0001")),
            "parameter_uom": unit,
            "recorded_at": phase.end_utc,
        }
        journal.insert("mes.phase_parameters", phase.end_utc + timedelta(seconds=3), row)


def _write_doses(journal: Journal, plan: Plan) -> None:
    for place, charge in enumerate(plan.charges):
        share = 1.012 if plan.number == 3 and charge.material is CHLORINE else 1.001
        row: Row = {
            "dosing_id": record_number(plan) + place,
            "batch_id": plan.batch.batch_id,
            "material_lot_id": charge.lot_no,
            "material_definition_id": charge.material.definition_id,
            "target_quantity": kilograms(round(charge.kg / share, 1)),
            "actual_quantity": kilograms(charge.kg),
            "quantity_uom": "kg",
            "tolerance_pct": Decimal("0.500"),
            "dosing_mode": "M" if charge.material is CATALYST else "A",
            "scale_id": "WE-302" if charge.material is CATALYST else "FT-301",
            "operator_code": OPERATORS[plan.number - 1],
            "dosed_at": charge.at_utc,
        }
        journal.insert("mes.dosing_records", charge.at_utc + timedelta(minutes=1, seconds=place), row)


def _write_acknowledgement(journal: Journal, plan: Plan) -> None:
    issued = plan.batch.start_utc - timedelta(hours=2)
    row: Row = {
        "acknowledgement_id": record_number(plan),
        "document_id": RECIPE,
        "version_no": RECIPE_VERSION,
        "production_order_id": production_order_id(plan),
        "terminal_id": "HMI-301",
        "medium": "P" if plan.number == 2 else "T",
        "issued_at": issued,
        "acknowledged_at": None,
        "operator_code": None,
    }
    journal.insert("mes.document_acknowledgements", issued, row)
    if plan.number < 3:
        at = issued + timedelta(minutes=6)
        done: Row = {"acknowledged_at": at, "operator_code": OPERATORS[plan.number - 1]}
        journal.update("mes.document_acknowledgements", at, (record_number(plan),), done)


def _write_signatures(journal: Journal, plan: Plan) -> None:
    leader, operator = LEADERS[crew_of(plan)], OPERATORS[plan.number - 1]
    ends = {phase.code: phase.end_utc for phase in plan.batch.phases}
    signed = [
        ("CHARGE", "PERFORMED", operator, ends[PhaseCode.CHARGING]),
        ("CHARGE", "CHECKED", leader, ends[PhaseCode.CHARGING] + timedelta(minutes=5)),
        ("REACT", "PERFORMED", operator, ends[PhaseCode.REACTING]),
        ("DISCHARGE", "PERFORMED", operator, ends[PhaseCode.DISCHARGING]),
        ("DISCHARGE", "CHECKED", leader, ends[PhaseCode.DISCHARGING] + timedelta(minutes=4)),
        ("CLEAN", "PERFORMED", operator, ends[PhaseCode.CLEANING]),
        ("RECORD", "RELEASED", leader, plan.batch.end_utc + timedelta(hours=3)),
    ]
    for place, (step, meaning, signer, at) in enumerate(signed):
        if plan.number == 2 and (step, meaning) == ("CHARGE", "CHECKED"):
            continue
        row: Row = {
            "signature_id": record_number(plan) + place,
            "batch_id": plan.batch.batch_id,
            "step_code": step,
            "meaning": meaning,
            "signer_code": signer,
            "signed_at": at,
        }
        journal.insert("mes.batch_signatures", at + timedelta(seconds=5), row)
