"""The history of the business systems: coherent, repeatable, and with the traps it is there to set."""

import csv
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reference_plant.business.catalogue import MATERIALS, UNMAPPED_MATERIAL
from reference_plant.business.journal import Event, Journal, State, state_at
from reference_plant.business.story import events
from reference_plant.business.tables import TABLES
from reference_plant.plant.batches import batches_between

ZONE = ZoneInfo("Asia/Shanghai")
SEED = 20261116
START = datetime(2026, 11, 15, 16, tzinfo=UTC)
LIVE_FROM = START + timedelta(hours=25, minutes=30)
END = LIVE_FROM + timedelta(minutes=105)
THREE_DAYS = START + timedelta(days=3)
MAPPINGS = Path(__file__).parents[3] / "reference_plant/site/mappings/code_mappings.csv"


@pytest.fixture(scope="module")
def history() -> list[Event]:
    return events(SEED, ZONE, START, THREE_DAYS)


@pytest.fixture(scope="module")
def final(history: list[Event]) -> State:
    return state_at(history, THREE_DAYS)


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    assert events(SEED, ZONE, START, END) == events(SEED, ZONE, START, END)
    assert events(SEED, ZONE, START, END) != events(SEED + 1, ZONE, START, END)


@pytest.mark.parametrize("hours", [0.01, 1, 7.9, 16, 24, 27.25, 48, 71])
def test_a_longer_window_only_adds_events_at_its_end(history: list[Event], hours: float) -> None:
    end = START + timedelta(hours=hours)
    assert events(SEED, ZONE, START, end) == [event for event in history if event.at_utc < end]


@pytest.mark.parametrize("seed", range(5))
def test_no_event_contradicts_the_rows_before_it_in_two_weeks(seed: int) -> None:
    end = START + timedelta(days=14)
    state = state_at(events(seed, ZONE, START, end), end)
    assert all(row["qty_on_hand"] >= 0 for row in state["wms.lots"].values())  # type: ignore[operator]


def test_an_event_that_contradicts_the_history_is_told() -> None:
    journal = Journal(ZONE, START)
    journal.delete("wms.lots", START, ("nothing",))
    with pytest.raises(ValueError, match=r"wms\.lots .*absent"):
        state_at(journal.events(END), END)


def test_every_batch_has_its_orders_and_the_reactors_masses(final: State) -> None:
    for batch in batches_between(SEED, ZONE, START, THREE_DAYS - timedelta(hours=12)):
        row = final["mes.batches"][batch.batch_id,]
        order = final["mes.production_orders"][row["production_order_id"],]
        assert (f"00{order['sales_order_no']}",) in final["erp.sales_orders"]
        assert (row["started_at"], row["ended_at"]) == (batch.start_utc, batch.end_utc)
        assert row["actual_quantity"] == Decimal(str(batch.product_kg))
        consumed = consumption_kg(final, batch.batch_id)
        assert consumed["M-1001"] == Decimal(str(batch.ammonia_kg))
        assert consumed["M-1002"] == Decimal(str(batch.methanol_kg))
        assert consumed["M-1003"] == Decimal(str(batch.chlorine_kg))


def consumption_kg(state: State, batch_id: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in state["mes.batch_materials"].values():
        if row["batch_id"] == batch_id:
            factor = {"t": 1000, "kg": 1}[str(row["quantity_uom"]).strip().lower()]
            assert isinstance(row["quantity"], Decimal)
            found[str(row["material_definition_id"])] += row["quantity"] * factor
    return found


def parents_of(state: State, lot_no: str) -> set[str]:
    """The lots directly behind a lot: by transfer, or through the batch that made it."""
    moves = state["wms.stock_movements"].values()
    found = {str(move["lot_no"]) for move in moves if move["dest_lot_no"] == lot_no}
    made_by = {
        row["batch_id"] for row in state["mes.batch_outputs"].values() if row["material_lot_id"] == lot_no
    }
    charged = state["mes.batch_materials"].values()
    return found | {str(row["material_lot_id"]) for row in charged if row["batch_id"] in made_by}


def test_a_shipped_blend_leads_back_through_two_batches_to_the_suppliers_lots(final: State) -> None:
    shipped = {line["lot_no"] for line in final["wms.shipment_lines"].values()}
    assert "BL261116" in shipped
    assert parents_of(final, "BL261116") == {"P2611161", "P2611162"}
    raw = parents_of(final, "P2611161") | parents_of(final, "P2611162")
    assert {lot[:2] for lot in raw} == {"ME", "AM", "CY", "CA", "DE"}


def test_a_methanol_lot_leads_forward_to_every_shipment_it_reached(final: State) -> None:
    reached, frontier = set(), {"ME261115-001"}
    lots = {str(row["material_lot_id"]) for row in final["mes.batch_outputs"].values()}
    lots |= {
        str(move["dest_lot_no"]) for move in final["wms.stock_movements"].values() if move["dest_lot_no"]
    }
    while frontier:
        frontier = {lot for lot in lots if parents_of(final, lot) & frontier} - reached
        reached |= frontier
    lines = final["wms.shipment_lines"].values()
    assert {line["ship_no"] for line in lines if line["lot_no"] in reached} == {
        "SH26111601",
        "SH26111602",
        "SH26111603",
    }


def test_one_lot_a_day_is_split_in_two(final: State) -> None:
    moves = final["wms.stock_movements"].values()
    split = [
        move["dest_lot_no"] for move in moves if move["lot_no"] == "P2611161" and move["mvt_type"] == "309"
    ]
    assert set(split) == {"P2611161-A", "P2611161-B", "BL261116"}


def test_a_batch_may_draw_on_two_lots_of_one_material(final: State) -> None:
    charged = final["mes.batch_materials"].values()
    methanol = [
        row["material_lot_id"]
        for row in charged
        if row["batch_id"] == "B20261116-3" and row["material_definition_id"] == "M-1002"
    ]
    assert methanol == ["ME261115-001", "ME261116-002"]


@pytest.mark.parametrize("table", ["mes.batch_materials", "wms.stock_movements", "erp.sales_order_lines"])
def test_change_stamps_do_not_become_visible_in_order(history: list[Event], table: str) -> None:
    column = TABLES[table].stamp_column
    stamps = [
        event.values[column]
        for event in history
        if event.table == table and event.operation != "delete" and event.at_utc > START
    ]
    assert any(earlier > later for earlier, later in pairwise(stamps))  # type: ignore[operator]


def test_rows_are_deleted_for_good_where_the_source_does_so(history: list[Event]) -> None:
    assert {event.table for event in history if event.operation == "delete"} == {
        "wms.lots",
        "wms.stock_movements",
        "lims.samples",
        "mes.equipment_downtime",
    }


def test_the_erp_marks_what_is_gone(final: State) -> None:
    for table in ("erp.customers", "erp.sales_orders"):
        assert {row["loevm"] for row in final[table].values()} == {" ", "X"}


def test_only_lots_and_specifications_have_no_change_stamp() -> None:
    assert [spec.name for spec in TABLES.values() if spec.stamp_column is None] == [
        "wms.lots",
        "lims.specifications",
    ]


def test_consumption_names_a_material_that_no_mapping_knows(final: State) -> None:
    used = {row["material_definition_id"] for row in final["mes.batch_materials"].values()}
    assert UNMAPPED_MATERIAL in used
    with MAPPINGS.open(encoding="utf-8-sig", newline="") as file:
        mapped = {value.strip() for row in csv.reader(file) for value in row}
    assert UNMAPPED_MATERIAL not in mapped
    for material in MATERIALS:
        assert material.definition_id in mapped, f"the site's mappings lack {material.definition_id}"


def test_units_are_spelt_as_people_type_them(final: State) -> None:
    spelt = {row["quantity_uom"] for row in final["mes.batch_materials"].values()}
    assert {"t", "kg", "KG ", "Kg"} <= spelt


def test_every_system_changes_while_we_watch(history: list[Event]) -> None:
    live = [event for event in history if LIVE_FROM <= event.at_utc < END]
    assert {event.table.partition(".")[0] for event in live} == {"erp", "mes", "wms", "lims"}
    assert {event.operation for event in live} == {"insert", "update", "delete"}


def test_a_late_correction_changes_a_quantity_hours_after_it_was_entered(history: list[Event]) -> None:
    first = [
        event for event in history if (event.table, event.key) == ("mes.batch_materials", (20261116202,))
    ]
    assert [event.operation for event in first] == ["insert", "update"]
    assert first[1].at_utc - first[0].at_utc > timedelta(hours=3)
