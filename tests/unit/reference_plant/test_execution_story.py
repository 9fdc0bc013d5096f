"""Batches made by the recipe, samples tested, crews on duty: what is wrong is so on purpose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reference_plant.business.journal import Event, State, state_at
from reference_plant.business.story import events

SEED, ZONE = 20261116, ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 15, 16, tzinfo=UTC)
END = START + timedelta(days=6)


@pytest.fixture(scope="module")
def history() -> list[Event]:
    return events(SEED, ZONE, START, END)


@pytest.fixture(scope="module")
def final(history: list[Event]) -> State:
    return state_at(history, END)


def test_doses_weigh_what_the_batch_consumed(final: State) -> None:
    assert final["mes.dosing_records"]
    for row in final["mes.dosing_records"].values():
        consumed = [
            used
            for used in final["mes.batch_materials"].values()
            if (used["batch_id"], used["material_lot_id"]) == (row["batch_id"], row["material_lot_id"])
        ]
        kilograms = [
            Decimal(str(one["quantity"])) * (1000 if one["quantity_uom"] == "t" else 1) for one in consumed
        ]
        # The list of a shift is entered 50 minutes after the batch began.
        assert not consumed or min(abs(kg - Decimal(str(row["actual_quantity"]))) for kg in kilograms) <= 90


def test_only_the_chlorine_of_third_batches_is_out_of_tolerance(final: State) -> None:
    out = set()
    for row in final["mes.dosing_records"].values():
        target, actual = Decimal(str(row["target_quantity"])), Decimal(str(row["actual_quantity"]))
        if abs(actual - target) / target * 100 > Decimal(str(row["tolerance_pct"])):
            out.add((row["material_definition_id"], str(row["batch_id"])[-1]))
    assert out == {("M-1003", "3")}


def test_a_sample_registered_twice_and_a_mistaken_standstill_are_deleted(history: list[Event]) -> None:
    gone = {event.table for event in history if event.operation == "delete"}
    assert {"lims.samples", "mes.equipment_downtime"} <= gone


def test_samples_stand_for_lots_and_batches_that_exist(history: list[Event], final: State) -> None:
    lots = {event.key[0] for event in history if event.table == "wms.lots"}
    for row in final["lims.samples"].values():
        assert row["lot_no"] is None or row["lot_no"] in lots
        assert row["batch_id"] is None or (row["batch_id"],) in final["mes.batches"]


def test_a_repeated_test_supersedes_the_first_and_ends_its_nonconformity(final: State) -> None:
    repeated = [row for row in final["lims.results"].values() if row["state"] == "S"]
    assert repeated
    for row in repeated:
        again = [
            other
            for other in final["lims.results"].values()
            if (other["sample_no"], other["parameter"]) == (row["sample_no"], row["parameter"])
            and other["state"] != "S"
        ]
        assert len(again) == 1
        assert Decimal(str(again[0]["value"])) < Decimal("0.5") < Decimal(str(row["value"]))
    assert {row["disposition"] for row in final["qms.nonconformities"].values()} >= {"RT"}


def test_a_complaint_s_lot_is_right_once_it_is_closed(final: State) -> None:
    closed = [row for row in final["qms.complaints"].values() if row["closed_at"]]
    assert closed
    assert all("?" not in str(row["lot_no"]) for row in closed)


def test_handovers_follow_the_shifts(final: State) -> None:
    starts = sorted(str(row["started_at"])[11:16] for row in final["mes.shift_handovers"].values())
    assert set(starts) == {"23:50", "07:50", "15:50"}
