"""Folds what happens in the warehouse, in order of time, into movements and the quantity of every lot."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count

from reference_plant.business.catalogue import Material
from reference_plant.business.journal import Journal
from reference_plant.business.tables import Row, epoch_ms

EMPTY_LOT_KEPT = timedelta(hours=6)
FIRST_MOVEMENT_ID = 5_000_001
# At one moment lots open first, then goods move, then papers follow.
LOTS_OPEN, GOODS_MOVE, PAPERS = range(3)


@dataclass(frozen=True)
class Lot:
    """A lot as it is opened in the warehouse, empty and in quarantine."""

    lot_no: str
    material: Material
    opened_at_utc: datetime
    released_at_utc: datetime
    bin_loc: str
    vendor_no: str | None = None
    vendor_lot_no: str | None = None
    keeps: timedelta | None = None


@dataclass(frozen=True)
class Posting:
    """One stock movement; `withdrawn_at_utc` is when a mis-posted one is deleted."""

    at_utc: datetime
    mvt_type: str
    lot_no: str
    material: Material
    kg: float
    ref_doc: str
    dest_lot_no: str | None = None
    withdrawn_at_utc: datetime | None = None


class _Stock:
    """The quantities at one moment of the fold, and what is still to happen."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._held: dict[str, Decimal] = {}
        self._movement_ids = count(FIRST_MOVEMENT_ID)
        self._agenda: list[tuple[datetime, int, int, Callable[[datetime], None]]] = []
        self._order = count()

    def schedule(self, at_utc: datetime, rank: int, act: Callable[[datetime], None]) -> None:
        """Put an act on the agenda; of one moment the lower rank comes first."""
        heapq.heappush(self._agenda, (at_utc, rank, next(self._order), act))

    def run(self, until: datetime) -> None:
        """Everything on the agenda before `until`, in order, with what it entails."""
        while self._agenda and self._agenda[0][0] < until:
            at, _, _, act = heapq.heappop(self._agenda)
            act(at)

    def open(self, lot: Lot, at_utc: datetime) -> None:
        """A new lot, empty until goods are posted to it."""
        self._held[lot.lot_no] = Decimal("0.0000")
        made_on = lot.opened_at_utc.astimezone(self._journal.zone).date()
        row: Row = {
            "lot_no": lot.lot_no,
            "sku": lot.material.sku,
            "vendor_no": lot.vendor_no,
            "vendor_lot_no": lot.vendor_lot_no,
            "made_on": made_on,
            "best_before": made_on + lot.keeps if lot.keeps else None,
            "qty_on_hand": self._held[lot.lot_no],
            "uom": stock_unit(lot.material),
            "status_cd": "Q",
            "bin_loc": lot.bin_loc,
        }
        self._journal.insert("wms.lots", at_utc, row)
        self._journal.update("wms.lots", lot.released_at_utc, (lot.lot_no,), {"status_cd": "R"})

    def post(self, posting: Posting, at_utc: datetime) -> None:
        """A movement, its effect on the lots, and its withdrawal or the empty lot's removal to come."""
        mvt_id = next(self._movement_ids)
        row: Row = {
            "mvt_id": mvt_id,
            "mvt_type": posting.mvt_type,
            "lot_no": posting.lot_no,
            "dest_lot_no": posting.dest_lot_no,
            "sku": posting.material.sku,
            "qty": stock_quantity(posting.material, posting.kg),
            "uom": stock_unit(posting.material),
            "ref_doc": posting.ref_doc,
            "posted_epoch_ms": epoch_ms(at_utc),
        }
        # Every third clerk confirms late: the row shows after rows with younger stamps.
        lag = timedelta(seconds=5 if mvt_id % 3 == 0 else 0)
        self._journal.insert("wms.stock_movements", at_utc, row, lag=lag)
        self._move(posting, at_utc, sign=1)
        if posting.withdrawn_at_utc is not None:
            self.schedule(posting.withdrawn_at_utc, PAPERS, partial(self._withdraw, posting, mvt_id))
        elif self._held[posting.lot_no] == 0:
            self.schedule(at_utc + EMPTY_LOT_KEPT, PAPERS, partial(self._remove, posting.lot_no))

    def _withdraw(self, posting: Posting, mvt_id: int, at_utc: datetime) -> None:
        self._journal.delete("wms.stock_movements", at_utc, (mvt_id,))
        self._move(posting, at_utc, sign=-1)

    def _remove(self, lot_no: str, at_utc: datetime) -> None:
        self._journal.delete("wms.lots", at_utc, (lot_no,))

    def _move(self, posting: Posting, at_utc: datetime, *, sign: int) -> None:
        quantity = sign * stock_quantity(posting.material, posting.kg)
        incoming = posting.mvt_type in {"101", "131"}
        self._add(posting.lot_no, quantity if incoming else -quantity, at_utc)
        if posting.dest_lot_no is not None:
            self._add(posting.dest_lot_no, quantity, at_utc)

    def _add(self, lot_no: str, change: Decimal, at_utc: datetime) -> None:
        self._held[lot_no] += change
        self._journal.update("wms.lots", at_utc, (lot_no,), {"qty_on_hand": self._held[lot_no]})


def write_stock(journal: Journal, lots: Sequence[Lot], postings: Sequence[Posting], until: datetime) -> None:
    """Every lot and movement up to `until`; lots that stay empty are deleted."""
    stock = _Stock(journal)
    for lot in lots:
        stock.schedule(lot.opened_at_utc, LOTS_OPEN, partial(stock.open, lot))
    for posting in postings:
        stock.schedule(posting.at_utc, GOODS_MOVE, partial(stock.post, posting))
    stock.run(until)


def stock_unit(material: Material) -> str:
    """The unit the warehouse keeps a material in: tonnes for what comes by tanker."""
    return "T" if material.meins == "TO " else "KG"


def stock_quantity(material: Material, kg: float) -> Decimal:
    """A mass in the warehouse's unit of the material."""
    factor = 1000 if stock_unit(material) == "T" else 1
    return (Decimal(str(kg)) / factor).quantize(Decimal("0.0001"))
