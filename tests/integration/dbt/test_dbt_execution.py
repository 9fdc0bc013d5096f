"""Samples, doses, packing and the batch's balance: figures worked out by hand, with a real dbt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.dbt_lake import DbtLake

AT = datetime(2026, 11, 16, 4, tzinfo=UTC)
Row = dict[str, Any]
MODELS = (
    "+fct_inspection_lots +fct_batch_mass_balance +fct_doses +fct_packing_runs +fct_shift_handovers "
    "+fct_batch_records +fct_operations +fct_complaints"
)


def minutes(after: float) -> datetime:
    return AT + timedelta(minutes=after)


def batch(name: str, ended: datetime | None = AT) -> Row:
    return {
        "batch_id": name,
        "production_order_id": f"PO-{name}",
        "equipment_id": "R301",
        "status_code": 50 if ended else 20,
        "started_at_utc": AT - timedelta(hours=8),
        "ended_at_utc": ended,
        "actual_quantity": Decimal(900),
        "unit_code": "kg",
        "updated_at_utc": AT,
    }


def charged(number: int, name: str, quantity: str, unit: str = "kg") -> Row:
    return {
        "consumption_id": number,
        "batch_id": name,
        "lot_id": f"L{number}",
        "material_code": "M-1002",
        "quantity": Decimal(quantity),
        "unit_code": unit,
        "charged_at_utc": AT,
        "operator_code": "OP017",
        "updated_at_utc": AT,
    }


def made(number: int, name: str, quantity: str, kind: str = "PRODUCT") -> Row:
    return {
        "output_id": number,
        "batch_id": name,
        "lot_id": f"P{number}",
        "material_code": "M-5001",
        "output_type": kind,
        "quantity": Decimal(quantity),
        "unit_code": "kg",
        "produced_at_utc": AT,
        "updated_at_utc": AT,
    }


def sample(name: str, kind: str = "FG", **changes: Any) -> Row:
    return {
        "sample_id": name,
        "sample_type_code": kind,
        "lot_id": "P1",
        "batch_id": "B1",
        "material_code": "500001",
        "sampling_point_id": "SP",
        "barcode": f"LB-{name}",
        "requested_at_utc": AT,
        "requested_by_code": "QC01",
        "status_code": "REL",
        "updated_at_utc": AT,
        **changes,
    }


def step(number: int, name: str, what: str, after: float, scanned: str | None) -> Row:
    return {
        "event_id": number,
        "sample_id": name,
        "step_code": what,
        "done_at_utc": minutes(after),
        "person_code": "QC01",
        "scanned_code": scanned,
        "station_id": "LAB",
        "updated_at_utc": minutes(after),
    }


def result(number: int, name: str, value: str, *, state: str = "V", unit: str = "%", day: int = 16) -> Row:
    return {
        "result_id": number,
        "sample_id": name,
        "parameter_code": "WATER",
        "result_value": Decimal(value),
        "result_unit_code": unit,
        "method_id": "QI",
        "instrument_id": "KF",
        "analyst_code": "QC03",
        "tested_at_utc": datetime(2026, 11, day, 4, tzinfo=UTC),
        "status_code": state,
        "updated_at_utc": AT,
    }


def limit(number: int, upper: str, since: date, until: date | None) -> Row:
    return {
        "specification_id": f"SPEC-{number}",
        "material_code": "500001",
        "sample_type_code": "FG",
        "parameter_code": "WATER",
        "parameter_name_zh": "水分",
        "lower_limit_value": None,
        "upper_limit_value": Decimal(upper),
        "limit_unit_code": "%",
        "valid_from_date": since,
        "valid_to_date": until,
    }


def dose(number: int, target: str, actual: str, unit: str = "kg") -> Row:
    return {
        "dosing_id": number,
        "batch_id": "B1",
        "lot_id": "L1",
        "material_code": "M-1002",
        "target_quantity": Decimal(target),
        "actual_quantity": Decimal(actual),
        "unit_code": unit,
        "tolerance_pct": Decimal("0.5"),
        "dosing_mode_code": "A",
        "scale_id": "W1",
        "operator_code": "OP017",
        "dosed_at_utc": AT,
        "updated_at_utc": AT,
    }


def packing(name: str, filled: int, rejected: int) -> Row:
    return {
        "packing_id": name,
        "batch_id": "B1",
        "lot_id": "P1",
        "material_code": "M-5001",
        "equipment_id": "PK501",
        "crew_code": "C-A",
        "container_code": "IBC1000",
        "filled_count": filled,
        "rejected_count": rejected,
        "packed_quantity": Decimal(800 * (filled - rejected)),
        "unit_code": "kg",
        "started_at_utc": AT,
        "ended_at_utc": minutes(25),
        "updated_at_utc": AT,
    }


def reject(number: int, verdict: str) -> Row:
    return {
        "reject_id": number,
        "packing_id": "K1",
        "camera_id": "CAM",
        "container_number": number,
        "defect_code": "LABEL",
        "confidence_pct": Decimal("97.5"),
        "verdict_code": verdict,
        "detected_at_utc": AT,
        "updated_at_utc": AT,
    }


def handover(name: str, leader: str | None, ended: datetime | None) -> Row:
    return {
        "handover_id": name,
        "area_id": "workshop",
        "shift_code": "N",
        "from_crew_code": "C-C",
        "to_crew_code": "C-A",
        "from_leader_code": "OP103",
        "to_leader_code": leader,
        "started_at_utc": AT,
        "ended_at_utc": ended,
        "open_item_count": 2,
        "remarks_zh": None,
        "updated_at_utc": AT,
    }


def signature(number: int, name: str, what: str, meaning: str) -> Row:
    return {
        "signature_id": number,
        "batch_id": name,
        "step_code": what,
        "meaning_code": meaning,
        "signer_code": "OP101",
        "signed_at_utc": minutes(number),
        "updated_at_utc": AT,
    }


def acknowledgement(number: int, name: str, at: datetime | None) -> Row:
    return {
        "acknowledgement_id": number,
        "document_id": "RC",
        "version_number": 3,
        "production_order_id": f"PO-{name}",
        "terminal_id": "HMI",
        "medium_code": "P",
        "issued_at_utc": AT,
        "acknowledged_at_utc": at,
        "operator_code": None,
        "updated_at_utc": AT,
    }


def operation(number: int, began: datetime | None, ended: datetime | None) -> Row:
    """Planned for an hour from 04:00."""
    return {
        "operation_id": f"O{number}",
        "production_order_id": "PO-B1",
        "operation_number": number,
        "operation_name_zh": "包装",
        "equipment_id": "PK501",
        "crew_code": "C-A",
        "planned_start_at_utc": AT,
        "planned_end_at_utc": minutes(60),
        "started_at_utc": began,
        "ended_at_utc": ended,
        "status_code": "COMPLETED",
        "updated_at_utc": AT,
    }


def standstill(number: int, began: float, ended: float | None, equipment: str = "PK501") -> Row:
    return {
        "downtime_id": number,
        "equipment_id": equipment,
        "started_at_utc": minutes(began),
        "ended_at_utc": None if ended is None else minutes(ended),
        "downtime_type": "FAILURE",
        "cause_code": None,
        "updated_at_utc": AT,
    }


def complaint(name: str, lot: str, answered: datetime | None) -> Row:
    return {
        "complaint_id": name,
        "customer_id": "201001",
        "sales_order_id": None,
        "shipment_id": None,
        "lot_id": lot,
        "complaint_type": "QUAL",
        "description_zh": "水分偏高",
        "claimed_quantity": Decimal(500),
        "unit_code": "kg",
        "received_at_utc": AT,
        "answered_at_utc": answered,
        "closed_at_utc": None,
        "verdict_code": "OP",
        "nonconformity_id": None,
        "updated_at_utc": AT,
    }


@pytest.fixture(scope="module")
def built(new_dbt_lake: Callable[[str], DbtLake]) -> DbtLake:
    lake = new_dbt_lake("execution")
    lake.load_registers()
    checks = [("CHARGE", "CHECKED"), ("DISCHARGE", "CHECKED"), ("RECORD", "RELEASED")]
    rows = {
        "mes_main__batches": [batch("B1"), batch("B2"), batch("B3", None), batch("B4"), batch("B5")],
        "mes_main__batch_materials": [
            charged(1, "B1", "0.8", "t"),
            charged(2, "B1", "200"),
            charged(3, "B2", "1000"),
            charged(4, "B3", "1000"),
            charged(5, "B4", "1000", "drum"),
            charged(6, "B5", "1000"),
        ],
        "mes_main__batch_outputs": [
            made(1, "B1", "900"),
            made(2, "B1", "10", "WASTE"),  # 90 kg of 1,000 are missing: 9.0 %, just closed
            made(3, "B2", "909.9"),  # 9.01 %
            made(4, "B4", "950"),
            made(5, "B5", "1100"),  # more came out than went in
        ],
        "mes_main__dosing_records": [
            dose(1, "1000", "1005"),
            dose(2, "1000", "994.9"),
            dose(3, "1", "1.004", "t"),
            dose(4, "0", "3"),
        ],
        "mes_main__packing_records": [packing("K1", 5, 2), packing("K2", 0, 0)],
        "mes_main__vision_rejects": [reject(1, "C"), reject(2, "F"), reject(3, "O")],
        "mes_main__shift_handovers": [handover("H1", "OP101", minutes(12)), handover("H2", None, None)],
        "mes_main__batch_signatures": [
            *(signature(n, "B1", *what) for n, what in enumerate(checks)),
            *(signature(10 + n, "B2", *what) for n, what in enumerate(checks[1:])),
        ],
        "mes_main__document_acknowledgements": [
            acknowledgement(1, "B1", AT),
            acknowledgement(2, "B5", None),
        ],
        "mes_main__operations": [operation(1, minutes(10), minutes(90)), operation(2, None, None)],
        "mes_main__equipment_downtime": [
            standstill(1, 0, 30),  # 20 minutes of it within the operation
            standstill(2, 40, 45),
            standstill(3, 50, None),
            standstill(4, 20, 40, "R301"),
        ],
        "qms_main__complaints": [complaint("C1", "P1", minutes(90)), complaint("C2", "P1?", None)],
        "lims_main__samples": [
            sample("S1"),
            sample("S2"),
            sample("S3", lot_id=None),
            sample("S4", "IPC", status_code="REQ"),
        ],
        "lims_main__sample_events": [
            step(1, "S1", "REQUEST", 0, None),
            step(2, "S1", "SAMPLE", 10, "LB-S1"),
            step(3, "S1", "TEST", 70, None),
            step(4, "S1", "REVIEW", 100, "LB-S2"),
            step(5, "S1", "RELEASE", 120, "LB-S1"),
            step(6, "S2", "REQUEST", 0, None),
        ],
        "lims_main__results": [
            result(1, "S1", "0.62", state="S"),
            result(2, "S1", "0.50"),
            # The limit is stricter from the 17th on.
            result(3, "S2", "0.50", day=17),
            result(4, "S3", "5000", unit="mg/kg"),
        ],
        "lims_main__specifications": [
            limit(1, "0.5", date(2026, 1, 1), date(2026, 11, 17)),
            limit(2, "0.45", date(2026, 11, 17), None),
        ],
    }
    for table, found in rows.items():
        lake.append_changes(f"raw_{table}", found)
    lake.dbt("build", "--exclude-resource-type", "unit_test", "--select", *MODELS.split())
    return lake


def of(lake: DbtLake, mart: str, key: str, *columns: str) -> dict[Any, Any]:
    found = lake.query(f"select * from marts.{mart}")
    return {row[key]: tuple(row[name] for name in columns) for row in found}


def test_a_balance_closes_within_the_tolerance_of_the_contract(built: DbtLake) -> None:
    found = of(built, "fct_batch_mass_balance", "batch_id", "input_kg", "missing_kg", "balance_code")
    assert found["B1"] == (1000.0, 90.0, "closed")
    assert found["B2"] == (1000.0, pytest.approx(90.1), "open")
    assert found["B3"][2] == "running"
    assert found["B4"][2] == "not_comparable"
    assert found["B5"] == (1000.0, -100.0, "open")
    tolerance = built.contracts["raw_mes_main__batch_outputs"].mass_balance_tolerance_pct
    assert {row["tolerance_pct"] for row in built.query("select * from marts.fct_batch_mass_balance")} == {
        tolerance
    }


def test_a_result_is_judged_by_the_limit_of_its_day_and_unit(built: DbtLake) -> None:
    found = of(built, "fct_inspection_results", "result_id", "upper_limit_value", "judgement_code")
    assert found == {
        1: (0.5, "superseded"),
        2: (0.5, "in_limits"),
        3: (0.45, "out_of_limits"),
        4: (None, "not_judged"),
    }


def test_a_sample_tells_its_times_and_the_steps_without_a_scan(built: DbtLake) -> None:
    lots = of(
        built,
        "fct_inspection_lots",
        "sample_id",
        "production_order_id",
        "request_to_decision_h",
        "unscanned_step_count",
        "judgement_code",
    )
    assert lots == {
        "S1": ("PO-B1", 2.0, 2, "in_limits"),
        "S2": ("PO-B1", None, 0, "out_of_limits"),
        "S3": ("PO-B1", None, 0, "not_judged"),
        "S4": ("PO-B1", None, 0, "no_result"),
    }
    steps = of(built, "fct_sample_steps", "event_id", "since_last_step_min", "scan_code")
    assert steps == {
        1: (None, "not_needed"),
        2: (10.0, "right"),
        3: (60.0, "missing"),
        4: (30.0, "wrong"),
        5: (20.0, "right"),
        6: (None, "not_needed"),
    }


def test_doses_are_held_against_their_tolerance(built: DbtLake) -> None:
    assert of(built, "fct_doses", "dosing_id", "accuracy_code") == {
        1: ("in_tolerance",),
        2: ("out_of_tolerance",),
        3: ("in_tolerance",),
        4: ("not_comparable",),
    }


def test_packing_counts_what_the_camera_took_out(built: DbtLake) -> None:
    columns = ("packing_yield_pct", "vision_reject_count", "false_alarm_count", "open_reject_count")
    assert of(built, "fct_packing_runs", "packing_id", *columns) == {
        "K1": (60.0, 3, 1, 1),
        "K2": (None, 0, 0, 0),
    }


def test_a_handover_ends_when_somebody_took_over(built: DbtLake) -> None:
    assert of(built, "fct_shift_handovers", "handover_id", "duration_min", "is_taken_over") == {
        "H1": (12.0, True),
        "H2": (None, False),
    }


def test_a_batch_record_names_what_it_lacks(built: DbtLake) -> None:
    columns = ("missing_check_count", "unacknowledged_document_count", "record_code")
    assert of(built, "fct_batch_records", "batch_id", *columns) == {
        "B1": (0, 0, "complete"),
        "B2": (1, 0, "incomplete"),
        "B3": (2, 0, "running"),
        "B4": (2, 0, "incomplete"),
        "B5": (2, 1, "incomplete"),
    }


def test_an_operation_knows_its_delay_and_the_standstills_within_it(built: DbtLake) -> None:
    columns = ("start_delay_min", "end_delay_min", "standstill_count", "standstill_min")
    assert of(built, "fct_operations", "operation_id", *columns) == {
        "O1": (10.0, 30.0, 2, 25.0),
        "O2": (None, None, 0, 0.0),
    }


def test_a_complaint_leads_back_to_the_batch_and_what_was_measured(built: DbtLake) -> None:
    columns = ("batch_id", "is_lot_known", "answered_after_h", "sample_count", "out_of_limits_count")
    assert of(built, "fct_complaints", "complaint_id", *columns) == {
        "C1": ("B1", True, 1.5, 3, 1),
        "C2": (None, False, None, 0, 0),
    }
