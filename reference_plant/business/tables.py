"""The tables of the three systems as the history needs them: key, change stamp and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

Value = str | int | Decimal | date | datetime | None
Row = dict[str, Value]


class StampKind(StrEnum):
    """How a system writes down when a row last changed."""

    LOCAL = "local"  # timestamp without zone, whole seconds, plant local
    INSTANT = "instant"  # timestamptz
    EPOCH_MS = "epoch_ms"  # bigint


@dataclass(frozen=True)
class TableSpec:
    """One table: its key and, where it has one, the column a reader can use as a cursor."""

    name: str
    key: tuple[str, ...]
    stamp_column: str | None = None
    stamp_kind: StampKind = StampKind.LOCAL

    def stamp(self, at_utc: datetime, zone: ZoneInfo) -> dict[str, Value]:
        """The change stamp of a row changed at `at_utc`; nothing where the table has none."""
        if self.stamp_column is None:
            return {}
        return {self.stamp_column: _written(at_utc, self.stamp_kind, zone)}


def _written(at_utc: datetime, kind: StampKind, zone: ZoneInfo) -> Value:
    if kind is StampKind.LOCAL:
        return at_utc.astimezone(zone).replace(tzinfo=None, microsecond=0)
    if kind is StampKind.EPOCH_MS:
        return epoch_ms(at_utc)
    return at_utc


def epoch_ms(at_utc: datetime) -> int:
    """Milliseconds since 1970, as the WMS counts."""
    return int(at_utc.timestamp() * 1000)


def yyyymmdd(at_utc: datetime, zone: ZoneInfo) -> str:
    """The plant's calendar day as the ERP writes it."""
    return f"{at_utc.astimezone(zone):%Y%m%d}"


_SPECS = (
    TableSpec("erp.customers", ("kunnr",), "aedat"),
    TableSpec("erp.suppliers", ("lifnr",), "aedat"),
    TableSpec("erp.materials", ("matnr",), "aedat"),
    TableSpec("erp.sales_orders", ("vbeln",), "aedat"),
    TableSpec("erp.sales_order_lines", ("vbeln", "posnr"), "aedat"),
    TableSpec("erp.purchase_orders", ("ebeln",), "aedat"),
    TableSpec("erp.purchase_order_lines", ("ebeln", "ebelp"), "aedat"),
    TableSpec("erp.purchase_receipts", ("mblnr", "zeile"), "aedat"),
    TableSpec("erp.purchase_invoices", ("belnr",), "aedat"),
    TableSpec("mes.production_orders", ("production_order_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.batches", ("batch_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.batch_materials", ("consumption_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.batch_outputs", ("output_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("wms.lots", ("lot_no",)),
    TableSpec("wms.stock_movements", ("mvt_id",), "updated_epoch_ms", StampKind.EPOCH_MS),
    TableSpec("wms.shipments", ("ship_no",), "updated_epoch_ms", StampKind.EPOCH_MS),
    TableSpec("wms.shipment_lines", ("ship_no", "line_no"), "updated_epoch_ms", StampKind.EPOCH_MS),
    TableSpec("lims.samples", ("sample_no",), "changed_at", StampKind.INSTANT),
    TableSpec("lims.sample_events", ("event_id",), "changed_at", StampKind.INSTANT),
    TableSpec("lims.results", ("result_id",), "changed_at", StampKind.INSTANT),
    TableSpec("lims.specifications", ("spec_no",)),
    TableSpec("qms.nonconformities", ("nc_no",), "changed_at", StampKind.INSTANT),
    TableSpec("qms.complaints", ("complaint_no",), "changed_at", StampKind.INSTANT),
    TableSpec("mes.operations", ("operation_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.batch_phases", ("phase_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.phase_parameters", ("parameter_record_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.equipment_downtime", ("downtime_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.dosing_records", ("dosing_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.packing_records", ("packing_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.vision_rejects", ("reject_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.process_documents", ("document_id", "version_no"), "last_modified_at", StampKind.INSTANT),
    TableSpec(
        "mes.document_acknowledgements", ("acknowledgement_id",), "last_modified_at", StampKind.INSTANT
    ),
    TableSpec("mes.batch_signatures", ("signature_id",), "last_modified_at", StampKind.INSTANT),
    TableSpec("mes.shift_handovers", ("handover_id",), "last_modified_at", StampKind.INSTANT),
)
TABLES = {spec.name: spec for spec in _SPECS}
