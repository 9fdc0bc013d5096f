"""The ERP's purchasing: each delivery ordered, received, invoiced; what is wrong is so on purpose."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reference_plant.business.journal import Event, State, state_at
from reference_plant.business.story import events
from reference_plant.business.tables import Row

SEED, ZONE = 20261116, ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 15, 16, tzinfo=UTC)
END = START + timedelta(days=21)


@pytest.fixture(scope="module")
def history() -> list[Event]:
    return events(SEED, ZONE, START, END)


@pytest.fixture(scope="module")
def final(history: list[Event]) -> State:
    return state_at(history, END)


def net_receipts(final: State) -> dict[str, Decimal]:
    """What stands of each order's receipts, in the order's unit."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in final["erp.purchase_receipts"].values():
        found[str(row["ebeln"])] += Decimal(str(row["menge"])) * (-1 if row["bwart"] == "102" else 1)
    return found


def standing_invoices(final: State) -> list[Row]:
    return [row for row in final["erp.purchase_invoices"].values() if not str(row["stblg"]).strip()]


def test_every_receipt_names_an_ordered_line_and_a_lot_of_the_warehouse(
    history: list[Event], final: State
) -> None:
    lots = {event.key[0] for event in history if event.table == "wms.lots"}
    receipts = final["erp.purchase_receipts"].values()
    assert len(receipts) > 20
    for row in receipts:
        assert (row["ebeln"], row["ebelp"]) in final["erp.purchase_order_lines"]
        assert row["charg"] in lots


def test_what_stands_received_is_near_what_was_ordered(final: State) -> None:
    for order_id, received in net_receipts(final).items():
        ordered = Decimal(str(final["erp.purchase_order_lines"][order_id, "00010"]["menge"]))
        assert Decimal("0.96") <= received / ordered <= Decimal("1.01")


def test_some_receipts_were_ten_times_too_much_and_are_taken_back(final: State) -> None:
    undone = [row for row in final["erp.purchase_receipts"].values() if row["bwart"] == "102"]
    assert undone
    for row in undone:
        wrong = final["erp.purchase_receipts"][str(row["smbln"]), "0001"]
        assert wrong["menge"] == row["menge"]
        assert Decimal(str(row["menge"])) / net_receipts(final)[str(row["ebeln"])] == 10


def test_an_invoice_that_was_too_dear_is_blocked_and_made_anew(final: State) -> None:
    blocked = [row for row in final["erp.purchase_invoices"].values() if row["zlspr"] == "R"]
    made_anew = [row for row in blocked if str(row["stblg"]).strip()]
    assert made_anew
    for row in made_anew:
        anew = final["erp.purchase_invoices"].get((str(row["stblg"]),))
        if anew is not None:
            assert Decimal(str(row["wrbtr"])) / Decimal(str(anew["wrbtr"])) == pytest.approx(
                Decimal("1.04"), rel=Decimal("0.001")
            )


def test_a_stray_invoice_names_no_order_until_it_is_corrected(history: list[Event], final: State) -> None:
    known = {key[0] for key in final["erp.purchase_orders"]}
    strays = {
        str(event.key[0])
        for event in history
        if event.table == "erp.purchase_invoices" and event.values.get("ebeln") == "4599999999"
    }
    assert strays
    corrected_by = END - timedelta(hours=6)
    for row in standing_invoices(final):
        if str(row["ebeln"]) not in known:
            assert str(row["belnr"]) in strays
    early = state_at([event for event in history if event.at_utc < corrected_by], corrected_by)
    later = {str(row["belnr"]): str(row["ebeln"]) for row in standing_invoices(final)}
    for row in standing_invoices(early):
        assert later[str(row["belnr"])] in known
